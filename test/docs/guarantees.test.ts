import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { guarantees } from "../../src/admin/guarantees.ts";

const root = join(import.meta.dirname, "../..");
/** The page, its tables without the blanks that line them up. */
const page = readFileSync(join(root, "docs/guarantees.md"), "utf8").replaceAll(/ +\|/g, " |");

/** Everything in which a test may have its title. */
function sources(folder: string): string {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  return names.map((name) => readFileSync(join(root, folder, name), "utf8")).join("\n");
}

describe("the page of guarantees", () => {
  it("has a row for each promise with what holds on each engine", () => {
    const engines = Object.keys(guarantees);
    const [header] = /^\| promise .*\|$/m.exec(page) ?? [""];
    assert.equal(header, `| promise | ${engines.join(" | ")} |`);
    for (const [index, { promise, title }] of (guarantees[engines[0] as string] ?? []).entries()) {
      const row = `| ${promise} ${title} | ${engines.map((engine) => guarantees[engine]?.[index]?.holds).join(" | ")} |`;
      assert.ok(page.includes(row), row);
    }
  });

  it("names only tests that there are", () => {
    const all = `${sources("test")}\n${sources("src/conformance")}`;
    const titles = [...page.matchAll(/^- "(.+)"$/gm)].map(([, title]) => title as string);
    assert.ok(titles.length > 10);
    for (const title of titles) assert.ok(all.includes(`"${title}"`) || all.includes(`\`${title}\``), title);
  });
});
