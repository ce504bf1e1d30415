import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Committer, type CommitterOptions } from "../../src/delivery/commit/committer.ts";

/** Nothing is committed here, so that it needs nothing to commit with. */
const committer = (): Committer => new Committer({} as CommitterOptions);
const never = new Promise<void>(() => undefined);

describe("a committer that stops", () => {
  it("tells those who wait for a commit that nobody knows whether it was done, and never that it was", async () => {
    const stopping = committer();
    const before = stopping.through(never);
    stopping.stop();
    await assert.rejects(before, { code: "TIDINGS_FENCED" });
    await assert.rejects(stopping.through(never), { code: "TIDINGS_FENCED" });
  });

  it("lets work end as it does while it goes on", async () => {
    const working = committer();
    await working.through(Promise.resolve());
    await assert.rejects(working.through(Promise.reject(new Error("refused"))), /refused/);
  });
});
