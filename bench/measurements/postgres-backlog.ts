import type { BacklogResult } from "../children/backlog.ts";
import { lineOf } from "../lib/line.ts";
import { createDatabase, dropDatabase } from "../lib/postgres.ts";
import { alternate, keys, type Measurement, type Run } from "../lib/run.ts";
import { onPostgres } from "../lib/settings.ts";

/** A delivery costs the same from a table of ten million rows as from one of ten thousand. */
export const backlog: Measurement = {
  name: "backlog",
  needs: { tidings: "postgres" },
  async run(run) {
    const short = run.size(10_000, 500);
    const long = run.options.full ? 10_000_000 : run.size(200_000, 2000);
    const server = run.urls.postgres as string;
    const databases: string[] = [];
    try {
      const [ofShort, ofLong] = [await filled(short), await filled(long)];
      const results = await alternate(run, "backlog", {
        short: () => consume(run, ofShort, short),
        long: () => consume(run, ofLong, long),
      });
      const settings = { ...onPostgres, keys, events: long, handler: "does nothing", peerEvents: short };
      const peer = "short backlog";
      const line = (name: string, unit: string, of: (result: BacklogResult) => number) =>
        lineOf({
          name,
          unit,
          better: "lower",
          values: (results["long"] ?? []).map(of),
          settings: { ...settings, measured: `all but the first ${short / 2}` },
          peer: { name: peer, values: (results["short"] ?? []).map(of) },
        });
      return [
        line("backlog-per-delivery", "us", ({ eventsPerSecond }) => 1e6 / eventsPerSecond),
        line("backlog-cpu-per-delivery", "us", ({ cpuMicrosPerEvent }) => cpuMicrosPerEvent),
        line("backlog-memory", "MiB", ({ residentMaxMiB }) => residentMaxMiB),
      ];
    } finally {
      for (const url of databases) await dropDatabase(server, url);
    }

    async function filled(events: number): Promise<string> {
      run.say(`filling a database with ${events} events`);
      const url = await createDatabase(server);
      databases.push(url);
      await run.inFreshFolder("fill", { url, events, keys });
      return url;
    }
  },
};

let consumers = 0;

/** Each run is a subscription of its own that begins at the start: the rows stay as they are. */
function consume(run: Run, url: string, events: number): Promise<BacklogResult> {
  const service = `handler-${++consumers}`;
  return run.inFreshFolder<BacklogResult>("backlog", { url, service, events, warmup: Math.min(events, 10_000) / 2 });
}
