// Publishes at full load and waits until everything is handled; says how fast that went.
import { monitorEventLoopDelay } from "node:perf_hooks";

import { answer, taskOf } from "../lib/child.ts";
import { counter, publishAll } from "../lib/flow.ts";
import { type PeerName, startPeer } from "../peers/peer.ts";

export interface EndToEndTask {
  readonly peer: PeerName;
  readonly folder: string;
  readonly redis?: string;
  readonly warmup: number;
  readonly events: number;
  readonly inFlight: number;
  readonly keys: number;
}

export interface EndToEndResult {
  readonly eventsPerSecond: number;
  readonly acknowledgedPerSecond: number;
  readonly cpuMicrosPerEvent: number;
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
}

const { peer: name, folder, redis, warmup, events, inFlight, keys } = taskOf<EndToEndTask>();
const handled = counter();
const peer = await startPeer(name, { folder, redis, onOrder: () => handled.add() });

await publishAll((order) => peer.publish(order), { from: 0, events: warmup, inFlight, keys });
await handled.reached(warmup);

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const cpu = process.cpuUsage();
const began = performance.now();
await publishAll((order) => peer.publish(order), { from: warmup, events, inFlight, keys });
const acknowledgedMs = performance.now() - began;
await handled.reached(warmup + events);
const handledMs = performance.now() - began;
const { user, system } = process.cpuUsage(cpu);
delay.disable();
await peer.close();
if (handled.count !== warmup + events) throw new Error(`${handled.count} of ${warmup + events} events were handled.`);

answer({
  eventsPerSecond: (events / handledMs) * 1000,
  acknowledgedPerSecond: (events / acknowledgedMs) * 1000,
  cpuMicrosPerEvent: (user + system) / events,
  delayP99Ms: delay.percentile(99) / 1e6,
  delayMaxMs: delay.max / 1e6,
} satisfies EndToEndResult);
