// Publishes at full load and waits until everything is handled; says how fast that went.
import { monitorEventLoopDelay } from "node:perf_hooks";

import { answer, taskOf } from "../lib/child.ts";
import { counter, publishAll, publishBatches } from "../lib/flow.ts";
import { meterOf, type Spent } from "../lib/meter.ts";
import { ask } from "../lib/postgres.ts";
import { type PeerName, startPeer } from "../peers/peer.ts";

export interface EndToEndTask {
  readonly peer: PeerName;
  readonly folder: string;
  readonly url?: string;
  /** What the names of everything on a broker begin with. */
  readonly prefix?: string;
  readonly store?: boolean;
  readonly warmup: number;
  readonly events: number;
  /** Calls that are not acknowledged yet. */
  readonly inFlight: number;
  /** Orders of each call; 1 unless given. */
  readonly batch?: number;
  readonly keys: number;
}

export interface EndToEndResult {
  readonly eventsPerSecond: number;
  readonly acknowledgedPerSecond: number;
  readonly cpuMicrosPerEvent: number;
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
  /** What it took of a PostgreSQL. */
  readonly spent?: Spent;
}

const { peer: name, folder, url, prefix, store, warmup, events, inFlight, batch = 1, keys } = taskOf<EndToEndTask>();
const handled = counter();
const onPostgres = url?.startsWith("postgres") ? url : undefined;
const meter = onPostgres === undefined ? undefined : meterOf(onPostgres);
const peer = await startPeer(name, {
  folder,
  url,
  ...(prefix && { prefix }),
  ...(store && { store }),
  onOrder: () => handled.add(),
});

function publish(from: number, count: number): Promise<void> {
  if (batch === 1) return publishAll((order) => peer.publish(order), { from, events: count, inFlight, keys });
  return publishBatches((orders) => peer.publishMany!(orders), { from, events: count, inFlight, batch, keys });
}

await publish(0, warmup);
await handled.reached(warmup);
// Tables that grow this fast are planned as empty ones until somebody has looked: pg-boss fetches ten times slower.
if (onPostgres !== undefined) await ask(onPostgres, "ANALYZE");
await meter?.begin();

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const cpu = process.cpuUsage();
const began = performance.now();
await publish(warmup, events);
const acknowledgedMs = performance.now() - began;
await handled.reached(warmup + events);
const handledMs = performance.now() - began;
const { user, system } = process.cpuUsage(cpu);
delay.disable();
const spent = await meter?.end();
await peer.close();
if (handled.count !== warmup + events) throw new Error(`${handled.count} of ${warmup + events} events were handled.`);

answer({
  eventsPerSecond: (events / handledMs) * 1000,
  acknowledgedPerSecond: (events / acknowledgedMs) * 1000,
  cpuMicrosPerEvent: (user + system) / events,
  delayP99Ms: delay.percentile(99) / 1e6,
  delayMaxMs: delay.max / 1e6,
  ...(spent && { spent }),
} satisfies EndToEndResult);
