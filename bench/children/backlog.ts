// Consumes what lies in a topic, and says how fast that goes once the code is warm, and how much memory it takes.
import { answer, taskOf } from "../lib/child.ts";
import { counter } from "../lib/flow.ts";
import { handling, openApp, openAppAt } from "../peers/tidings.ts";

export interface BacklogTask {
  readonly folder: string;
  /** A database instead of a file in the folder. */
  readonly url?: string;
  /** Name of the service that consumes. */
  readonly service?: string;
  /** Events of the backlog; the first `warmup` of them are not measured. */
  readonly events: number;
  readonly warmup: number;
}

export interface BacklogResult {
  readonly eventsPerSecond: number;
  readonly cpuMicrosPerEvent: number;
  readonly residentMaxMiB: number;
}

const { folder, url, service, events, warmup } = taskOf<BacklogTask>();
const handled = counter();
let warmAt = 0;
let warmCpu = process.cpuUsage();
const consumer = handling(() => {
  handled.add();
  if (handled.count === warmup) {
    warmAt = performance.now();
    warmCpu = process.cpuUsage();
  }
}, service);
const app = url === undefined ? openApp(folder, [consumer]) : openAppAt(url, [consumer]);
await app.start();
await handled.reached(events);
const seconds = (performance.now() - warmAt) / 1000;
const { user, system } = process.cpuUsage(warmCpu);
const { subscriptions } = await app.settled({ timeoutMs: 60_000 });
const [totals] = subscriptions;
if (totals?.handled !== events || handled.count !== events)
  throw new Error(`${totals?.handled} of ${events} events are counted as handled, and ${handled.count} were.`);
await app.stop();

answer({
  eventsPerSecond: (events - warmup) / seconds,
  cpuMicrosPerEvent: (user + system) / (events - warmup),
  residentMaxMiB: process.resourceUsage().maxRSS / 1024,
} satisfies BacklogResult);
