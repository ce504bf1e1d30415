// A CSV file as rows that know where they stand, so that every complaint can name the file, the line and the column.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { CsvError, parse } from "csv-parse/sync";

/** Input that cannot be read, in one sentence. */
export class InputError extends Error {
  override readonly name = "InputError";
  readonly code = "TIDINGS_INVALID_INPUT";
  readonly details: Readonly<Record<string, string | number>>;

  constructor(message: string, details: Readonly<Record<string, string | number>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.details = details;
  }
}

/** One record of the file. */
export class Row<Column extends string = string> {
  readonly #file: string;
  readonly #line: number;
  readonly #values: Readonly<Record<Column, string>>;

  constructor(file: string, line: number, values: Readonly<Record<Column, string>>) {
    this.#file = file;
    this.#line = line;
    this.#values = values;
  }

  /** The value of a column that must not be empty. */
  text(column: Column): string {
    const value = this.#values[column];
    return value === "" ? this.refuse(column, "is empty") : value;
  }

  /** The value, or undefined where it is empty. */
  optional(column: Column): string | undefined {
    return this.#values[column] === "" ? undefined : this.#values[column];
  }

  /** Throws TIDINGS_INVALID_INPUT with the place of the value. */
  refuse(column: Column, complaint: string): never {
    const value = this.#values[column];
    const shown = value === "" ? "" : ` ${JSON.stringify(value.slice(0, 80))}`;
    throw new InputError(`${this.#file}, line ${this.#line}, column ${column}:${shown} ${complaint}.`, {
      file: this.#file,
      line: this.#line,
      column,
    });
  }
}

/** Reads a CSV file that has at least these columns. Throws TIDINGS_INVALID_INPUT. */
export function readTable<Column extends string>(path: string, columns: readonly Column[]): Row<Column>[] {
  const file = basename(path);
  const [header, ...records] = parseFile(path, file);
  if (!header)
    throw new InputError(`${file}, line 1: the file is empty where its header should be.`, { file, line: 1 });
  for (const column of columns) {
    if (header.values.includes(column)) continue;
    throw new InputError(`${file}, line 1: the header has no column ${column}.`, { file, line: 1, column });
  }
  return records.map(({ values, line }) => {
    if (values.length !== header.values.length) {
      const column = header.values[Math.min(values.length, header.values.length - 1)] as string;
      throw new InputError(
        `${file}, line ${line}, column ${column}: the row has ${values.length} fields and the header ${header.values.length}.`,
        { file, line, column },
      );
    }
    const byColumn = Object.fromEntries(header.values.map((name, index) => [name, values[index] as string]));
    return new Row(file, line, byColumn as Record<Column, string>);
  });
}

interface Parsed {
  readonly values: readonly string[];
  readonly line: number;
}

function parseFile(path: string, file: string): Parsed[] {
  const text = readText(path, file);
  const parsed: Parsed[] = [];
  let lines = 0;
  try {
    parse(text, {
      // The counts are compared above, where the names of the columns are known.
      relax_column_count: true,
      skip_empty_lines: true,
      on_record(values: string[], context) {
        ({ lines } = context);
        // The parser says where the record ends; fields may hold line breaks.
        parsed.push({ values, line: lines - values.join("").split("\n").length + 1 });
        return null;
      },
    });
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    const column = parsed[0]?.values[Number(cause["column"])] ?? String(cause["column"]);
    // It notices an open quote at the end of the file, where it is of no use to anybody.
    const open = cause.code === "CSV_QUOTE_NOT_CLOSED";
    const line = open ? lines + 1 : Number(cause["lines"]);
    const complaint = open ? "a quote is opened here and never closed" : "a quote stands where none may";
    throw new InputError(`${file}, line ${line}, column ${column}: ${complaint}.`, { file, line, column }, cause);
  }
  return parsed;
}

function readText(path: string, file: string): string {
  try {
    return readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch (cause) {
    throw new InputError(`The file ${path} cannot be read: ${reasonOf(cause)}.`, { file }, cause);
  }
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code === "ENOENT" ? "it does not exist" : (error as Error).message;
}
