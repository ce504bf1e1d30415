// docs/engines/conformance.md: what the suites found on all engines, side by side.
import { format } from "prettier";

import { type ConformanceReport, type Suite, suites } from "../../src/conformance/index.ts";
import type { Capabilities } from "../../src/ports/capabilities.ts";

/** What the suites found on one engine. */
export interface EngineResult {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly reports: ReadonlyMap<Suite["port"], ConformanceReport>;
}

const intro = `# Conformance

What the [conformance suites](../internals/conformance.md) found on each engine, against a real file or a real server. A case that is skipped needs
what the engine does not have; nothing else is skipped.

<!-- Made by npm run conformance -- --write. -->
`;

const line = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |\n`;

function tableOf(titles: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return line(titles) + line(titles.map(() => "---")) + rows.map(line).join("");
}

/** The text of the page. */
export async function conformancePage(results: readonly EngineResult[]): Promise<string> {
  const names = results.map(({ name }) => name);
  const counts = suites.map(({ port, cases }) => [
    `${port} (${cases.length} cases)`,
    ...results.map(({ reports }) => countsOf(reports.get(port))),
  ]);
  const flags = Object.keys(results[0]?.capabilities ?? {}) as (keyof Capabilities)[];
  const capabilities = flags.map((flag) => [`\`${flag}\``, ...results.map((each) => shown(each.capabilities[flag]))]);
  const page = `${intro}
${tableOf(["suite", ...names], counts)}
## Capabilities

As the engines declare them; an application that asks for more does not start. What each means stands in \`src/ports/capabilities.ts\`.

${tableOf(["capability", ...names], capabilities)}
## Skipped

${tableOf(["why", "engine", "cases"], skippedOf(results))}`;
  return format(page, { parser: "markdown", printWidth: 120 });
}

function countsOf(report: ConformanceReport | undefined): string {
  if (!report || report.passed + report.failed === 0) return "–";
  const more = [
    ...(report.failed > 0 ? [`**${report.failed} failed**`] : []),
    ...(report.skipped > 0 ? [`${report.skipped} skipped`] : []),
  ];
  return [`${report.passed} passed`, ...more].join(", ");
}

function shown(value: Capabilities[keyof Capabilities]): string {
  if (typeof value === "boolean") return value ? "yes" : "–";
  return typeof value === "number" ? value.toLocaleString("en-US") : value;
}

/** By reason and engine, how many cases were skipped; ports that an engine has not got are told once. */
function skippedOf(results: readonly EngineResult[]): (string | number)[][] {
  return results.flatMap(({ name, reports }) => {
    const reasons = new Map<string, number>();
    for (const { reasons: found } of reports.values())
      for (const [reason, titles] of Object.entries(found))
        reasons.set(reason, (reasons.get(reason) ?? 0) + titles.length);
    return [...reasons].map(([reason, count]) => [reason, name, count]);
  });
}
