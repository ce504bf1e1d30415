import { sleep } from "../platform/clock.ts";
import { systemPlatform } from "../platform/system.ts";
import { envOf } from "./env.ts";
import type { Case, Opened, Suite } from "./suite.ts";
import { suites as allSuites } from "./suites.ts";

/** Makes an engine to test, on data of its own. */
export type Open = () => Promise<Opened>;

/** Title of a case to the reason why an engine does not pass it. */
export type Skips = Readonly<Record<string, string>>;

/** The caller's test function, as of node:test, vitest or mocha; what it hands over may have a `skip(reason)`. */
export type Test = (title: string, run: (context?: unknown) => Promise<void>) => unknown;

/** How one case went. */
export interface CaseResult {
  readonly title: string;
  readonly port: string;
  readonly status: "passed" | "failed" | "skipped";
  /** Why it was skipped or failed. */
  readonly reason?: string;
  readonly error?: unknown;
  readonly durationMs: number;
}

/** How all of them went. */
export interface ConformanceReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Why cases were skipped: the reason to the titles. */
  readonly reasons: Readonly<Record<string, readonly string[]>>;
  readonly failures: readonly CaseResult[];
}

export interface RunOptions {
  readonly skips?: Skips;
  /** The suites to run; all by default. */
  readonly suites?: readonly Suite[];
  /** How long one case may take. */
  readonly caseTimeoutMs?: number;
}

interface Plan extends RunOptions {
  readonly suite: Suite;
  readonly one: Case;
  readonly open: Open;
}

/** Hands every case to the caller's runner. Throws on a skip of an unknown case or without a reason. */
export function runSuites(options: RunOptions & { readonly test: Test; readonly open: Open }): void {
  for (const plan of plans(options)) {
    options.test(titleOf(plan.suite, plan.one), async (context) => {
      const reason = await runCase(plan);
      if (reason !== undefined) (context as { skip?: (reason: string) => void } | undefined)?.skip?.(reason);
    });
  }
}

/** Runs every case one after the other, without a runner. */
export async function runConformance(
  open: Open,
  options: RunOptions & {
    readonly onCase?: (result: CaseResult) => void;
    /** Ends the run after so many failures. */
    readonly failuresMax?: number;
  } = {},
): Promise<ConformanceReport> {
  const results: CaseResult[] = [];
  const by = (status: CaseResult["status"]): CaseResult[] => results.filter((result) => result.status === status);
  for (const plan of plans({ ...options, open })) {
    const result = await resultOf(plan);
    results.push(result);
    options.onCase?.(result);
    if (by("failed").length >= (options.failuresMax ?? Infinity)) break;
  }
  const skipped = by("skipped");
  const reasons = Object.groupBy(skipped, (result) => result.reason ?? "");
  return {
    passed: by("passed").length,
    failed: by("failed").length,
    skipped: skipped.length,
    reasons: Object.fromEntries(Object.entries(reasons).map(([why, of]) => [why, (of ?? []).map((r) => r.title)])),
    failures: by("failed"),
  };
}

/** What names a case in reports and skip lists. */
export const titleOf = (suite: Suite, one: Case): string => `${suite.port}: ${one.name}`;

function plans(options: RunOptions & { readonly open: Open }): Plan[] {
  const { suites = allSuites, skips = {} } = options;
  const found = suites.flatMap((suite) => suite.cases.map((one) => ({ ...options, suite, one })));
  const titles = new Set(found.map(({ suite, one }) => titleOf(suite, one)));
  if (titles.size < found.length) throw new Error("Two conformance cases have the same title.");
  for (const [title, reason] of Object.entries(skips)) {
    if (!titles.has(title)) throw new Error(`The skip list names "${title}", which is no conformance case.`);
    if (reason.trim() === "") throw new Error(`The skip list gives no reason for "${title}".`);
  }
  return found;
}

async function resultOf(plan: Plan): Promise<CaseResult> {
  const { clock } = systemPlatform();
  const began = clock.monotonic();
  const base = { title: titleOf(plan.suite, plan.one), port: plan.suite.port };
  try {
    const reason = await runCase(plan);
    const durationMs = clock.monotonic() - began;
    return reason === undefined
      ? { ...base, status: "passed", durationMs }
      : { ...base, status: "skipped", reason, durationMs };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...base, status: "failed", reason, error, durationMs: clock.monotonic() - began };
  }
}

/** Runs a case on an engine of its own and resolves with the reason when it was skipped. */
async function runCase({ suite, one, open, skips = {}, caseTimeoutMs = 120_000 }: Plan): Promise<string | undefined> {
  const opened = await open();
  const over = new AbortController();
  try {
    const offer = { capabilities: opened.engine.capabilities, opened };
    const missing = suite.needs?.(offer) ?? one.needs?.(offer);
    if (missing !== undefined) return missing;
    const skip = skips[titleOf(suite, one)];
    if (skip !== undefined && one.needs) {
      throw new Error(`The engine declares what this case needs, so it cannot be skipped (reason given: ${skip}).`);
    }
    if (skip !== undefined) return skip;
    await within(caseTimeoutMs, one.run(envOf(opened, over.signal)));
    return undefined;
  } finally {
    over.abort(new Error("The case is over."));
    await within(caseTimeoutMs, opened.close());
  }
}

async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  const over = new AbortController();
  const late = sleep(systemPlatform().clock, timeoutMs, over.signal).then(
    () => Promise.reject(new Error(`The case, or closing after it, did not end within ${timeoutMs} ms.`)),
    () => undefined,
  );
  try {
    await Promise.race([work, late]);
  } finally {
    over.abort();
  }
}
