import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";

import { command } from "../../scripts/test/tool.ts";

it("the example's test file passes as a user runs it", async () => {
  const args = ["--conditions=tidings-source", "--test", join("examples", "testing", "payments.test.ts")];
  const { status, output } = await command(process.execPath, args, {
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  assert.equal(status, 0, output);
  assert.match(output, /pass 5\n/);
});
