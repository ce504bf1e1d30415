#!/usr/bin/env node
import { CommanderError } from "commander";
import { type ErrorCode, errorCatalogue } from "../errors/codes.ts";
import { isTidingsError } from "../errors/tidings-error.ts";
import { systemClock } from "../platform/system.ts";
import { interruption } from "./interruption.ts";
import { buildProgram } from "./program.ts";
import { createOutput } from "./output.ts";

/** How long a command may take to end after it was interrupted. */
const graceMs = 3000;
const interrupted = { SIGINT: 130, SIGTERM: 143 } as const;
let status: number | undefined;

listen();
main(process.argv.slice(2)).then(end, (error: unknown) => end(fail(error)));

async function main(given: readonly string[]): Promise<number> {
  // `help dlq redrive` is `dlq redrive --help`; commander itself looks only one level deep.
  const argv = given[0] === "help" ? [...given.slice(1), "--help"] : given;
  const program = await buildProgram(argv);
  if (argv.length === 0) {
    program.outputHelp({ error: true });
    return 2;
  }
  await program.parseAsync(argv, { from: "user" });
  return 0;
}

/** Ctrl-C ends what runs, and a second one at once; output that nobody reads any more ends it quietly. */
function listen(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (status !== undefined) process.exit(interrupted[signal]);
      status = interrupted[signal];
      interruption.abort(new Error(`Interrupted by ${signal}.`));
      systemClock.after(graceMs, () => process.exit(status), true);
    });
  }
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    status ??= 0;
    interruption.abort(new Error("The output was closed."));
    systemClock.after(graceMs, () => process.exit(status), true);
  });
  process.stderr.on("error", () => undefined);
}

/** Says what is wrong in one sentence with its code; answers the exit status. */
function fail(error: unknown): number {
  if (status !== undefined) return status;
  const out = createOutput({ json: false, quiet: false, color: colorOf(process.argv) });
  out.progress();
  if (error instanceof CommanderError) return failUsage(error, (text) => out.complain(text));
  if (isTidingsError(error)) {
    out.complain(`error: ${error.message} [${error.code}]`);
    return errorCatalogue[error.code].exit;
  }
  out.complain(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 1;
}

function failUsage(error: CommanderError, complain: (text: string) => void): number {
  if (error.exitCode === 0) return 0;
  // A group without a command has shown its help.
  if (error.code === "commander.help") return 2;
  const code: ErrorCode = "TIDINGS_USAGE";
  const [problem = "", ...hints] = error.message.replace(/^error: /, "").split("\n");
  const hint = hints.length > 0 ? ` ${hints.join(" ")}` : "";
  complain(`error: ${problem.charAt(0).toUpperCase()}${problem.slice(1)}.${hint} [${code}]`);
  return errorCatalogue[code].exit;
}

function colorOf(argv: readonly string[]): "auto" | "always" | "never" {
  const at = argv.findIndex((word) => word === "--color" || word.startsWith("--color="));
  const word = argv[at] ?? "";
  const value = word.includes("=") ? word.slice(word.indexOf("=") + 1) : argv[at + 1];
  return at !== -1 && (value === "always" || value === "never") ? value : "auto";
}

function end(code: number): void {
  const exit = (): never => process.exit(status ?? (process.exitCode === undefined ? code : Number(process.exitCode)));
  // A file or a pipe takes what is written at once; a terminal may not.
  if (process.stdout.writableLength > 0 && !process.stdout.destroyed) process.stdout.write("", exit);
  else exit();
}
