/**
 * PostgreSQL keeps every character in a text but NUL. One that stands in a name or a value is written as two characters of
 * which the first is no character at all, and so is that one itself.
 */
const escape = "\u{10FFFF}";

/** The text as it stands in a column. */
export function toColumn(text: string): string {
  if (!text.includes("\0") && !text.includes(escape)) return text;
  return text.replaceAll(escape, `${escape}1`).replaceAll("\0", `${escape}0`);
}

/** The text that stands in a column. */
export function fromColumn(text: string): string {
  if (!text.includes(escape)) return text;
  return text.replaceAll(`${escape}0`, "\0").replaceAll(`${escape}1`, escape);
}
