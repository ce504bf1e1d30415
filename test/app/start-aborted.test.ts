import assert from "node:assert/strict";
import { it } from "node:test";
import { tidings } from "tidings";
import { silentLogger } from "../../src/delivery/log.ts";

it("an application whose signal has aborted before its start comes to its start and its stop", async () => {
  const signal = AbortSignal.abort();
  const app = await tidings({ name: "late", url: "memory:", signal, logger: silentLogger }).start();
  await app.stop();
  assert.throws(() => app.engine, { code: "TIDINGS_NOT_STARTED" });
});
