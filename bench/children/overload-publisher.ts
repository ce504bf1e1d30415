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
/** Columns of numbers instead of rows: what is measured should not wait for the garbage of measuring. */
const accepted = { n: [] as number[], dueMs: [] as number[], tookMs: [] as number[] };
const refused = { dueMs: [] as number[], tookMs: [] as number[], fromCallMs: [] as number[] };
let unanswered = 0;
let allAnswered = (): void => undefined;

function answered(): void {
  unanswered -= 1;
  if (unanswered === 0) allAnswered();
}

function publishOne(n: number, dueMs: number): void {
  const calledMs = sharedMs();
  unanswered += 1;
  app.publish(OrderPlaced, orderOf(n, keys)).then(
    () => {
      accepted.n.push(n);
      accepted.dueMs.push(dueMs);
      accepted.tookMs.push(sharedMs() - dueMs);
      answered();
    },
    (error: unknown) => {
      if (!hasCode(error, "TIDINGS_OVERLOADED")) throw error;
      const nowMs = sharedMs();
      refused.dueMs.push(dueMs);
      refused.tookMs.push(nowMs - dueMs);
      refused.fromCallMs.push(nowMs - calledMs);
      answered();
    },
  );
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
if (unanswered > 0) await new Promise<void>((resolve) => (allAnswered = resolve));
reached(folder, "published", accepted.n.length);
await app.stop();

// Before the answer is put together, which takes memory of its own.
const residentMaxMiB = process.resourceUsage().maxRSS / 1024;

answer({
  beganMs,
  changedMs,
  arrivals,
  accepted: accepted.n.map((n, i) => [n, accepted.dueMs[i] as number, accepted.tookMs[i] as number]),
  refused: refused.dueMs.map((dueMs, i) => [dueMs, refused.tookMs[i] as number, refused.fromCallMs[i] as number]),
  residentMaxMiB,
} satisfies OverloadPublisherResult);
