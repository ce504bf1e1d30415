// The command line of the shop.
import { basename, join, resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";

export interface Options {
  /** Folder with the CSV files; undefined generates the orders. */
  readonly data: string | undefined;
  readonly url: string;
  /** The file behind the URL, where there is one. */
  readonly file: string | undefined;
  readonly fresh: boolean;
  readonly speed: number | undefined;
  readonly fail: number;
  readonly poison: number;
  readonly kills: number;
  readonly processes: number;
  readonly orders: number;
  readonly seed: number;
  readonly json: boolean;
}

/** Where the shop keeps its file when nobody says where. */
export const dataFolder = "shop-data";

export function parseOptions(argv: readonly string[]): Options {
  const command = new Command("npm start --")
    .description("An example shop: orders, payments, inventory, shipping, notifications and sales figures.")
    .option("--data <dir>", "orders from the CSV files of the Olist dataset instead of generated ones")
    .option("--orders <count>", "how many orders to generate", whole(0), 1000)
    .option("--seed <number>", "seed of the generator and of all chance", whole(0), 1)
    .option(
      "--url <url>",
      `engine, such as sqlite:shop.db or postgres://user@host/db (default: a file in ${dataFolder}/)`,
    )
    .option("--fresh", "begin anew: remove the file first", false)
    .option("--speed <factor>", "replay in event time, so many seconds of it in a second", positive)
    .option("--fail <rate>", "share of the tries of handlers that fail and are tried again", rate, 0)
    .option("--poison <count>", "orders that fail for good until the handler is mended", whole(0), 0)
    .option("--kills <count>", "how often to end a process of the shop by SIGKILL", whole(0), 0)
    .option("--processes <count>", "processes that share the file", whole(1), 1)
    .option("--json", "print JSON lines, the summary last", false)
    .allowExcessArguments(false)
    .showHelpAfterError("(--help shows what there is)")
    .exitOverride()
    .parse([...argv], { from: "user" });
  const options = command.opts<Omit<Options, "url" | "file" | "data" | "speed"> & Partial<Options>>();
  const { data, speed } = options;
  const url = options.url ?? `sqlite:${join(dataFolder, data === undefined ? "shop.db" : `shop-${nameOf(data)}.db`)}`;
  const file = /^sqlite:(?:\/\/)?([^?]+)/.exec(url)?.[1];
  if (url.startsWith("memory:") && (options.kills > 0 || options.processes > 1))
    command.error("error: --kills and --processes need an engine that outlives a process, such as sqlite:shop.db");
  if (file === undefined && options.fresh)
    command.error(
      "error: --fresh removes a file; on a server begin anew in another schema: --url postgres://…?schema=NAME",
    );
  return { ...options, data, speed, url, file };
}

/** Other data, another file: `../data/olist` is kept in shop-olist.db. */
function nameOf(folder: string): string {
  return basename(resolve(folder)).replaceAll(/[^A-Za-z0-9._-]/g, "-") || "data";
}

function whole(least: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text);
    throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
  };
}

function positive(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError("It must be a number above 0.");
}

function rate(text: string): number {
  if (/^(0?\.\d+|0|1(\.0*)?)$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a number from 0 to 1, such as 0.05.");
}
