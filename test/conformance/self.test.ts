import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import test from "node:test";

import { openMemory } from "../../scripts/conformance/engines.ts";
import { type Case, runConformance, runSuites, type Suite, suites } from "../../src/conformance/index.ts";
import { faults, openBroken } from "./support/broken.ts";

for (const [fault, [port, breakIt]] of Object.entries(faults)) {
  test(`an engine that ${fault} is caught by the ${port} suite`, async () => {
    const suite = suites.find((one) => one.port === port)!;
    const cases = suite.cases.filter(({ name }) => !/10,000|thousand/.test(name));
    const one = { suites: [{ ...suite, cases }], caseTimeoutMs: 8000, failuresMax: 1 };
    const report = await runConformance(openBroken(breakIt), one);
    equal(report.failed, 1, "no case has caught it");
  });
}

test("there are at least 90 cases, each with a title of its own", () => {
  const names = suites.flatMap(({ port, cases }) => cases.map(({ name }) => `${port}: ${name}`));
  ok(names.length >= 90);
  equal(new Set(names).size, names.length);
});

const passing: Case = { name: "passes", run: async () => undefined };
const suiteOf = (...cases: readonly Case[]): readonly Suite[] => [{ port: "toy", cases }];
const run = (cases: readonly Case[], skips: Record<string, string> = {}) =>
  runConformance(openMemory, { suites: suiteOf(...cases), skips });

test("a report counts what passed, failed and was skipped, with reasons", async () => {
  const failing: Case = { name: "fails", run: () => Promise.reject(new Error("as planned")) };
  const missing: Case = { ...passing, name: "needs more", needs: () => "there is no more" };
  const skipped: Case = { ...failing, name: "skipped" };
  const report = await run([passing, failing, missing, skipped], { "toy: skipped": "known" });
  deepEqual([report.passed, report.failed, report.skipped], [1, 1, 2]);
  deepEqual(report.reasons, { "there is no more": ["toy: needs more"], known: ["toy: skipped"] });
  deepEqual(
    report.failures.map(({ title, reason }) => [title, reason]),
    [["toy: fails", "as planned"]],
  );
});

test("a skip list may not name what is unknown, and gives a reason for each entry", async () => {
  await rejects(run([passing], { "toy: passses": "typing error" }), /no conformance case/);
  await rejects(run([passing], { "toy: passes": " " }), /no reason/);
  throws(() => runSuites({ test, open: openMemory, skips: { nothing: "x" } }), /no conformance case/);
});

test("what a capability declares cannot be skipped", async () => {
  const declared: Case = { ...passing, needs: () => undefined };
  const report = await run([declared], { "toy: passes": "we would rather not" });
  equal(report.failed, 1);
});

test("a case that hangs fails after its time", async () => {
  const hanging: Case = { name: "hangs", run: () => new Promise(() => undefined) };
  const report = await runConformance(openMemory, { suites: suiteOf(hanging), caseTimeoutMs: 20 });
  equal(report.failed, 1);
});

test("cases are handed to a runner of any kind, with a skip where it has one", async () => {
  const missing: Case = { ...passing, name: "needs more", needs: () => "there is no more" };
  const jobs: [string, (context?: unknown) => Promise<void>][] = [];
  const take = (title: string, job: (context?: unknown) => Promise<void>) => jobs.push([title, job]);
  runSuites({ test: take, open: openMemory, suites: suiteOf(passing, missing) });
  const skips: unknown[] = [];
  for (const [, job] of jobs) await job({ skip: (reason: unknown) => skips.push(reason) });
  await jobs[1]![1]();
  deepEqual([jobs.map(([title]) => title), skips], [["toy: passes", "toy: needs more"], ["there is no more"]]);
});
