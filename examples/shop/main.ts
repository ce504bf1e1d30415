// npm start [-- --data DIR --url URL --fail RATE --poison N --kills N --processes N --speed X …]
import { mkdirSync, rmSync } from "node:fs";
import { basename, dirname } from "node:path";
import { CommanderError } from "commander";
import { isTidingsError } from "tidings";

import { readOrders } from "./feed/csv.ts";
import { generateOrders } from "./feed/generator.ts";
import { type Timeline, timelineOf } from "./feed/timeline.ts";
import { connect, dutyVariable } from "./link.ts";
import { dataFolder, type Options, parseOptions } from "./options.ts";
import { runShop } from "./run.ts";
import { Supervisor } from "./supervise.ts";

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  const isChild = process.env[dutyVariable] !== undefined;
  // All of the input is read before anything is touched: bad input leaves no file behind.
  const timeline = readTimeline(options, !isChild);
  if (!isChild) prepareFile(options);

  // The first signal stops the shop in order; the second finds no listener and ends the process.
  const stop = new AbortController();
  const byName = (signal: string): void => stop.abort(signal);
  process.once("SIGINT", byName).once("SIGTERM", byName);

  if (!isChild && (options.kills > 0 || options.processes > 1)) return new Supervisor(argv, options).run(stop.signal);
  const link = connect(byName);
  try {
    return await runShop({ options, timeline, link, signal: stop.signal });
  } finally {
    link.close();
  }
}

function readTimeline({ data, orders, seed }: Options, warn: boolean): Timeline {
  if (data === undefined) return timelineOf(generateOrders(orders, seed), `${orders} generated orders, seed ${seed}`);
  const reading = readOrders(data);
  if (warn) for (const warning of reading.warnings) process.stderr.write(`warning: ${warning}\n`);
  return timelineOf(reading.orders, basename(data));
}

function prepareFile({ file, fresh }: Options): void {
  if (file === undefined) return;
  if (dirname(file) === dataFolder) mkdirSync(dataFolder, { recursive: true });
  if (fresh) for (const each of ["", "-wal", "-shm", "-journal"]) rmSync(`${file}${each}`, { force: true });
}

/** One sentence on stderr, and the status that goes with it: the same as those of the `tidings` command. */
function report(error: unknown): number {
  // Commander has said what is wrong.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (!isTidingsError(error)) throw error;
  process.stderr.write(`error: ${error.message} (${error.code})\n`);
  if (error.code === "TIDINGS_READ_ONLY") return 4;
  if (error.code === "TIDINGS_FILE_CORRUPT" || error.code === "TIDINGS_RECORD_CORRUPT") return 9;
  return error.retryable ? 6 : 2;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = report(error);
}
