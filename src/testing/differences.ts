import { isDeepStrictEqual } from "node:util";

/** Most lines of one comparison. */
const linesMax = 10;

/** Where two values of JSON differ, a line each: `data.total is 9, expected 10`. */
export function differences(actual: unknown, expected: unknown, path: string): readonly string[] {
  const lines: string[] = [];
  compare(actual, expected, path, lines);
  return lines.length <= linesMax
    ? lines
    : [...lines.slice(0, linesMax), `and ${lines.length - linesMax} differences more`];
}

function compare(actual: unknown, expected: unknown, path: string, lines: string[]): void {
  if (isDeepStrictEqual(actual, expected)) return;
  if (!isContainer(actual) || !isContainer(expected) || Array.isArray(actual) !== Array.isArray(expected)) {
    lines.push(`${path} is ${textOf(actual)}, expected ${textOf(expected)}`);
    return;
  }
  for (const name of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    const inner = Array.isArray(expected) ? `${path}[${name}]` : `${path}.${name}`;
    compare(actual[name], expected[name], inner, lines);
  }
}

const isContainer = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

const textOf = (value: unknown): string => (value === undefined ? "absent" : JSON.stringify(value));
