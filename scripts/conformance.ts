// npm run conformance -- [--engine NAME|all] [--binding node:sqlite|better-sqlite3|all] [--json] [--write]
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

const { values } = parseArgs({
  options: {
    engine: { type: "string", default: "all" },
    binding: { type: "string", default: "node:sqlite" },
    only: { type: "string", default: "" },
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});

const chosen = pick("engine", values.engine, Object.keys(engines) as (keyof typeof engines)[]);
const chosenBindings = pick("binding", values.binding, bindings);
const results: EngineResult[] = [];
let failed = 0;

for (const engine of chosen) {
  for (const binding of engine === "sqlite" ? chosenBindings : chosenBindings.slice(0, 1)) {
    failed += await runOn(engine, binding);
  }
}
process.exitCode = failed > 0 ? 1 : 0;
if (values.write) await writePage();

/** Only of everything: a page of one engine would take the place of all. */
async function writePage(): Promise<void> {
  if (failed > 0 || values.engine !== "all" || values.only !== "")
    return console.error(
      "--write goes with all engines and cases, and only where none has failed; nothing was written.",
    );
  const path = join(import.meta.dirname, "../docs/engines/conformance.md");
  writeFileSync(path, await conformancePage(results));
}

async function runOn(engine: keyof typeof engines, binding: Binding): Promise<number> {
  const name = engine === "sqlite" && binding !== "node:sqlite" ? `${engine} (${binding})` : engine;
  const total = { passed: 0, failed: 0, skipped: 0 };
  const reasons: Record<string, readonly string[]> = {};
  const reports = new Map<Suite["port"], ConformanceReport>();
  for (const suite of suites) {
    const cases = suite.cases.filter((one) => `${suite.port}: ${one.name}`.includes(values.only));
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
  if (values.json) console.log(JSON.stringify(line));
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
  if (found.length === 0) {
    console.error(`There is no ${option} "${value}"; use ${names.join(", ")} or all.`);
    process.exit(2);
  }
  return found;
}
