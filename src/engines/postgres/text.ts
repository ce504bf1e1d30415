/**
 * PostgreSQL keeps every character in a text but NUL, and half of a surrogate pair is no character. One that stands in a name or
 * a value is written as some characters of which the first is no character at all, and so is that one itself.
 */
const escape = "\u{10FFFF}";

/** Behind every key and name there is: these hold the character only before a digit. */
export const behindAll = escape + escape;

const special = new RegExp(`${escape}(0|1|2d[89a-f][0-9a-f]{2})`, "gu");

/** The text as it stands in a column. */
export function toColumn(text: string): string {
  if (!text.includes("\0") && !text.includes(escape) && text.isWellFormed()) return text;
  return text
    .replaceAll(escape, `${escape}1`)
    .replaceAll("\0", `${escape}0`)
    .replace(/\p{Surrogate}/gu, (half) => `${escape}2${half.charCodeAt(0).toString(16)}`);
}

/** The text that stands in a column. */
export function fromColumn(text: string): string {
  if (!text.includes(escape)) return text;
  return text.replace(special, (_, code: string) =>
    code === "0" ? "\0" : code === "1" ? escape : String.fromCharCode(Number.parseInt(code.slice(1), 16)),
  );
}
