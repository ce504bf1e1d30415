// Running the tools that node_modules brings, with their output caught.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

export interface Outcome {
  readonly status: number;
  readonly output: string;
}

/** Runs the program that a package in node_modules names, under this Node, in the root of the repository. */
export function tool(name: keyof typeof packages, args: readonly string[]): Promise<Outcome> {
  const folder = join(root, "node_modules", packages[name]);
  const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    bin: string | Record<string, string>;
  };
  const file = typeof bin === "string" ? bin : bin[name];
  if (file === undefined) throw new Error(`The package ${packages[name]} has no program ${name}.`);
  return command(process.execPath, [join(folder, file), ...args]);
}

const packages = {
  tsc: "typescript",
  oxlint: "oxlint",
  prettier: "prettier",
  publint: "publint",
  attw: "@arethetypeswrong/cli",
} as const;

/** Runs a program and answers its status with all that it printed, in the order in which it came. */
export function command(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Outcome> {
  return new Promise((done, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], ...options });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.once("error", reject);
    child.once("close", (code) => done({ status: code ?? 1, output }));
  });
}
