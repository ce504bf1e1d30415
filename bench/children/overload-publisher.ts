// Publishes when it is time to, whatever became of what was published before, and says what became of each order. All
// times count from the instant at which an order was to be published, so that a late publisher hides nothing.
import { hasCode } from "../../src/index.ts";
import { seededRandom } from "../../src/platform/random.ts";
import { answer, taskOf } from "../lib/child.ts";
import { orderOf } from "../lib/payload.ts";
import { reached, waitFor } from "../lib/rendezvous.ts";
import { sharedMs } from "../lib/time.ts";
import { openApp, OrderPlaced } from "../peers/tidings.ts";

export interface OverloadPublisherTask {
  readonly folder: string;
  readonly keys: number;
  readonly seed: number;
  /** Arrivals for so long at this rate, at random (Poisson), … */
  readonly perSecond: number;
  readonly forMs: number;
  /** … then for so long at that rate. */
  readonly thenPerSecond: number;
  readonly thenForMs: number;
}

export interface OverloadPublisherResult {
  /** When the first order was to be published, and when the second rate began. */
  readonly beganMs: number;
  readonly changedMs: number;
  readonly arrivals: number;
  /** Number of each order that was let in, when it was to be published, and how long its acknowledgement took. */
  readonly accepted: readonly (readonly [n: number, dueMs: number, acknowledgedInMs: number])[];
  /** When each refused order was to be published, how long the answer took from then, and from the call. */
  readonly refused: readonly (readonly [dueMs: number, refusedInMs: number, fromCallMs: number])[];
  readonly residentMaxMiB: number;
}

const { folder, keys, seed, perSecond, forMs, thenPerSecond, thenForMs } = taskOf<OverloadPublisherTask>();
await waitFor(folder, "consuming");
const app = await openApp(folder, []).start();
const random = seededRandom(seed);
const accepted: [number, number, number][] = [];
const refused: [number, number, number][] = [];
const open = new Set<Promise<void>>();

function publishOne(n: number, dueMs: number): void {
  const calledMs = sharedMs();
  const publication = app.publish(OrderPlaced, orderOf(n, keys)).then(
    () => void accepted.push([n, dueMs, sharedMs() - dueMs]),
    (error: unknown) => {
      if (!hasCode(error, "TIDINGS_OVERLOADED")) throw error;
      const nowMs = sharedMs();
      refused.push([dueMs, nowMs - dueMs, nowMs - calledMs]);
    },
  );
  open.add(publication);
  void publication.finally(() => open.delete(publication));
}

const beganMs = sharedMs();
const changedMs = beganMs + forMs;
const endMs = changedMs + thenForMs;

function next(dueMs: number): number {
  const rate = dueMs < changedMs ? perSecond : thenPerSecond;
  const then = dueMs - (Math.log(1 - random.next()) * 1000) / rate;
  // A gap of the first rate does not reach into the time of the second.
  return dueMs < changedMs && then > changedMs && thenForMs > 0 ? changedMs : then;
}

/** A timer every millisecond publishes what is due by then. */
const arrivals = await new Promise<number>((resolve) => {
  let n = 0;
  let dueMs = next(beganMs);
  const timer = setInterval(() => {
    for (const nowMs = sharedMs(); dueMs <= nowMs && dueMs < endMs; dueMs = next(dueMs)) publishOne(n++, dueMs);
    if (dueMs < endMs) return;
    clearInterval(timer);
    resolve(n);
  }, 1);
});
await Promise.all(open);
reached(folder, "published", accepted.length);
await app.stop();

answer({
  beganMs,
  changedMs,
  arrivals,
  accepted,
  refused,
  residentMaxMiB: process.resourceUsage().maxRSS / 1024,
} satisfies OverloadPublisherResult);
