import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";

import { flags } from "../../scripts/launch/run.mjs";
import { withoutStrace } from "../lib/machine.ts";

const root = resolve(import.meta.dirname, "../..");
const skip = withoutStrace();

function powerCut(...args: readonly string[]) {
  const { TIDINGS_SOURCE: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, "scripts/power-cut.ts", ...args], {
    cwd: root,
    env,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tidings-power-cut-test-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const result = (stdout: string): Record<string, number> =>
  JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, number>;

/** A copy of the sources whose commits are not synced before they are acknowledged. */
function withoutSyncs(t: TestContext): string {
  const copy = join(folder(t), "src");
  cpSync(join(root, "src"), copy, { recursive: true });
  for (const file of ["open.ts", "group.ts"]) {
    const path = join(copy, "engines/sqlite", file);
    const text = readFileSync(path, "utf8");
    const full = 'setAndReadBack(connection, "synchronous", 2)';
    assert.ok(text.includes(full), `${file} does not hold ${full}`);
    writeFileSync(path, text.replaceAll(full, full.replace("2", "1")));
  }
  return copy;
}

describe("npm run power-cut", () => {
  it("finds nothing wrong with any image of a real run", { skip }, (t) => {
    const { status, stdout, stderr } = powerCut("--images", "200", "--json");
    assert.equal(status, 0, stderr);
    const { images, acknowledged, lost, violations, boundaries, boundariesCovered, finished } = result(stdout);
    assert.deepEqual([images, lost, violations], [200, 0, 0]);
    assert.ok((acknowledged ?? 0) > 1000 && (finished ?? 0) >= 10, stdout);
    assert.ok((boundaries ?? 0) >= 60 && (boundariesCovered ?? 0) >= 25, stdout);
    t.diagnostic(stdout.trim());
  });

  it(
    "loses acknowledged events when they are acknowledged before the sync, and tries one image again",
    { skip },
    (t) => {
      const { status, stdout, stderr } = powerCut("--images", "100", "--json", "--source", withoutSyncs(t));
      const [, recording = ""] = /the recording is in (.*)/.exec(stderr) ?? [];
      t.after(() => rmSync(recording, { recursive: true, force: true }));
      assert.equal(status, 1, stderr);
      assert.ok((result(stdout)["lost"] ?? 0) > 0, stdout);
      assert.match(stderr, /lost: the acknowledged event \w+-\d+ of \w+/);
      const [, again = ""] = /npm run power-cut -- (.*)/.exec(stderr) ?? [];
      assert.match(again, /--recording \S+ --image \S+ --source \S+/);
      const second = powerCut(...again.split(" "), "--json");
      assert.equal(second.status, 1, second.stderr);
      assert.equal(result(second.stdout)["images"], 1);
      assert.ok((result(second.stdout)["lost"] ?? 0) > 0, second.stdout);
      t.diagnostic(stdout.trim());
    },
  );

  it("says what is wrong with its arguments", (t) => {
    const empty = folder(t);
    for (const [args, words] of [
      [["--images", "0"], /--images takes a whole number of at least 1, not "0"\./],
      [["--images", "many"], /--images takes a whole number of at least 1, not "many"\./],
      [["--seed", "-1"], /--seed/],
      [["--workers", "1.5"], /--workers takes a whole number of at least 1, not "1\.5"\./],
      [["--source", empty], /--source: there is no index\.ts in .*, nor in a folder src of it\./],
      [["--recording", empty], /--recording: .* holds no recording: recording\.json is missing\./],
      [["--image", "1.none.0"], /name its folder with --recording/],
      [["--imags", "3"], /Unknown option '--imags'/],
    ] as const) {
      const { status, stderr } = powerCut(...args);
      assert.equal(status, 2, stderr);
      assert.match(stderr, words);
      assert.match(stderr, /npm run power-cut -- \[--images N/);
    }
  });
});
