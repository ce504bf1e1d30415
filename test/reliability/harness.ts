// Runs a harness of the repository as a user would, and reads its last line.
import { spawn } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** In CI the whole sample; elsewhere a taste of it. */
export const size = (whole: number, taste: number): number => (process.env["CI"] === undefined ? taste : whole);

/** Runs `scripts/<name>.ts` with `--json`. Rejects with what it said when it found something, or could not run. */
export function runHarness(name: string, args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const child = spawn(process.execPath, [join(root, "scripts/launch.mjs"), `scripts/${name}.ts`, ...args, "--json"], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let complaint = "";
  child.stdout.on("data", (text) => (said += String(text)));
  child.stderr.on("data", (text) => (complaint = (complaint + String(text)).slice(-10_000)));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const last = said.trimEnd().split("\n").at(-1) ?? "";
      if (code === 0) resolve(JSON.parse(last) as Record<string, unknown>);
      else reject(new Error(`${name} ended with ${signal ?? code}.\n${said.slice(-10_000)}\n${complaint}`));
    });
  });
}
