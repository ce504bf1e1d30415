import { isTidingsError } from "../../errors/tidings-error.ts";
import type { EventRecord } from "../../event/record.ts";
import type { DeadLetterReason, FailureRecord } from "../records.ts";
import { fingerprint, generalize, textsOf } from "./fingerprint.ts";

/** Codes of our own that no retry can mend: the event itself does not fit, or the handler is written wrongly. */
const reasonByCode: Readonly<Record<string, DeadLetterReason>> = {
  TIDINGS_INVALID_PAYLOAD: "validation",
  TIDINGS_SCHEMA_ASYNC: "validation",
  TIDINGS_SCHEMA_FAILED: "validation",
  TIDINGS_EVENT_TOO_DEEP: "undecodable",
  TIDINGS_FORBIDDEN_PROPERTY: "undecodable",
  TIDINGS_DECODE_FAILED: "undecodable",
  TIDINGS_UPCAST_FAILED: "undecodable",
  TIDINGS_UNKNOWN_VERSION: "unmatched",
  TIDINGS_UNMATCHED: "unmatched",
  TIDINGS_ID_CONFLICT: "id-conflict",
  TIDINGS_STALLED: "stalled",
  TIDINGS_NOT_SERIALIZABLE: "terminal",
  TIDINGS_KEY_FUNCTION: "terminal",
  TIDINGS_EVENT_TOO_LARGE: "terminal",
  TIDINGS_INVALID_OPTION: "terminal",
  TIDINGS_INVALID_ARGUMENT: "terminal",
  TIDINGS_INVALID_NAME: "terminal",
  TIDINGS_NOT_FOUND: "terminal",
  TIDINGS_TRANSACTION_MISUSE: "terminal",
  TIDINGS_PUBLISH_IN_HANDLER: "terminal",
  TIDINGS_HANDLER_ENDED: "terminal",
};

/** What kind of failure this is, when a retry cannot mend it; undefined when it might. */
export function terminalReason(error: unknown): DeadLetterReason | undefined {
  if (isTidingsError(error)) return reasonByCode[error.code];
  return actionOf(error) === "terminal" ? "terminal" : undefined;
}

/** The action that a control error (TerminalError, RetryAfterError, …) asks for, told by shape. */
export function actionOf(error: unknown): "terminal" | "retry-after" | "pause" | "conflict" | undefined {
  if (!(error instanceof Error) || !("action" in error)) return undefined;
  const { action } = error;
  return action === "terminal" || action === "retry-after" || action === "pause" || action === "conflict"
    ? action
    : undefined;
}

/**
 * What was thrown, if it can be read and logged; otherwise an error that says so. A property of it may throw, be no text, or
 * lead in a circle, and whoever looks at it later must not fall over that.
 */
export function legible(thrown: unknown): unknown {
  try {
    if (thrown instanceof Error) {
      const { name, message, stack } = thrown as { [key in "name" | "message" | "stack"]: unknown };
      if (typeof name === "string" && typeof message === "string" && typeof (stack ?? "") === "string") return thrown;
    } else if (typeof thrown !== "object" || typeof JSON.stringify(thrown) === "string") {
      textOf(thrown);
      return thrown;
    }
  } catch {
    // Said below.
  }
  return new Error(`The handler threw ${typeof thrown === "object" ? "an object" : "something"} that cannot be read.`);
}

/** The message of what was thrown. */
export function textOf(error: unknown): string {
  return String((error as { message?: unknown } | null | undefined)?.message ?? error);
}

/** Code of an error: ours, the system's (`ECONNREFUSED`), or the name of its class. */
export function codeOf(error: unknown): string {
  if (error instanceof Error) {
    const { code } = error as { code?: unknown };
    return typeof code === "string" ? code : error.name;
  }
  return typeof error;
}

/**
 * What operators see of an error: message and stack cut to a sensible length, and a fingerprint. Failures are probably one
 * fault when code, class, place and the general part of the message are the same.
 */
export function failureRecord(error: unknown, record: EventRecord): FailureRecord {
  const thrown = error instanceof Error ? error : undefined;
  const code = codeOf(error);
  const name = thrown?.name ?? typeof error;
  const message = thrown?.message ?? safeText(error);
  const frames = framesOf(thrown?.stack);
  return {
    code,
    name,
    message: message.slice(0, 2000),
    ...(thrown?.stack ? { stack: thrown.stack.slice(0, 4000) } : {}),
    fingerprint: fingerprint(code, name, frames.join("|"), generalize(message, textsOf(record))),
  };
}

function safeText(value: unknown): string {
  try {
    return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  } catch {
    return String(value);
  }
}

/** The two topmost frames of the application's own code, without line numbers, which move with every edit. */
function framesOf(stack: string | undefined): readonly string[] {
  if (!stack) return [];
  return stack
    .split("\n")
    .filter((line) => /^\s+at /.test(line) && !line.includes("node:") && !line.includes("/node_modules/"))
    .slice(0, 2)
    .map((line) =>
      line
        .trim()
        .replace(/:\d+:\d+\)?$/, "")
        .replace(/\(?file:\/\/.*\//, ""),
    );
}
