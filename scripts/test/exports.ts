// package.json and the built files must agree, in both directions.
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { command, root, type Outcome } from "./tool.ts";

interface Manifest {
  exports: Record<string, string | Record<string, string>>;
  bin: Record<string, string>;
}

/** Every target that package.json names exists, and every folder that is built to be entered is named. */
export async function checkExports(): Promise<Outcome> {
  const { exports, bin } = manifest();
  const targets = Object.values(exports).flatMap((entry) =>
    typeof entry === "string" ? [entry] : Object.values(entry),
  );
  const missing = [...targets, ...Object.values(bin).map((file) => `./${file}`)]
    .filter((file) => !existsSync(join(root, file)))
    .map((file) => `package.json names ${file}, which is not there.`);
  const unnamed = [...globSync("src/**/index.ts", { cwd: root }), ...globSync("dist/**/index.js", { cwd: root })]
    .filter((file) => !targets.includes(`./${file}`))
    .map((file) => `${file} is not exported; only what package.json exports is called index.`);
  const crooked = Object.entries(exports).flatMap(([name, entry]) => misplaced(name, entry));
  const unmarked = Object.values(bin)
    .filter((file) => existsSync(join(root, file)) && !readFileSync(join(root, file), "utf8").startsWith("#!"))
    .map((file) => `${file} does not begin with #!/usr/bin/env node.`);
  const faults = [...missing, ...unnamed, ...crooked, ...unmarked];
  return { status: faults.length === 0 ? 0 : 1, output: faults.join("\n") };
}

/** Source, declaration and code of one entry are the same file at three stages. */
function misplaced(name: string, entry: string | Record<string, string>): string[] {
  if (typeof entry === "string") return [];
  const stem = entry["tidings-source"]?.replace(/^\.\/src\//, "./dist/").replace(/\.ts$/, "");
  const right = { types: `${stem}.d.ts`, default: `${stem}.js` };
  return Object.entries(right)
    .filter(([condition, file]) => entry[condition] !== file)
    .map(([condition, file]) => `The export ${name} should have ${condition}: ${file}.`);
}

/** Every entry loads as a user loads it: compiled, by name, without the source condition. */
export async function checkImports(): Promise<Outcome> {
  const names = Object.entries(manifest().exports)
    .filter(([, entry]) => typeof entry !== "string")
    .map(([path]) => `tidings${path.slice(1)}`);
  const script = `for (const name of ${JSON.stringify(names)}) {
    const found = await import(name);
    if (Object.keys(found).length === 0) throw new Error(name + " exports nothing");
  }`;
  return command(process.execPath, ["--input-type=module", "--eval", script]);
}

function manifest(): Manifest {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
}
