// Handles what waits on a broker, by a handler that takes its time; says how fast that went. Fails where the order of a key is broken.
import { setTimeout } from "node:timers/promises";

import { answer, taskOf } from "../lib/child.ts";
import { counter, publishAll } from "../lib/flow.ts";
import type { Order } from "../lib/payload.ts";
import { type PeerName, startPeer } from "../peers/peer.ts";

export interface LanesTask {
  readonly peer: PeerName;
  readonly folder: string;
  readonly url: string;
  readonly prefix: string;
  readonly store?: boolean;
  readonly warmup: number;
  readonly events: number;
  readonly keys: number;
  readonly handlerMs: number;
}

export interface LanesResult {
  readonly eventsPerSecond: number;
}

const { peer: name, folder, url, prefix, store = false, warmup, events, keys, handlerMs } = taskOf<LanesTask>();
const handled = counter();
const running = new Set<string>();
const last = new Map<string, number>();
let broken: string | undefined;

async function handle({ orderId, n }: Order): Promise<void> {
  const before = last.get(orderId) ?? -1;
  if (running.has(orderId)) broken ??= `${n} of ${orderId} began while ${before} ran`;
  if (n <= before) broken ??= `${n} of ${orderId} came after ${before}`;
  last.set(orderId, n);
  running.add(orderId);
  await setTimeout(handlerMs);
  running.delete(orderId);
  handled.add();
}

const onOrder = (): void => undefined;
const publisher = await startPeer(name, { folder, url, prefix, consumes: false, keeps: true, onOrder });
await publishAll((order) => publisher.publish(order), { from: 0, events: warmup + events, inFlight: 500, keys });
await publisher.close();

const peer = await startPeer(name, { folder, url, prefix, store, onOrder, handle });
await handled.reached(warmup);
const began = performance.now();
await handled.reached(warmup + events);
const tookMs = performance.now() - began;
await peer.close();
if (broken !== undefined) throw new Error(`The order of a key is broken: ${broken}.`);
if (handled.count !== warmup + events) throw new Error(`${handled.count} of ${warmup + events} events were handled.`);

answer({ eventsPerSecond: (events / tookMs) * 1000 } satisfies LanesResult);
