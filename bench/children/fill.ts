// Fills a topic with orders that nobody has handled yet.
import { answer, taskOf } from "../lib/child.ts";
import { orderOf } from "../lib/payload.ts";
import { OrderPlaced, openApp, openAppAt } from "../peers/tidings.ts";

export interface FillTask {
  readonly folder: string;
  /** A database instead of a file in the folder. */
  readonly url?: string;
  readonly events: number;
  readonly keys: number;
}

/** Published together, and so many such batches at once: what publishers of a backlog do to be done soon. */
const batch = 250;
const inFlight = 4;

const { folder, url, events, keys } = taskOf<FillTask>();
const app = await (url === undefined ? openApp(folder, []) : openAppAt(url, [])).start();
let next = 0;

async function loop(): Promise<void> {
  while (next < events) {
    const from = next;
    const count = Math.min(batch, events - from);
    next += count;
    await app.publishAll(Array.from({ length: count }, (_, i) => [OrderPlaced, orderOf(from + i, keys)] as const));
  }
}

await Promise.all(Array.from({ length: inFlight }, loop));
await app.stop();
answer({ events });
