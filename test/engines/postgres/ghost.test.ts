import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { afterwards } from "../../lib/afterwards.ts";
import { withoutRoot } from "../../lib/machine.ts";
import { client, entry, numbers, open, rejection, schema, until, withoutPostgres, named } from "./support.ts";

describe("a commit of which the server's process hangs", { skip: withoutPostgres || withoutRoot() }, () => {
  it("never takes effect behind what was acknowledged after it was given up", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { url: named(name), schema: name, requestTimeoutMs: 1000, notify: false });
    const admin = await client(t);
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    const { rows } = await admin.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND query LIKE '%.commit(%'",
      [name],
    );
    const pid = rows[0]?.pid ?? 0;
    process.kill(pid, "SIGSTOP");
    afterwards(t, () => {
      try {
        process.kill(pid, "SIGCONT");
      } catch {
        // It is gone, as it should be.
      }
    });
    const given = await rejection(engine.topics.publish([entry(1)]));
    assert.equal(given.code, "TIDINGS_OUTCOME_UNKNOWN");
    await engine.topics.publish([entry(2)]);
    process.kill(pid, "SIGCONT");
    // It goes on, finds its token void, and ends with its connection.
    await until("it is gone", async () => {
      const { rowCount } = await admin.query("SELECT 1 FROM pg_stat_activity WHERE pid = $1", [pid]);
      return rowCount === 0;
    });
    assert.deepEqual(await numbers(engine), [0, 2]);
  });
});
