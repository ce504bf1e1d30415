import type { ErrorCode } from "../../errors/codes.ts";
import { isTidingsError, TidingsError } from "../../errors/tidings-error.ts";

/** An answer of the server's that says no. Codes: https://github.com/nats-io/nats-server/blob/main/server/errors.json */
export class Refusal extends Error {
  readonly errCode: number;
  readonly status: number;

  constructor({ code = 0, err_code: errCode = 0, description = "" }: RefusalBody) {
    super(`${description} (${errCode === 0 ? code : errCode})`);
    this.errCode = errCode;
    this.status = code;
  }
}

/** How the server writes it. */
export interface RefusalBody {
  readonly code?: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** What a failure of the server or of the way to it means for us. */
export type FailureKind = "away" | "denied" | "tls" | "full" | "absent" | "chain" | "sequence" | "disabled" | "other";

const kinds: Readonly<Record<number, FailureKind>> = {
  10008: "away", 10009: "away", 10158: "away", 10164: "away", 10077: "full", 10047: "full", 10023: "full", 10028: "full", 10002: "full",
  10059: "absent", 10014: "absent", 10037: "absent", 10070: "chain", 10071: "sequence", 10039: "disabled", 10076: "disabled",
}; // prettier-ignore

/** Tells what kind of failure an error of the client, or a refusal of the server, is. */
export function failureKind(error: unknown): FailureKind {
  if (error instanceof Refusal) return kinds[error.errCode] ?? (error.status === 503 ? "away" : "other");
  const { code, message = "", name = "", cause } = (error ?? {}) as Record<string, string | undefined>;
  if (code !== undefined) {
    if (/^(ECONN|EPIPE|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)/.test(code)) return "away";
    if (/CERT|TLS|SSL|SELF_SIGNED/.test(code)) return "tls";
  }
  if (/^(Authorization|PermissionViolation|UserAuthenticationExpired)/.test(name) || /authorization/i.test(message))
    return "denied";
  if (/tls/i.test(message) && /not (available|support)|required/i.test(message)) return "tls";
  if (/^(Timeout|NoResponders|ClosedConnection|DrainingConnection|Connection|Request)Error$/.test(name)) {
    const deeper = cause === undefined ? "other" : failureKind(cause);
    return deeper === "tls" || deeper === "denied" ? deeper : "away";
  }
  return "other";
}

/** The server's or the client's own words; never a payload. */
export function describeFailure(error: unknown): string {
  const { message, code, cause } = (error ?? {}) as { message?: string; code?: string; cause?: unknown };
  const words = message === undefined || message === "" ? String(code ?? error) : message;
  return cause instanceof Error && !words.includes(cause.message) ? `${words}: ${cause.message}` : words;
}

/** The stable error that stands for a failure; errors of ours pass through. */
export function toTidingsError(error: unknown, address: string): Error {
  if (isTidingsError(error)) return error;
  const make = (code: ErrorCode, sentence: string): TidingsError =>
    new TidingsError(code, `${sentence} NATS says: ${describeFailure(error)}.`, { cause: error, details: { address } });
  switch (failureKind(error)) {
    case "away":
      return make("TIDINGS_UNREACHABLE", `The server of ${address} cannot be reached; it is tried again.`);
    case "denied":
      return make("TIDINGS_ACCESS_DENIED", `The server of ${address} does not let this user in, or not do this; see "Permissions" in docs/engines/nats.md.`); // prettier-ignore
    case "tls":
      return make("TIDINGS_ACCESS_DENIED", `No safe connection to ${address} can be made: correct the host in the address, or caFile.`); // prettier-ignore
    case "full":
      return make("TIDINGS_DISK_FULL", `The server of ${address} has no room left for this account.`);
    case "disabled":
      return make("TIDINGS_UNSUPPORTED", `JetStream is not enabled at ${address}: set "jetstream {}" in the server, and for the account.`); // prettier-ignore
    case "absent":
      return make("TIDINGS_STORE_REPLACED", `A stream of a declared topic is gone at ${address}: restore it from a backup.`); // prettier-ignore
    case "chain":
    case "sequence":
    case "other":
      break;
  }
  return error instanceof Error ? error : new Error(String(error));
}

/** The rejection of a call for which the server could not be reached in time. */
export function unreachable(address: string, why: string | undefined): TidingsError {
  return new TidingsError(
    "TIDINGS_UNREACHABLE",
    `The server of ${address} cannot be reached${why === undefined ? "" : ` (${why})`}; it is tried again.`,
    { details: { address } },
  );
}
