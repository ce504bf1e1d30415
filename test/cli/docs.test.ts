// docs/cli.md says what the commands print; here it is held to it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import { catalog } from "../../src/cli/catalog.ts";
import { errorCatalogue } from "../../src/errors/codes.ts";

const docs = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
const operations = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
const names = catalog.map(({ path }) => path.join(" "));

describe("docs/cli.md", () => {
  it("has a section for every command, and no other", () => {
    const sections = [...docs.matchAll(/^### tidings (.*)$/gm)].map(([, name]) => name);
    assert.deepEqual(new Set(sections), new Set(names));
  });

  it("shows the output that the commands have", () => {
    for (const [, line = "", output] of docs.matchAll(/^```console\n\$ tidings (.*)\n([^]*?)\n```$/gm)) {
      const name = names.find((each) => `${line} `.startsWith(`${each} `)) ?? line;
      const golden = readFileSync(join(import.meta.dirname, "golden", `${name.replaceAll(" ", "-")}.txt`), "utf8");
      const [, expected] = /^\$ .*\n([^]*?)\n=> \d+\n/.exec(golden) ?? [];
      assert.equal(output, expected, name);
    }
  });

  it("lists every exit status", () => {
    const stated = [...docs.matchAll(/^\| (\d+) +\|/gm)].map(([, status]) => Number(status));
    for (const { exit } of Object.values(errorCatalogue)) assert.ok(stated.includes(exit), String(exit));
  });
});

describe("docs/operations.md", () => {
  it("names only commands that there are", () => {
    for (const [text, first = "", second = ""] of operations.matchAll(/tidings ([a-z]+)(?: ([a-z]+))?/g)) {
      const known = catalog.some(({ path }) => path[0] === first && (path[1] === undefined || path[1] === second));
      assert.ok(known || text === "tidings does", text);
    }
  });
});
