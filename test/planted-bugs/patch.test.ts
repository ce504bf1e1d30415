import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import { parseSync } from "oxc-parser";
import { format } from "prettier";

import { plantedBugsPage } from "../../scripts/docs/planted-bugs.ts";
import { catalogue } from "../../scripts/planted-bugs/catalogue.ts";
import { copySources } from "../../scripts/planted-bugs/copy.ts";
import { patched, StaleBugError, staleBugs } from "../../scripts/planted-bugs/patch.ts";
import { invariants } from "../../src/testing/check/violation.ts";

const root = join(import.meta.dirname, "../..");
const slip = { name: "slip", file: "src/a.ts", find: "one()", replace: "two($1, $&)" };

describe("a planted bug", () => {
  it("replaces its text literally", () => {
    assert.equal(patched("a; one(); b;", slip), "a; two($1, $&); b;");
  });

  it("is refused when its text does not stand there", () => {
    assert.throws(
      () => patched("a; three();", slip),
      (error: Error) => {
        assert.ok(error instanceof StaleBugError);
        assert.match(error.message, /"slip" cannot be applied to src\/a\.ts: its text does not stand there any more/);
        return true;
      },
    );
  });

  it("is refused when its text stands there twice", () => {
    assert.throws(() => patched("one(); one();", slip), /stands there 2 times/);
  });

  it("is refused when it changes nothing", () => {
    assert.throws(() => patched("one();", { ...slip, replace: "one()" }), /is replaced by itself/);
  });
});

describe("the catalogue", () => {
  it("fits the code as it is, and leaves it readable", () => {
    assert.deepEqual(staleBugs(root, catalogue), []);
    for (const bug of catalogue) {
      const text = patched(readFileSync(join(root, bug.file), "utf8"), bug);
      assert.deepEqual(parseSync(bug.file, text).errors, [], bug.name);
    }
  });

  it("has at least 25 bugs, each with a name of its own and an invariant that there is", () => {
    assert.ok(catalogue.length >= 25);
    assert.equal(new Set(catalogue.map(({ name }) => name)).size, catalogue.length);
    const kinds = { sim: [], crash: ["FILE"], "power-cut": ["LOST", "WRONG"], chaos: [] } as const;
    for (const { name, caughtBy, budget } of catalogue) {
      assert.ok(caughtBy.length > 0, name);
      const more: readonly string[] = kinds[budget.harness];
      const known = budget.harness === "power-cut" ? more : [...Object.keys(invariants), ...more];
      for (const kind of caughtBy) assert.ok(known.includes(kind), `${name}: ${kind}`);
    }
  });

  it("stands in the docs as npm run docs writes it", async () => {
    const made = await format(plantedBugsPage(), { parser: "markdown", printWidth: 120 });
    assert.equal(readFileSync(join(root, "docs/reliability/planted-bugs.md"), "utf8"), made, "run npm run docs");
  });
});

describe("a copy of the sources", () => {
  it("takes a bug in and out, and leaves the repository as it is", () => {
    const [bug] = catalogue;
    assert.ok(bug);
    const ours = join(root, bug.file);
    const before = readFileSync(ours, "utf8");
    const copy = copySources(root);
    try {
      const theirs = join(copy.folder, bug.file);
      assert.ok(!lstatSync(theirs).isSymbolicLink());
      const takeOut = copy.plant(bug);
      assert.equal(readFileSync(theirs, "utf8"), patched(before, bug));
      assert.equal(readFileSync(ours, "utf8"), before);
      takeOut();
      assert.equal(readFileSync(theirs, "utf8"), before);
    } finally {
      copy.remove();
    }
    assert.equal(existsSync(copy.folder), false);
    assert.equal(readFileSync(ours, "utf8"), before);
    assert.ok(existsSync(join(root, "node_modules/zod/package.json")));
  });
});
