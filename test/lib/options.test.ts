import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { hasCode } from "../../src/errors/tidings-error.ts";
import { closest } from "../../src/lib/closest.ts";
import { checkOptions } from "../../src/lib/options.ts";

const allowed = ["retry", "onFailure", "timeoutMs", "concurrency"];

describe("checkOptions", () => {
  it("passes what is allowed, and nothing at all", () => {
    checkOptions("service", {}, allowed);
    checkOptions("service", { retry: undefined, concurrency: 5 }, allowed);
  });

  it("refuses another name and suggests the one that was meant", () => {
    for (const [typo, meant] of Object.entries({ retries: "retry", onfailure: "onFailure", timeout: "timeoutMs" })) {
      assert.throws(
        () => checkOptions("service", { [typo]: 1 }, allowed),
        (error) =>
          hasCode(error, "TIDINGS_INVALID_OPTION") &&
          error.message === `service has no option "${typo}"; did you mean "${meant}"?` &&
          error.details["suggestion"] === meant,
      );
    }
  });

  it("lists what there is when nothing comes close", () => {
    assert.throws(() => checkOptions("service", { colour: 1 }, allowed), {
      message: 'service has no option "colour"; it takes retry, onFailure, timeoutMs, concurrency.',
    });
  });

  it("refuses what is no object of options", () => {
    for (const options of [null, undefined, "retry", 5, [], () => 1]) {
      assert.throws(() => checkOptions("service", options as object, allowed), {
        code: "TIDINGS_INVALID_OPTION",
        message: "service takes an object of options.",
      });
    }
  });
});

describe("closest", () => {
  it("finds the word at the smallest distance, whatever its case", () => {
    assert.equal(closest("partion", ["position", "partition", "retention"]), "partition");
    assert.equal(closest("RETRY", ["entry", "retry"]), "retry");
    assert.equal(closest("kye", ["key", "id"]), "key");
  });

  it("finds nothing where every letter would have to change", () => {
    assert.equal(closest("xy", ["id", "key"]), undefined);
    assert.equal(closest("", ["id"]), undefined);
    assert.equal(closest("concurrency", ["partitions", "id"]), undefined);
    assert.equal(closest("anything", []), undefined);
  });
});
