// A large program costs the compiler in proportion: many contracts, and many handlers on one service, do not nest types.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";

import { root, tool } from "../../scripts/test/tool.ts";

// In the repository, where the packages are found.
mkdirSync(join(root, ".tmp"), { recursive: true });
const folder = mkdtempSync(join(root, ".tmp", "types-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at);

/** A service that handles `count` event types and publishes in every handler. */
function handlers(count: number): string {
  return `
import { z } from "zod";
import { service } from "../../src/delivery/service.ts";
import { topic } from "../../src/event/topic.ts";

const orders = topic("orders", { key: (data: { id: string }) => data.id });
${numbers(count)
  .map((n) => `const E${n} = orders.event("e${n}", { data: z.object({ id: z.string(), f${n}: z.number() }) });`)
  .join("\n")}
export const all = service("all")
${numbers(count)
  .map((n) => `  .on(E${n}, (event, ctx) => void ctx.publish(E${n}, { id: event.type, f${n}: event.data.f${n} + 1 }))`)
  .join("\n")};
`;
}

/** One event type with `count` further versions. */
function versions(count: number): string {
  return `
import { z } from "zod";
import { topic } from "../../src/event/topic.ts";

const V1 = topic("orders").event("placed", { data: z.object({ f1: z.literal("a1") }) });
${numbers(count)
  .map((n) => n + 2)
  .map(
    (n) => `const V${n} = V${n - 1}.version(${n}, {
  data: z.object({ f${n}: z.literal("a${n}") }),
  upcast: ({ f${n - 1} }) => (f${n - 1} === "a${n - 1}" ? { f${n}: "a${n}" } : { f${n}: "a${n}" }),
});`,
  )
  .join("\n")}
export const last = V${count + 1};
`;
}

/** How many types the compiler instantiates for a program. */
async function instantiations(name: string, program: string): Promise<number> {
  const config = join(folder, `${name}.json`);
  writeFileSync(join(folder, `${name}.ts`), program);
  writeFileSync(config, JSON.stringify({ extends: "../../tsconfig.json", include: [`${name}.ts`], exclude: [] }));
  const { status, output } = await tool("tsc", ["--project", config, "--extendedDiagnostics", "--pretty", "false"]);
  // Faults of other files are for the check of all types to find.
  const faults = output.split("\n").filter((line) => line.includes(`${name}.ts(`));
  assert.deepEqual(faults, [], `tsc ended with ${status}`);
  return Number(/^Instantiations:\s+(\d+)/m.exec(output)?.[1]);
}

describe("the compiler's work", () => {
  for (const [what, program] of Object.entries({ handlers, versions })) {
    it(`grows in proportion to the number of ${what}`, async (t) => {
      const counts: number[] = [];
      for (const count of [1, 101, 201]) counts.push(await instantiations(`${what}-${count}`, program(count)));
      const [none = 0, half = 0, whole = 0] = counts;
      t.diagnostic(`${what}: ${(whole - none) / 200} instantiations each`);
      assert.ok(half > none && (whole - half) / (half - none) < 1.05, counts.join(", "));
      assert.ok((whole - none) / 200 < 1000, counts.join(", "));
    });
  }
});
