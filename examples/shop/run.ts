// One process of the shop, from start to summary.
import { setTimeout as sleep } from "node:timers/promises";
import { type App, TidingsError } from "tidings";

import { choosePoisoned, Faults } from "./faults.ts";
import { publishTimeline } from "./feed/publish.ts";
import type { Timeline } from "./feed/timeline.ts";
import { summarize, type Summary } from "./figures.ts";
import type { Link } from "./link.ts";
import { listTrouble, redriveAll } from "./mend.ts";
import type { Options } from "./options.ts";
import { patiently } from "./patience.ts";
import { Progress } from "./progress.ts";
import { printSummary, printTrouble } from "./report.ts";
import { feed, type FeedMark, feedMarks } from "./services/feed.ts";
import { openShop } from "./shop.ts";

export interface Run {
  readonly options: Options;
  readonly timeline: Timeline;
  readonly link: Link;
  /** Aborts with the name of a signal as the reason. */
  readonly signal: AbortSignal;
}

/** Resolves with the exit status: 0 when everything was handled, 7 when dead letters or pending events remain. */
export async function runShop(run: Run): Promise<number> {
  const { options, timeline, link, signal } = run;
  const { fail, poison, seed, url } = options;
  const faults = new Faults({ rate: fail, seed, poisoned: choosePoisoned(timeline.orderIds, poison, seed) });
  link.onMend(() => faults.mend());
  if (link.duty.mended) faults.mend();
  const app = openShop({ url, faults, signal });
  try {
    await app.start();
    link.ready();
    if (link.duty.leads) return await lead(run, app);
    await until(signal);
    return 0;
  } catch (error) {
    if (!signal.aborted) throw error;
    if (link.duty.leads)
      process.stderr.write("Stopped. Started again with the same options, the shop goes on where it was.\n");
    return signal.reason === "SIGINT" ? 130 : 143;
  } finally {
    await app.stop();
  }
}

/** Feeds the shop, waits for it to come to rest, repairs what is poisoned, and sums up. */
async function lead({ options, timeline, link, signal }: Run, app: App): Promise<number> {
  const progress = new Progress(app);
  try {
    progress.doing("finishing what was begun");
    await patiently(() => app.settled({ signal }), signal);
    const from = (await markOf(app, timeline)).published;
    const complete = from === timeline.facts.length;
    if (from > 0 && !complete) progress.say(`Going on behind event ${from} of ${timeline.facts.length} of the feed.`);
    progress.doing("feeding");
    const advanced = (_: number, timeMs: number): void =>
      progress.doing(`feeding ${new Date(timeMs).toISOString().slice(0, 10)}`);
    await publishTimeline(app, timeline, { from, speed: options.speed, signal, advanced });
    progress.doing("handling");
    await patiently(() => app.settled({ signal }), signal);
    if (options.poison > 0) await repair(options, link, app, progress, signal);
    const summary = await patiently(() => summarize(app), signal);
    await link.mayFinish();
    progress.stop();
    const { restarted, beganMs } = link.duty;
    const seconds = (Date.now() - beganMs) / 1000;
    const again = complete && !restarted;
    await printSummary(summary, { options, again, seconds });
    return statusOf(summary);
  } finally {
    progress.stop();
  }
}

/** The deployment of a mended handler, and the redrive that follows it. */
async function repair(options: Options, link: Link, app: App, progress: Progress, signal: AbortSignal): Promise<void> {
  const trouble = await listTrouble(app, 1000);
  // An earlier run has repaired it all.
  if (trouble.length === 0) return;
  progress.say("The handler fails for good on some orders.");
  await printTrouble(trouble, options);
  await link.mend();
  progress.doing("redriving");
  const redriven = await redriveAll(app, signal);
  progress.say(`The handler is mended, and ${redriven} dead letters were redriven.`);
}

/** How far the feed has come on this file. Throws when the file holds the orders of another feed. */
async function markOf(app: App, { feed: id, name }: Timeline): Promise<{ published: number }> {
  let mark: FeedMark | undefined;
  for await (const [key, each] of app.state<FeedMark>(feed.name, feedMarks).entries()) {
    if (key !== id) {
      throw new TidingsError(
        "TIDINGS_INVALID_INPUT",
        `The shop's file holds the orders of another feed (${each.name}) and cannot take those of ${name}: choose another --url, or --fresh to begin anew.`,
      );
    }
    mark = each;
  }
  return { published: mark?.published ?? 0 };
}

function statusOf({ deadLetters, pending }: Summary): number {
  if (deadLetters === 0 && pending === 0) return 0;
  process.stderr.write(`There are ${deadLetters} dead letters and ${pending} pending events left.\n`);
  return 7;
}

/** Resolves when the signal aborts; holds the process open until then. */
async function until(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await sleep(60_000, undefined, { signal }).catch(() => undefined);
}
