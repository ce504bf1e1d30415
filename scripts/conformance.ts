// Runs the conformance suites on engines, and writes their page.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import {
  type CaseResult,
  type ConformanceReport,
  runConformance,
  type Suite,
  suites,
} from "../src/conformance/index.ts";
import type { Capabilities } from "../src/ports/capabilities.ts";
import { type Binding, bindings, engines } from "./conformance/engines.ts";
import { conformancePage, type EngineResult } from "./conformance/page.ts";
import { isUsageError, UsageError } from "./usage.ts";

const usage = `npm run conformance -- [--engine NAME --binding NAME --only TEXT --json --write]

  --engine NAME    ${Object.keys(engines).join(", ")}, or all (without a word)
  --binding NAME   the library that opens files of SQLite: ${bindings.join(", ")}, or all (the first)
  --only TEXT      only cases whose title ("topics: ...") contains it
  --json           a line of JSON for each engine on the standard output
  --write          writes docs/engines/conformance.md; with all engines and cases only
`;

interface Options {
  readonly engine: string;
  readonly binding: string;
  readonly only: string;
  readonly json: boolean;
  readonly write: boolean;
}

const results: EngineResult[] = [];

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      engine: { type: "string", default: "all" },
      binding: { type: "string", default: "node:sqlite" },
      only: { type: "string", default: "" },
      json: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const chosen = pick("engine", values.engine, Object.keys(engines) as (keyof typeof engines)[]);
  const chosenBindings = pick("binding", values.binding, bindings);
  if (values.write && (values.engine !== "all" || values.only !== ""))
    throw new UsageError("--write goes with all engines and cases only: the page of one would take the place of all.");
  if (!suites.some((suite) => casesOf(suite, values.only).length > 0))
    throw new UsageError(`--only: no case has "${values.only}" in its title.`);
  let failed = 0;
  for (const engine of chosen)
    for (const binding of engine === "sqlite" ? chosenBindings : chosenBindings.slice(0, 1))
      failed += await runOn(engine, binding, values);
  if (values.write && failed === 0) {
    const path = join(import.meta.dirname, "../docs/engines/conformance.md");
    writeFileSync(path, await conformancePage(results));
  } else if (values.write) console.error("Cases have failed: the page was not written.");
  return failed > 0 ? 1 : 0;
}

const casesOf = ({ port, cases }: Suite, only: string) => cases.filter(({ name }) => `${port}: ${name}`.includes(only));

async function runOn(engine: keyof typeof engines, binding: Binding, { only, json }: Options): Promise<number> {
  const name = engine === "sqlite" && binding !== "node:sqlite" ? `${engine} (${binding})` : engine;
  const total = { passed: 0, failed: 0, skipped: 0 };
  const reasons: Record<string, readonly string[]> = {};
  const reports = new Map<Suite["port"], ConformanceReport>();
  for (const suite of suites) {
    const cases = casesOf(suite, only);
    if (cases.length === 0) continue;
    const began = performance.now();
    const report = await runConformance(engines[engine](binding), {
      suites: [{ ...suite, cases }],
      onCase: sayFailure,
    });
    reports.set(suite.port, report);
    for (const key of ["passed", "failed", "skipped"] as const) total[key] += report[key];
    for (const [reason, titles] of Object.entries(report.reasons))
      reasons[reason] = [...(reasons[reason] ?? []), ...titles];
    saySuite(name, suite.port, report, performance.now() - began);
  }
  const counts = Object.fromEntries(Object.entries(reasons).map(([reason, titles]) => [reason, titles.length]));
  const line = { engine, ...(engine === "sqlite" ? { binding } : {}), ...total, reasons: counts };
  if (json) console.log(JSON.stringify(line));
  else console.log(`${name}: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  results.push({ name, capabilities: await capabilitiesOf(engine, binding), reports });
  for (const [reason, count] of Object.entries(counts)) console.error(`  ${count} skipped: ${reason}`);
  return total.failed;
}

async function capabilitiesOf(engine: keyof typeof engines, binding: Binding): Promise<Capabilities> {
  const opened = await engines[engine](binding)();
  await opened.close();
  return opened.engine.capabilities;
}

function sayFailure(result: CaseResult): void {
  if (result.status !== "failed") return;
  console.error(`FAIL ${result.title} (${Math.round(result.durationMs)} ms)`);
  const { error } = result;
  console.error(indent(error instanceof Error ? (error.stack ?? error.message) : String(error)));
}

function saySuite(engine: string, port: string, report: ConformanceReport, durationMs: number): void {
  const { passed, failed, skipped } = report;
  const seconds = (durationMs / 1000).toFixed(1);
  console.error(
    `${failed > 0 ? "FAIL" : "ok  "} ${engine} ${port}: ${passed} passed, ${failed} failed, ${skipped} skipped (${seconds} s)`,
  );
}

function indent(text: string): string {
  return text.split("\n").slice(0, 14).join("\n    ").replace(/^/, "    ");
}

function pick<Name extends string>(option: string, value: string, names: readonly Name[]): readonly Name[] {
  if (value === "all") return names;
  const found = names.filter((name) => name === value);
  if (found.length === 0) throw new UsageError(`There is no ${option} "${value}"; use ${names.join(", ")} or all.`);
  return found;
}

try {
  process.exitCode = await main();
} catch (error) {
  const misused = isUsageError(error);
  console.error(misused ? `${(error as Error).message}\n\n${usage}` : error);
  process.exitCode = misused ? 2 : 1;
}
