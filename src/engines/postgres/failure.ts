import { hasCode, isTidingsError, TidingsError } from "../../errors/tidings-error.ts";
import type { ErrorCode } from "../../errors/codes.ts";

/** What a failure of the server or of the way to it means for us. */
export type FailureKind =
  | "lost" // the connection broke: whether the statement took effect is not known
  | "away" // nobody answers, or the server starts, stops, or takes no more connections: nothing took effect
  | "barred" // the server does not let this role in: nothing took effect
  | "again" // a deadlock, a lock timeout, a serialization failure: nothing took effect
  | "full" // no space left
  | "denied"
  | "read-only"
  | "corrupt"
  | "other";

/** By SQLSTATE, or by the first two characters of it: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const kinds: Readonly<Record<string, FailureKind>> = {
  "08": "lost", "40": "again", "53100": "full", "53200": "again", "53300": "away", "53400": "again", "55P03": "again", "57014": "again",
  "57P01": "lost", "57P02": "lost", "57P03": "away", "57P05": "lost", "25006": "read-only", "28": "barred", "42501": "denied", "3D000": "barred",
  TD001: "again", TD002: "again", TD004: "again", "XX001": "corrupt", "XX002": "corrupt", "58030": "full",
}; // prettier-ignore

/** Errors of the socket while it connects: nothing was sent. */
const unreachable = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"]);
/** Errors of a socket that was connected. */
const broken = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED"]);

/** Tells what kind of failure an error of the client is. */
export function failureKind(error: unknown): FailureKind {
  const { code, message = "" } = (error ?? {}) as { code?: unknown; message?: string };
  if (hasCode(error, "TIDINGS_CREDENTIALS_UNAVAILABLE")) return "away";
  if (typeof code === "string") {
    const kind = kinds[code] ?? kinds[code.slice(0, 2)];
    if (kind) return kind;
    if (unreachable.has(code)) return "away";
    if (broken.has(code)) return "lost";
  }
  if (/timeout expired|timeout exceeded when trying to connect/i.test(message)) return "away";
  if (/Connection terminated|Query read timeout|not queryable|connection error/i.test(message)) return "lost";
  return "other";
}

/**
 * Whether the server may have ended with this, or its side of the connection: one that can write no more of its log, for want
 * of room, dies of it with the answer that a statement gets that is refused. What the statement has written of the log by
 * then takes effect when the server starts again. The word is in the server's language.
 */
export function mayEndConnection(error: unknown): boolean {
  const { severity } = (error ?? {}) as { severity?: unknown };
  return severity !== undefined && severity !== "ERROR";
}

/** What such a statement fails with when nobody is there any more. */
export function endedBy(error: unknown): Error {
  return new Error(`Connection terminated: ${describeFailure(error)}`, { cause: error });
}

/** Whether the server has not answered at all for as long as we wait. */
export function isSilence(error: unknown): boolean {
  return /Query read timeout/i.test((error as { message?: string } | undefined)?.message ?? "");
}

/** Whether the transaction saw the past only: see `sees_commits` in schema/commit.ts. */
export function isWrongIsolation(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === "TD005";
}

/** The server's own words with its code; never the statement, which may hold data. */
export function describeFailure(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  const words = message === undefined || message === "" ? String(code ?? error) : message;
  return code && !words.includes(code) ? `${words} (${code})` : words;
}

/** The stable error that stands for a failure; errors of ours and of the caller's statements pass through. */
export function toTidingsError(error: unknown, address: string): Error {
  if (isTidingsError(error)) return error;
  const make = (code: ErrorCode, sentence: string): TidingsError =>
    new TidingsError(code, `${sentence} PostgreSQL says: ${describeFailure(error)}.`, {
      cause: error,
      details: { address },
    });
  if (isWrongIsolation(error))
    return make("TIDINGS_TRANSACTION_MISUSE", `What writes to ${address} must be READ COMMITTED; leave the level of its transactions alone.`); // prettier-ignore
  switch (failureKind(error)) {
    case "lost":
    case "away":
      return make("TIDINGS_UNREACHABLE", `The server of ${address} cannot be reached; it is tried again.`);
    case "barred":
      return make(
        "TIDINGS_ACCESS_DENIED",
        `The server of ${address} does not let this role in: correct the address, or the role.`,
      );
    case "again":
      return make("TIDINGS_BUSY", `A lock of ${address} was held for too long; try again.`);
    case "full":
      return make("TIDINGS_DISK_FULL", `The disk of the server of ${address} is full; nothing was written.`);
    case "denied":
      return make(
        "TIDINGS_ACCESS_DENIED",
        `The role may not do this at ${address}; see "Permissions" in docs/engines/postgres.md.`,
      );
    case "read-only":
      return make("TIDINGS_READ_ONLY", `The server of ${address} takes no writes; it may be a standby.`);
    case "corrupt":
      return make("TIDINGS_FILE_CORRUPT", `Data of ${address} are damaged; restore a backup.`);
    case "other":
      break;
  }
  return error instanceof Error ? error : new Error(String(error));
}

/** The same of a call to an engine that runs: a server that lets it in no more, or that takes no writes for a while, is one that is away. */
export function toCallError(error: unknown, address: string): Error {
  const kind = failureKind(error);
  if (kind !== "barred" && kind !== "read-only") return toTidingsError(error, address);
  const what = kind === "barred" ? "does not let this role in" : "takes no writes; it may be a standby";
  const sentence = `The server of ${address} ${what}; it is tried again. PostgreSQL says: ${describeFailure(error)}.`;
  return new TidingsError("TIDINGS_UNREACHABLE", sentence, { cause: error, details: { address } });
}

/** The rejection of a write whose answer did not come. */
export function unknownOutcome(address: string, cause: unknown): TidingsError {
  return new TidingsError(
    "TIDINGS_OUTCOME_UNKNOWN",
    `The connection to ${address} broke during a commit (${describeFailure(cause)}): it may or may not have taken effect. Repeat with an id of your own.`,
    { cause, details: { address } },
  );
}

/** What every call after `close` rejects with. */
export function closedError(address: string): TidingsError {
  return new TidingsError("TIDINGS_CLOSED", `The engine of ${address} is closed.`, { details: { address } });
}
