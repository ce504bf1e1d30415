// The checks that are not tests: each one passes or fails as a whole and prints what its tool says when it fails.
import { existsSync, globSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { ensureModules } from "../launch/modules.mjs";
import { npmCommand, npmEnvironment } from "../launch/npm.mjs";
import { checkExports, checkImports } from "./exports.ts";
import { command, root, tool, type Outcome } from "./tool.ts";
import { type Tally, timed } from "./tally.ts";

const sources = ["src", "test", "examples", "scripts", "bench"].filter((folder) => existsSync(join(root, folder)));
const packed = join(root, ".tmp", "packed");

/** In order: what is quick to run and most likely to fail comes first; the last ones look at the packed tarball. */
const checks: Record<string, () => Promise<Outcome>> = {
  types: async () => {
    await installNested();
    return tool("tsc", ["--noEmit", "--pretty", "false"]);
  },
  lint: () => tool("oxlint", ["--type-aware", "--deny-warnings", ...sources]),
  format: () => tool("prettier", ["--check", "--log-level=warn", "."]),
  build: () => command(process.execPath, [join(root, "scripts", "build.ts")]),
  exports: checkExports,
  imports: checkImports,
  pack,
  publint: () => tool("publint", ["run", tarball(), "--strict"]),
  "types of the package": () => tool("attw", [tarball(), "--profile", "esm-only", "--no-emoji", "--no-color"]),
};

/** Runs every check; a failed one does not stop the others. */
export async function runChecks(tally: Tally): Promise<void> {
  for (const [name, check] of Object.entries(checks)) {
    const { status, output } = await timed(name, guarded(check), (outcome) => (outcome.status === 0 ? "ok  " : "FAIL"));
    if (status === 0) tally.passed += 1;
    else {
      tally.failed += 1;
      console.log(output.trimEnd());
    }
  }
}

/** A check that throws has failed with the reason it threw. */
function guarded(check: () => Promise<Outcome>): () => Promise<Outcome> {
  return async () => {
    try {
      return await check();
    } catch (error) {
      return { status: 1, output: String(error) };
    }
  };
}

/** Folders with packages of their own (bench/) cannot be type-checked before those are installed. */
async function installNested(): Promise<void> {
  for (const folder of sources.map((name) => join(root, name))) {
    if (!existsSync(join(folder, "package-lock.json"))) continue;
    await ensureModules({ root, folder, node: process.execPath });
  }
}

async function pack(): Promise<Outcome> {
  rmSync(packed, { recursive: true, force: true });
  mkdirSync(packed, { recursive: true });
  const [npm, first] = npmCommand(process.execPath);
  return command(npm, [...first, "pack", "--ignore-scripts", "--pack-destination", packed], {
    env: npmEnvironment(process.env, process.execPath),
  });
}

function tarball(): string {
  const [file] = globSync("*.tgz", { cwd: packed });
  if (file === undefined) throw new Error("There is no tarball to look at; see the check named pack.");
  return join(packed, file);
}
