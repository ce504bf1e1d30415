// Publishes at a steady rate, whatever has been acknowledged, and notes how long each order took to reach the handler.
import { answer, taskOf } from "../lib/child.ts";
import { counter } from "../lib/flow.ts";
import { orderOf } from "../lib/payload.ts";
import { percentile } from "../lib/stats.ts";
import { type PeerName, startPeer } from "../peers/peer.ts";

export interface LatencyTask {
  readonly peer: PeerName;
  readonly folder: string;
  readonly url?: string;
  /** What the names of everything on a broker begin with. */
  readonly prefix?: string;
  readonly store?: boolean;
  readonly perSecond: number;
  readonly warmup: number;
  readonly events: number;
  readonly keys: number;
}

export interface LatencyResult {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly acknowledgedP50Ms: number;
  readonly acknowledgedP99Ms: number;
}

const { peer: name, folder, url, prefix, store, perSecond, warmup, events, keys } = taskOf<LatencyTask>();
const publishedAt: number[] = [];
const latencies: number[] = [];
const acknowledged: number[] = [];
const handled = counter();
const peer = await startPeer(name, {
  folder,
  url,
  ...(prefix && { prefix }),
  ...(store && { store }),
  onOrder({ n }) {
    if (n >= warmup) latencies.push(performance.now() - (publishedAt[n] as number));
    handled.add();
  },
});

const publications: Promise<unknown>[] = [];

function publishOne(n: number): void {
  const at = performance.now();
  publishedAt[n] = at;
  const publication = peer.publish(orderOf(n, keys));
  if (n >= warmup) publications.push(publication.then(() => acknowledged.push(performance.now() - at)));
  else publications.push(publication);
}

/** A timer every millisecond publishes what is due by then. */
function publishSteadily(): Promise<void> {
  const began = performance.now();
  let n = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(warmup + events, Math.floor(((performance.now() - began) / 1000) * perSecond));
      while (n < due) publishOne(n++);
      if (n < warmup + events) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
}

await publishSteadily();
await Promise.all(publications);
await handled.reached(warmup + events);
await peer.close();

answer({
  p50Ms: percentile(latencies, 50),
  p99Ms: percentile(latencies, 99),
  acknowledgedP50Ms: percentile(acknowledged, 50),
  acknowledgedP99Ms: percentile(acknowledged, 99),
} satisfies LatencyResult);
