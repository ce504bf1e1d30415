// Publishes at full load and nothing else; says how fast that went.
import { answer, taskOf } from "../lib/child.ts";
import { publishAll, publishBatches } from "../lib/flow.ts";
import { type PeerName, startPeer } from "../peers/peer.ts";

export interface PublishTask {
  readonly peer: PeerName;
  readonly folder: string;
  readonly url: string;
  readonly prefix: string;
  readonly warmup: number;
  readonly events: number;
  readonly inFlight: number;
  readonly batch: number;
  readonly keys: number;
}

export interface PublishResult {
  readonly eventsPerSecond: number;
}

const { peer: name, folder, url, prefix, warmup, events, inFlight, batch, keys } = taskOf<PublishTask>();
const peer = await startPeer(name, { folder, url, prefix, consumes: false, onOrder: () => undefined });

function publish(from: number, count: number): Promise<void> {
  if (batch === 1) return publishAll((order) => peer.publish(order), { from, events: count, inFlight, keys });
  return publishBatches((orders) => peer.publishMany!(orders), { from, events: count, inFlight, batch, keys });
}

await publish(0, warmup);
const began = performance.now();
await publish(warmup, events);
const tookMs = performance.now() - began;
await peer.close();
answer({ eventsPerSecond: (events / tookMs) * 1000 } satisfies PublishResult);
