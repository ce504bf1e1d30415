import assert from "node:assert/strict";
import { type Context, service, type Service, TerminalError, topic } from "tidings";
import { testApp, type TestAppOptions } from "tidings/testing";
import { z } from "zod";
import { collections } from "../../../src/delivery/records.ts";
import type { RedriveFilter } from "../../../src/delivery/redrive/documents.ts";
import type { RedriveOptions } from "../../../src/admin/redrive-options.ts";
import type { RedriveReport } from "../../../src/admin/redrives.ts";
import type { TestKit } from "../../../src/testing/kit.ts";

export const jobs = topic("jobs", {
  key: (data: { key: string | null }) => data.key,
  partitions: 2,
});
export const Queued = jobs.event("job.queued", {
  data: z.object({ key: z.string().nullable(), n: z.number(), kind: z.string().optional() }),
});

/** What the worker does, and what it has done. */
export interface Work {
  /** Which jobs fail now. */
  fails: (n: number) => boolean;
  /** In the order of success. */
  readonly done: number[];
  /** Every start of a handler. */
  readonly begun: number[];
  during?: (n: number, ctx: Context) => void | Promise<void>;
}

export const work = (): Work => ({ fails: () => true, done: [], begun: [] });

/** A service whose handlers fail at once for good when the work says so. */
export function worker(how: Work, options: Parameters<typeof service>[1] = {}): Service {
  return service("worker", { from: "start", retry: { immediateMs: [], delayedMs: [] }, ...options }).on(
    Queued,
    async ({ data: { n, kind } }, ctx) => {
      how.begun.push(n);
      await how.during?.(n, ctx);
      if (how.fails(n)) throw new TerminalError(`${kind ?? "it"} is broken`);
      how.done.push(n);
      const times = ctx.state<number>("times");
      times.set(String(n), ((await times.get(String(n))) ?? 0) + 1);
    },
  );
}

/** Publishes jobs in pages; each has a key of its own unless `keyOf` says otherwise. */
export async function queue(
  kit: TestKit,
  count: number,
  keyOf: (n: number) => string | null = (n) => `k${n}`,
): Promise<void> {
  for (let from = 0; from < count; from += 1000) {
    const page = Array.from({ length: Math.min(1000, count - from) }, (_, i) => from + i);
    await kit.given(...page.map((n) => [Queued, { key: keyOf(n), n }] as const));
  }
}

/** A kit in which so many jobs have become dead letters. */
export async function broken(
  count: number,
  options: Partial<TestAppOptions> & { readonly keyOf?: (n: number) => string | null; readonly how?: Work } = {},
): Promise<{ readonly kit: TestKit; readonly how: Work }> {
  const { keyOf, how = work(), ...rest } = options;
  const kit = await testApp({ services: [worker(how)], ...rest });
  await queue(kit, count, keyOf);
  how.begun.length = 0;
  return { kit, how };
}

/** Begins a redrive; it has not moved anything yet. */
export function begin(kit: TestKit, filter: RedriveFilter, options: RedriveOptions = {}): Promise<RedriveReport> {
  return kit.when(() => kit.app.admin.redrives.start(filter, options));
}

/** Lets time pass until the redrive is over. */
export async function untilOver(kit: TestKit, id: string, seconds = 300): Promise<RedriveReport> {
  for (let second = 0; second < seconds; second++) {
    const report = await kit.app.admin.redrives.show(id);
    if (report.endedAtMs !== undefined) return report;
    await kit.advance("1s");
  }
  throw new Error(`the redrive is not over: ${JSON.stringify(await kit.app.admin.redrives.show(id))}`);
}

/** What a report says adds up, and promise P3 holds for the subscription. */
export async function assertExact(kit: TestKit, report: RedriveReport): Promise<void> {
  const { covered, moved, skipped, underWay, succeeded, failedAgain, setAside } = report;
  assert.equal(report.remaining + skipped + moved, covered);
  assert.equal(underWay + succeeded + failedAgain + setAside, moved);
  const { equation } = await kit.app.admin.subscriptions.show("worker");
  assert.ok(equation.holds, JSON.stringify(equation));
}

/** How often each job had its effect. */
export async function effects(kit: TestKit): Promise<readonly number[]> {
  const state = kit.app.engine.state as NonNullable<typeof kit.app.engine.state>;
  const documents = await state.scan(collections.state("worker", "times"), { limit: 100_000 });
  return documents.map(({ value }) => JSON.parse(value) as number);
}

/** Whether an error has the code. */
export const code = (expected: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, expected, String((error as Error).message));
  return true;
};
