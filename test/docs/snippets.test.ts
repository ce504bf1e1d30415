// Every TypeScript block of the documentation is compiled, and those marked `ts run` are executed.
import assert from "node:assert/strict";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { after, before, describe, it } from "node:test";

import { command, root, tool } from "../../scripts/test/tool.ts";
import { type Block, blocksOf, errorsOf, type Snippet, snippetsOf } from "./blocks.ts";

mkdirSync(join(root, ".tmp"), { recursive: true });
/** Inside the repository, so that `tidings` and the packages are found; of its own, so that two runs do not meet. */
const folder = mkdtempSync(join(root, ".tmp", "snippets-"));
const documents = ["README.md", ...globSync("docs/**/*.md", { cwd: root })]
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => existsSync(join(root, path)))
  .toSorted();
const blocks = documents.map((path) => blocksOf(path, readFileSync(join(root, path), "utf8")));
const snippets = blocks.flatMap(snippetsOf);
const fragments = blocks.flat().filter(({ mark }) => mark === "fragment");

function write(): void {
  const config = {
    extends: "../../tsconfig.json",
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
    include: ["*.ts"],
    exclude: [],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  for (const { file, text } of snippets) writeFileSync(join(folder, file), text);
}

describe("the documentation's TypeScript", () => {
  let errors: ReadonlyMap<Snippet, string[]> = new Map();
  let output = "";

  before(async () => {
    write();
    ({ output } = await tool("tsc", ["-p", folder, "--noEmit", "--pretty", "false"]));
    errors = errorsOf(output, relative(root, folder).replaceAll(sep, "/"), snippets);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const snippet of snippets) {
    it(`compiles at ${snippet.document}:${snippet.line}`, () => {
      assert.deepEqual(errors.get(snippet), [], `a block that is meant to be a piece is marked "ts fragment"`);
    });
    if (!snippet.runs) continue;
    it(`runs at ${snippet.document}:${snippet.line}`, { timeout: 60_000 }, async () => {
      const cwd = mkdtempSync(join(folder, "run-"));
      const args = ["--conditions=tidings-source", join(folder, snippet.file)];
      const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
      const outcome = await command(process.execPath, args, { cwd, env });
      assert.equal(outcome.status, 0, outcome.output.replaceAll(join(folder, snippet.file), snippet.document));
    });
  }

  it("has no complaint of the compiler that belongs to no block", () => {
    const known = [...errors.values()].flat().length;
    assert.ok(known > 0 || output === "", output);
  });

  it("is pieces that nobody checks in few places only", (t) => {
    const counts = Map.groupBy(fragments, ({ document }: Block) => document);
    for (const [document, found] of counts) t.diagnostic(`${document}: ${found.length} fragments`);
    t.diagnostic(`${snippets.length} snippets checked, ${fragments.length} fragments skipped`);
    assert.ok(fragments.length <= Math.max(10, snippets.length), `${fragments.length} fragments`);
  });
});
