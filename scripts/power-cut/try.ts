// Opens an image with the real engine and checks it: as it is, with new publishes, and at rest after everything is handled.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { App } from "tidings";

import { checkContent } from "./check.ts";
import { type Content, readContent } from "./content.ts";
import { Findings } from "./findings.ts";
import { type Known, placeOf } from "./known.ts";
import { fileName } from "./record.ts";
import { openApp } from "./workload/app.ts";
import { hasOwnId, idOf, Ordered, saidBy } from "./workload/events.ts";
import type { Mark } from "./workload/marks.ts";

export interface Trial {
  readonly folder: string;
  readonly known: Known;
  readonly seed: number;
  /** Whether to let the services run on until everything is handled. */
  readonly finish: boolean;
}

/** Whatever goes wrong is a finding. */
export async function tryImage(trial: Trial): Promise<Findings> {
  const findings = new Findings();
  try {
    await lookAt(findings, trial);
    await verify(findings, trial);
    // Whatever is missing would be missing once more.
    if (trial.finish && findings.none) await finish(findings, trial);
  } catch (error) {
    const { code = "", message } = error as Error & { code?: string };
    findings.add(`it cannot be used: ${code} ${message}`);
  }
  return findings;
}

/** Opens it with nothing running, checks, and publishes. */
async function lookAt(findings: Findings, { folder, known, seed }: Trial): Promise<void> {
  const app = await openApp({ file: join(folder, fileName), seed, say: () => undefined, services: false }).start();
  try {
    const content = await readContent(app);
    checkContent(findings, content, known);
    await publishAnew(findings, app, content);
  } finally {
    await app.stop();
  }
  const left = readdirSync(folder).filter((name) => /-(wal|journal)$/.test(name));
  if (left.length > 0) findings.add(`closing left ${left.join(", ")} behind`);
}

/**
 * Every checksum and SQLite's own check. With the file for itself the engine does this in place; starting its thread
 * for it would take longer than all the rest.
 */
async function verify(findings: Findings, { folder, seed }: Trial): Promise<void> {
  const file = join(folder, fileName);
  const app = await openApp({ file, seed, say: () => undefined, services: false, exclusive: true }).start();
  try {
    const { problems } = await app.engine.verify();
    for (const { place, problem } of problems) findings.add(`verify: ${place}: ${problem}`);
  } finally {
    await app.stop();
  }
}

/** An id that is there is still known, and a new event stands behind the last one. */
async function publishAnew(findings: Findings, app: App, { logs }: Content): Promise<void> {
  const orders = logs.filter(({ topic }) => topic === "orders");
  const before = orders.reduce((sum, { next }) => sum + next, 0);
  for (const { entries } of orders) {
    const known = entries.findLast(({ data }) => hasOwnId(data.n) && data.by !== "new");
    if (known) await app.publish(Ordered, known.data, { id: known.id });
  }
  findings.same("the number of events after publishing known ones", await published(app), before);
  const data = saidBy("new", 0);
  await app.publish(Ordered, data, { id: idOf(data) });
  findings.same("the number of events after publishing a new one", await published(app), before + 1);
}

async function published({ engine }: App): Promise<number> {
  return (await engine.topics.bounds("orders")).reduce((sum, { next }) => sum + next, 0);
}

/** Opens it once more with all services: each event is handled to its end, exactly once. */
async function finish(findings: Findings, { folder, known, seed }: Trial): Promise<void> {
  const again = new Set<string>();
  const say = (...marks: readonly Mark[]): void => {
    for (const mark of marks) {
      if (mark.kind !== "ran") continue;
      const place = placeOf(mark.topic, mark.partition, mark.position);
      if (known.ran.has(place)) again.add(place);
    }
  };
  const app = await openApp({ file: join(folder, fileName), seed, say }).start();
  try {
    const { subscriptions } = await app.settled({ timeoutMs: 60_000 });
    for (const { subscription, pending, heldRetrying } of subscriptions)
      findings.same(`what is left to do for ${subscription}`, [pending, heldRetrying], [0, 0]);
    const content = await readContent(app);
    const tried = new Map([...known.tried, ["orders/new", 0] as const]);
    checkContent(findings, content, { ...known, tried, started: true }, true);
    const [orders, effects] = ["orders", "effects"].map((name) =>
      content.logs.filter(({ topic }) => topic === name).reduce((sum, { entries }) => sum + entries.length, 0),
    );
    findings.same("the number of effects, in the end", effects, orders);
  } finally {
    await app.stop();
  }
  for (const place of again) findings.add(`the handler of ${place}, which runs at most once, ran again`);
}
