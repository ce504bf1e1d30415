import { TidingsError } from "../errors/tidings-error.ts";

/** What a value is, in few words, for a sentence about an argument that is wrong. Never throws. */
export function sketch(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
    case "number":
    case "bigint":
      return `the number ${value}`;
    case "boolean":
    case "undefined":
      return String(value);
    case "function":
      return "a function";
    case "symbol":
      return "a symbol";
    case "object":
      break;
  }
  if (value === null) return "null";
  return Array.isArray(value) ? (value.length === 0 ? "an empty list" : "a list") : "an object";
}

/** The error for an argument that is not what a function takes. */
export function wrongArgument(sentence: string, details: TidingsError["details"] = {}): TidingsError {
  return new TidingsError("TIDINGS_INVALID_ARGUMENT", sentence, { details });
}

/** Refuses what is no text. Throws TIDINGS_INVALID_ARGUMENT. */
export function checkText(where: string, what: string, value: unknown): void {
  if (typeof value !== "string") throw wrongArgument(`${where} takes ${what} as text, and was given ${sketch(value)}.`);
}

/** Whether a value has members: neither a list nor a function. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
