import { TidingsError } from "./tidings-error.ts";

/**
 * Errors a handler throws to say what should happen next. Each carries its `action`, so that the
 * retry rules can tell them apart by shape, also across two copies of the package.
 */

/** Give up at once: the event becomes a dead letter without further tries. */
export class TerminalError extends Error {
  override readonly name = "TerminalError";
  readonly action = "terminal";
}

/** Try again after the given time, as a dependency asked for (HTTP Retry-After, say). */
export class RetryAfterError extends Error {
  override readonly name = "RetryAfterError";
  readonly action = "retry-after";
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number, options?: { cause?: unknown }) {
    super(message, options);
    this.retryAfterMs = checkMs("retryAfterMs", retryAfterMs);
  }
}

/** Pause the whole subscription, for a time or until an operator resumes it; the event stays first. */
export class PauseError extends Error {
  override readonly name = "PauseError";
  readonly action = "pause";
  /** How long to pause; absent means until resumed. */
  readonly pauseMs: number | undefined;

  constructor(message: string, pauseMs?: number, options?: { cause?: unknown }) {
    super(message, options);
    this.pauseMs = pauseMs === undefined ? undefined : checkMs("pauseMs", pauseMs);
  }
}

/** Something the handler read has changed: run it again at once, without using up an attempt. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
  readonly action = "conflict";
}

function checkMs(name: string, ms: number): number {
  if (Number.isFinite(ms) && ms >= 0) return ms;
  throw new TidingsError("TIDINGS_INVALID_OPTION", `${name} must be a number of at least 0, not ${String(ms)}.`);
}
