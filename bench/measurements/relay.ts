import type { RelayResult } from "../children/relay.ts";
import { lineOf } from "../lib/line.ts";
import { payloadBytes } from "../lib/payload.ts";
import { alternate, keys, type Measurement } from "../lib/run.ts";

/** How fast events get from an outbox to a broker, against a loop that polls, publishes and notes how far it is. */
export const relay: Measurement = {
  name: "relay",
  needs: { tidings: "postgres", broker: "redisSynced" },
  async run(run) {
    const events = run.size(50_000, 1000);
    const redisUrl = run.urls.redisSynced as string;
    const task = (peer: string) => () => run.inFreshDatabase<RelayResult>("relay", { peer, redisUrl, events, keys });
    const results = await alternate(run, "relay", { tidings: task("tidings"), bare: task("bare") });
    const rates = (peer: string): number[] => (results[peer] ?? []).map(({ eventsPerSecond }) => eventsPerSecond);
    return [
      lineOf({
        name: "relay",
        unit: "events/s",
        better: "higher",
        values: rates("tidings"),
        settings: {
          store: "postgres",
          broker: "redis",
          durability: "both sync before they acknowledge (synchronous_commit=on, appendfsync=always)",
          payloadBytes,
          keys,
          events,
          page: 512,
          tidings: "four partitions of the outbox, stamped, checksums, in order of the keys",
        },
        peer: { name: "bare", values: rates("bare") },
      }),
    ];
  },
};
