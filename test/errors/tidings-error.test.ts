import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ConflictError, PauseError, RetryAfterError, TerminalError } from "../../src/errors/control.ts";
import { hasCode, isTidingsError, TidingsError } from "../../src/errors/tidings-error.ts";

describe("a tidings error", () => {
  const cause = new Error("disk");
  const error = new TidingsError("TIDINGS_DISK_FULL", "The disk is full.", { cause, details: { file: "shop.db" } });

  it("carries code, message, cause and details", () => {
    assert.ok(error instanceof Error);
    assert.deepEqual(
      [error.name, error.code, error.message, error.cause, error.details],
      ["TidingsError", "TIDINGS_DISK_FULL", "The disk is full.", cause, { file: "shop.db" }],
    );
  });

  it("has no cause and no details unless they are given", () => {
    const plain = new TidingsError("TIDINGS_CLOSED", "Closed.");
    assert.equal("cause" in plain, false);
    assert.deepEqual(plain.details, {});
  });

  it("says by its code whether trying again may help", () => {
    assert.equal(error.retryable, true);
    assert.equal(new TidingsError("TIDINGS_USAGE", "Wrong.").retryable, false);
  });

  it("is told from other errors, also when another copy of the package made it", () => {
    const foreign = { [Symbol.for("tidings.error")]: true, code: "TIDINGS_CLOSED" };
    assert.deepEqual([error, foreign].map(isTidingsError), [true, true]);
    const others = [cause, null, undefined, "TIDINGS_CLOSED", { code: "TIDINGS_CLOSED" }];
    assert.deepEqual(others.map(isTidingsError), [false, false, false, false, false]);
    assert.equal(hasCode(foreign, "TIDINGS_CLOSED"), true);
    assert.equal(hasCode(foreign, "TIDINGS_BUSY"), false);
    assert.equal(hasCode({ code: "TIDINGS_CLOSED" }, "TIDINGS_CLOSED"), false);
  });
});

describe("an error that says what to do", () => {
  it("carries its action, message and cause", () => {
    const cause = new Error("inner");
    const errors = [
      new TerminalError("m", { cause }),
      new RetryAfterError("m", 500, { cause }),
      new PauseError("m", 1000, { cause }),
      new ConflictError("m", { cause }),
    ];
    assert.deepEqual(
      errors.map(({ name, action }) => [name, action]),
      [
        ["TerminalError", "terminal"],
        ["RetryAfterError", "retry-after"],
        ["PauseError", "pause"],
        ["ConflictError", "conflict"],
      ],
    );
    for (const error of errors) assert.deepEqual([error.message, error.cause], ["m", cause]);
  });

  it("refuses a time that is none", () => {
    assert.equal(new RetryAfterError("m", 0).retryAfterMs, 0);
    assert.equal(new PauseError("m").pauseMs, undefined);
    for (const ms of [-1, Number.NaN, Infinity, "5" as never]) {
      assert.throws(() => new RetryAfterError("m", ms), { code: "TIDINGS_INVALID_OPTION" });
      assert.throws(() => new PauseError("m", ms), { code: "TIDINGS_INVALID_OPTION" });
    }
  });
});
