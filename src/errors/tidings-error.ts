import { type ErrorCode, errorCatalogue } from "./codes.ts";

/** Extra facts of an error: the cause, and the names an operator needs (never a secret). */
export interface ErrorOptions {
  readonly cause?: unknown;
  /** Topic, subscription, key, file, line and the like. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
}

const brand: unique symbol = Symbol.for("tidings.error") as never;

/**
 * Every error that tidings itself raises. `code` is stable and listed in docs/reference/errors.md;
 * the message is one sentence that says what is wrong, where, and what to do.
 */
export class TidingsError extends Error {
  override readonly name: string = "TidingsError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
  readonly [brand] = true;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  /** Whether trying the same again later may succeed. */
  get retryable(): boolean {
    return errorCatalogue[this.code].retryable;
  }
}

/** Tells a tidings error apart, also across two copies of the package in one process. */
export function isTidingsError(error: unknown): error is TidingsError {
  return typeof error === "object" && error !== null && (error as Record<symbol, unknown>)[brand] === true;
}

/** Whether `error` is a tidings error with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is TidingsError {
  return isTidingsError(error) && error.code === code;
}
