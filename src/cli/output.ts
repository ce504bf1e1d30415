import { type Column, renderPairs, renderTable } from "./table.ts";

/** What decides how output looks. */
export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  /** `auto` asks NO_COLOR, TERM and whether there is a terminal. */
  readonly color: "auto" | "always" | "never";
}

/** Where a command writes: results on stdout, everything else on stderr. */
export interface Output {
  readonly json: boolean;
  /** A result: as JSON with `--json`, else as the text says. */
  result(value: unknown, text: () => string): Promise<void>;
  /** One of many results, as a line of JSON or of text. Resolves when there is room for the next. */
  item(value: unknown, text: () => string): Promise<void>;
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string;
  pairs(pairs: Parameters<typeof renderPairs>[0]): string;
  /** Something worth knowing that is no result; not with `--quiet`. */
  note(text: string): void;
  /** Something that is wrong. */
  complain(text: string): void;
  /** Progress on one line of a terminal; nothing elsewhere. Without text it is wiped away. */
  progress(text?: string): void;
  bold(text: string): string;
}

/** Width of the terminal that results go to; COLUMNS says it where there is none. */
export function terminalWidth(): number {
  const columns = process.stdout.isTTY ? process.stdout.columns : Number(process.env["COLUMNS"]);
  return columns > 0 ? columns : Number.POSITIVE_INFINITY;
}

export function createOutput({ json, quiet, color }: OutputOptions): Output {
  const colored = color === "always" || (color === "auto" && wantsColor(process.stdout));
  const bold = (text: string): string => (colored && !json ? `\u001B[1m${text}\u001B[22m` : text);
  const red = color === "always" || (color === "auto" && wantsColor(process.stderr));
  let progressShown = false;
  const say = (text: string): void => {
    output.progress();
    process.stderr.write(`${text}\n`);
  };
  const output: Output = {
    json,
    bold,
    result: (value, text) => write(json ? `${stringify(value)}\n` : text()),
    item: (value, text) => write(json ? `${stringify(value)}\n` : text()),
    table: (columns, rows) => renderTable(columns, rows, terminalWidth(), bold),
    pairs: (pairs) => renderPairs(pairs, bold),
    note(text) {
      if (!quiet) say(text);
    },
    complain: (text) => say(red ? text.replace(/^(error|problem):/, "\u001B[31m$1\u001B[39m:") : text),
    progress(text) {
      if (quiet || json || !process.stderr.isTTY || (text === undefined && !progressShown)) return;
      process.stderr.write(text === undefined ? "\r\u001B[K" : `\r\u001B[K${text}`);
      progressShown = text !== undefined;
    },
  };
  return output;
}

function wantsColor(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, TERM } = process.env;
  return stream.isTTY && (NO_COLOR === undefined || NO_COLOR === "") && TERM !== "dumb";
}

/** What is undefined is said as null, so that the shape of a result does not depend on what it says. */
function stringify(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (each === undefined ? null : each));
}

function write(text: string): Promise<void> {
  if (text === "" || process.stdout.destroyed || process.stdout.write(text)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      process.stdout.off("drain", done);
      process.stdout.off("close", done);
      resolve();
    };
    process.stdout.once("drain", done);
    process.stdout.once("close", done);
  });
}
