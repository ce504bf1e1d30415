// Every small example prints what the comment at its end says.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { root, runExample, temporaryFolder } from "./shop.ts";

const files = globSync(["hello/main.ts", "[0-9][0-9]-*.ts"], { cwd: join(root, "examples") }).toSorted();

test("there are small examples", () => {
  assert.ok(files.length >= 6, files.join(", "));
});

for (const file of files) {
  test(`examples/${file} prints what it says`, async (t) => {
    const source = readFileSync(join(root, "examples", file), "utf8");
    const [, expected] = source.split(/\n\/\/ Prints: .*\n\/\/\n/);
    assert.ok(expected !== undefined, "it has a comment that says what it prints");
    const { status, stdout, stderr } = await runExample(t, file, [], temporaryFolder(t));
    assert.equal(status, 0, stderr);
    assert.equal(stdout, expected.replaceAll(/^\/\/ /gm, ""));
  });
}
