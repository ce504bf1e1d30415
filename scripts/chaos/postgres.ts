// PostgreSQL under faults: as it comes, with every sync, and with what only it has: backends of which each is a process.
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type QueryResultRow } from "pg";

import { postgres as service } from "../services/postgres.ts";
import { addressOf, type OwnFault, type RunningServer, type ServerKind } from "./server.ts";

/** Longer than the shorter of the limits of a request, so that somebody gives up waiting. */
const stopBackendMs = 4_500;

const clients = "backend_type = 'client backend' AND application_name = 'tidings'";

export const postgres: ServerKind = {
  name: "postgres",
  service,
  // Connections that hang are given up by the members and not by the server.
  args: ["-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "max_connections=400", "-c", "shared_buffers=64MB"],
  holdsState: true,
  url: (server, port, limits) => addressOf(service.url(server.place), port, { ...limits }),
  ownFaults: (server) => [
    {
      name: "terminate-backend",
      async inflict(chance) {
        const pids = await backends(server, clients);
        if (pids.length === 0) return "nobody";
        await ask(server, "SELECT pg_terminate_backend($1)", [chance.pick(pids)]);
        return "one";
      },
    },
    {
      name: "terminate-listeners",
      async inflict() {
        const pids = await backends(server, `${clients} AND query LIKE 'LISTEN%'`);
        for (const pid of pids) await ask(server, "SELECT pg_terminate_backend($1)", [pid]);
        return `${pids.length}`;
      },
    },
    stopBackend(server),
    {
      // All others are told to go, and the server recovers.
      name: "kill-backend",
      async inflict(chance) {
        const pids = await backends(server, clients);
        if (pids.length === 0) return "nobody";
        process.kill(chance.pick(pids), "SIGKILL");
        return "one";
      },
    },
  ],
};

/** One that commits hangs for a while, and then does what nobody waits for any more. */
function stopBackend(server: RunningServer): OwnFault {
  return {
    name: "stop-backend",
    async inflict(chance) {
      const writers = await backends(server, `${clients} AND query LIKE '%.commit(%'`);
      if (writers.length === 0) return "nobody";
      const share = chance.pick([0.5, 1]);
      const hit = writers.filter(() => chance.next() < share);
      const pids = hit.length > 0 ? hit : [chance.pick(writers)];
      for (const pid of pids) process.kill(pid, "SIGSTOP");
      await sleep(stopBackendMs);
      for (const pid of pids) process.kill(pid, "SIGCONT");
      return `${pids.length}`;
    },
  };
}

async function backends(server: RunningServer, condition: string): Promise<number[]> {
  const rows = await ask<{ pid: number }>(server, `SELECT pid FROM pg_stat_activity WHERE ${condition} ORDER BY pid`);
  return rows.map(({ pid }) => pid);
}

/** Asks past the proxy; a server that recovers from the last fault is waited for. */
async function ask<Row extends QueryResultRow>(
  server: RunningServer,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  for (let tries = 0; ; tries++) {
    const client = new Client({ connectionString: service.url(server.place), application_name: "chaos" });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return (await client.query<Row>(text, [...values])).rows;
    } catch (error) {
      if (tries === 100) throw error;
      await sleep(100);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
