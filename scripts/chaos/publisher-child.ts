// Some of the publishers: each has its events and publishes them over a time. Most of them repeat under the same id what was
// not acknowledged, and hold the next event of the key until then. Every fourth never repeats and never waits: its events have
// no id of their own, so that a repetition by anybody would show.
import { setTimeout as sleep } from "node:timers/promises";
import { type App, TidingsError } from "tidings";

import { idOf, numberedOf } from "../crash/publish.ts";
import { acknowledge, ready, say, taskOfThisProcess } from "../crash/speak.ts";
import { Counted, keyCount, openChaos } from "./app.ts";
import { neverRepeats } from "./published.ts";

export interface PublisherTask {
  readonly url: string;
  /** Of all publishers, those of this process. */
  readonly own: readonly number[];
  readonly publishers: number;
  /** Events of each. */
  readonly events: number;
  /** Over how long they are spread. */
  readonly spreadMs: number;
}

const everyMs = 25;
const againMs = 100;
/** Most publishes of one publisher that wait for their acknowledgement. */
const inFlightMax = 40;
/** What says that a publish certainly did not take effect. */
const refusals: readonly string[] = ["TIDINGS_UNREACHABLE", "TIDINGS_BUSY", "TIDINGS_OVERLOADED"];

const { url, own, publishers, events, spreadMs } = await taskOfThisProcess<PublisherTask>();
/** By key, the last publish that others wait for. */
const turns = new Map<string, Promise<void>>();
const app: App = await openChaos({ url }).start();
/** When the pace began; the first signal begins it, and the second one ends all waiting. */
let beganMs: number | undefined;
let isHurried = false;
process.on("SIGUSR2", () => {
  if (beganMs === undefined) beganMs = performance.now();
  else isHurried = true;
});
ready();
await Promise.all(own.map((publisher) => publishAll(publisher)));
await app.stop();

/** As many as are due; what could not be published in time is caught up with. */
async function publishAll(publisher: number): Promise<void> {
  const one = neverRepeats(publisher) ? publishOnce : publishUntilAcknowledged;
  const inFlight = new Set<Promise<void>>();
  for (let n = 0; n < events;) {
    for (const due = dueNow(); n < due && inFlight.size < inFlightMax; n++) {
      const publication = one(publisher, n).finally(() => inFlight.delete(publication));
      inFlight.add(publication);
    }
    await sleep(everyMs);
  }
  await Promise.all(inFlight);
}

function dueNow(): number {
  if (isHurried) return events;
  if (beganMs === undefined) return 0;
  return Math.min(events, Math.ceil(((performance.now() - beganMs) / spreadMs) * events));
}

async function publishOnce(publisher: number, n: number): Promise<void> {
  const number = n * publishers + publisher;
  try {
    await app.publish(Counted, numberedOf(publisher, n, keyCount));
    acknowledge(number);
  } catch (error) {
    const code = codeOf(error);
    if (code !== "TIDINGS_OUTCOME_UNKNOWN") say(`refused ${number}`);
    // Refused at once, it would run through all its events in a moment.
    await sleep(1_000);
  }
}

function publishUntilAcknowledged(publisher: number, n: number): Promise<void> {
  const data = numberedOf(publisher, n, keyCount);
  const turn = (turns.get(data.key) ?? Promise.resolve()).then(async () => {
    for (;;) {
      try {
        await app.publish(Counted, data, { id: idOf(data) });
        return acknowledge(n * publishers + publisher);
      } catch (error) {
        codeOf(error);
        await sleep(againMs);
      }
    }
  });
  turns.set(data.key, turn);
  return turn;
}

/** Anything but a refusal or an unknown outcome is nothing that a fault may bring. */
function codeOf(error: unknown): string {
  const code = error instanceof TidingsError ? error.code : "";
  if (code !== "TIDINGS_OUTCOME_UNKNOWN" && !refusals.includes(code)) {
    console.error(error);
    process.exit(1);
  }
  say(`error ${code}`);
  return code;
}
