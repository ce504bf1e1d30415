/** One column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number;
  /** Numbers stand at the right. */
  readonly right?: boolean;
}

/** Rows under their titles; where the terminal is too narrow for them, one field a line. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
  heading: (text: string) => string = (text) => text,
): string {
  const cells = rows.map((row) => columns.map(({ value }) => printable(String(value(row)))));
  const widths = columns.map(({ title }, i) =>
    Math.max(title.length, ...cells.map((line) => widthOf(line[i] as string))),
  );
  const total = widths.reduce((sum, each) => sum + each + 2, -2);
  if (total > width) return renderFields(columns, cells, heading);
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => pad(text, widths[i] as number, columns[i]?.right ?? false))
      .join("  ")
      .trimEnd();
  return [heading(line(columns.map(({ title }) => title))), ...cells.map(line)].map((text) => `${text}\n`).join("");
}

function renderFields<Row>(
  columns: readonly Column<Row>[],
  cells: readonly (readonly string[])[],
  heading: (text: string) => string,
): string {
  const longest = Math.max(...columns.map(({ title }) => title.length));
  return cells
    .map((line) =>
      columns.map(({ title }, i) => `${heading(pad(title, longest, false))}  ${line[i]}`.trimEnd()).join("\n"),
    )
    .map((block) => `${block}\n`)
    .join("\n");
}

/** Names and values, one pair a line. */
export function renderPairs(
  pairs: readonly (readonly [name: string, value: string | number | boolean | undefined])[],
  heading: (text: string) => string = (text) => text,
): string {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== "");
  const longest = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${heading(pad(name, longest, false))}  ${printable(String(value))}\n`).join("");
}

function pad(text: string, width: number, right: boolean): string {
  const blanks = " ".repeat(Math.max(0, width - widthOf(text)));
  return right ? blanks + text : text + blanks;
}

/** Code points: good enough for keys and names; nothing in here measures fonts. */
function widthOf(text: string): number {
  // eslint-disable-next-line typescript/no-misused-spread -- code points are what is meant
  return [...text].length;
}

/** Control characters in keys and messages must not move the cursor of a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, (character) =>
    character === "\n" ? "⏎" : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
