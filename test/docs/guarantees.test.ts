import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { format } from "prettier";
import { guaranteesPage } from "../../scripts/docs/guarantees.ts";
import { guarantees } from "../../src/admin/guarantees.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

describe("the page of guarantees", () => {
  it("is what npm run docs makes of the table", async () => {
    const made = await format(guaranteesPage(), { parser: "markdown", printWidth: 120 });
    assert.equal(read("docs/guarantees.md"), made, "run npm run docs");
  });
});

describe("the table of guarantees", () => {
  it("names tests for every line that holds, and none for those that do not", () => {
    for (const lines of Object.values(guarantees))
      for (const { promise, holds, tests } of lines) assert.equal(tests.length > 0, holds !== "no", promise);
  });

  it("names only tests that there are, in the file that it says", () => {
    const named = new Set(Object.values(guarantees).flatMap((lines) => lines.flatMap(({ tests }) => tests)));
    assert.ok(named.size > 10);
    for (const test of named) {
      const [file = "", title = ""] = test.split(" › ");
      const source = read(file);
      assert.ok(source.includes(`"${title}"`) || source.includes(`\`${title}\``), test);
    }
  });
});
