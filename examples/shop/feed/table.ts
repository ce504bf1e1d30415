// A CSV file as rows that know where they stand, so that every complaint can name the file, the line and the column.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { CsvError, parse } from "csv-parse/sync";
import { TidingsError } from "tidings";

interface Place {
  readonly file: string;
  readonly line: number;
  readonly column?: string;
}

/** The error of a malformed file, in one sentence. */
function malformed(place: Place, complaint: string, cause?: unknown): TidingsError {
  const { file, line, column } = place;
  const where = `${file}, line ${line}${column === undefined ? "" : `, column ${column}`}`;
  return new TidingsError("TIDINGS_INVALID_INPUT", `${where}: ${complaint}.`, { cause, details: { ...place } });
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
    return this.optional(column) ?? this.refuse(column, "is empty");
  }

  /** The value, or undefined where it is empty. */
  optional(column: Column): string | undefined {
    return this.#values[column] === "" ? undefined : this.#values[column];
  }

  /** Throws TIDINGS_INVALID_INPUT with the place of the value. */
  refuse(column: Column, complaint: string): never {
    const value = this.#values[column];
    const shown = value === "" ? "" : `${JSON.stringify(value.slice(0, 80))} `;
    throw malformed({ file: this.#file, line: this.#line, column }, `${shown}${complaint}`);
  }
}

/** Reads a CSV file that has at least these columns. Throws TIDINGS_INVALID_INPUT. */
export function readTable<Column extends string>(path: string, columns: readonly Column[]): Row<Column>[] {
  const file = basename(path);
  const [header, ...records] = parseFile(path, file);
  if (!header) throw malformed({ file, line: 1 }, "the file is empty where its header should be");
  const names = header.values;
  const missing = columns.find((column) => !names.includes(column));
  if (missing !== undefined) throw malformed({ file, line: 1 }, `the header has no column ${missing}`);
  return records.map(({ values, line }) => {
    if (values.length !== names.length) {
      const column = names[Math.min(values.length, names.length - 1)] as string;
      throw malformed({ file, line, column }, `the row has ${values.length} fields and the header ${names.length}`);
    }
    const byColumn = Object.fromEntries(names.map((name, index) => [name, values[index] as string]));
    return new Row(file, line, byColumn as Record<Column, string>);
  });
}

interface Parsed {
  readonly values: readonly string[];
  readonly line: number;
}

function parseFile(path: string, file: string): Parsed[] {
  const text = readText(path);
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
    if (cause.code === "CSV_QUOTE_NOT_CLOSED") {
      throw malformed({ file, line: lines + 1, column }, "a quote is opened here and never closed", cause);
    }
    throw malformed({ file, line: Number(cause["lines"]), column }, "a quote stands where none may", cause);
  }
  return parsed;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "it does not exist" : message;
    throw new TidingsError("TIDINGS_INVALID_INPUT", `The file ${path} cannot be read: ${reason}.`, { cause });
  }
}
