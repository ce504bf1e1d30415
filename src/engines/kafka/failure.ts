import type { ErrorCode } from "../../errors/codes.ts";
import { isTidingsError, TidingsError } from "../../errors/tidings-error.ts";

/** An answer of a broker's that says no. Codes: https://kafka.apache.org/protocol#protocol_error_codes */
export class Refusal extends Error {
  readonly number: number;

  constructor(number: number, what: string) {
    super(`${names[number] ?? "error"} (${number}) for ${what}`);
    this.number = number;
  }
}

/** What a failure of a broker or of the way to it means for us. */
export type FailureKind = "away" | "denied" | "tls" | "absent" | "range" | "identity" | "large" | "other";

const kinds: Readonly<Record<number, FailureKind>> = {
  1: "range", 2: "away", 3: "absent", 5: "away", 6: "away", 7: "away", 8: "away", 9: "away", 10: "large", 13: "away", 14: "away", 15: "away",
  16: "away", 18: "large", 19: "away", 20: "away", 29: "denied", 30: "denied", 31: "denied", 33: "denied", 34: "denied", 41: "away", 45: "identity",
  46: "identity", 47: "identity", 53: "denied", 56: "away", 58: "denied", 59: "identity", 72: "away", 74: "away", 75: "away", 78: "away", 89: "away",
  100: "absent", 103: "away",
}; // prettier-ignore

const names: Readonly<Record<number, string>> = {
  1: "OFFSET_OUT_OF_RANGE", 3: "UNKNOWN_TOPIC_OR_PARTITION", 5: "LEADER_NOT_AVAILABLE", 6: "NOT_LEADER_OR_FOLLOWER", 7: "REQUEST_TIMED_OUT",
  10: "MESSAGE_TOO_LARGE", 17: "INVALID_TOPIC_EXCEPTION", 19: "NOT_ENOUGH_REPLICAS", 20: "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  15: "COORDINATOR_NOT_AVAILABLE", 16: "NOT_COORDINATOR", 22: "ILLEGAL_GENERATION", 25: "UNKNOWN_MEMBER_ID", 29: "TOPIC_AUTHORIZATION_FAILED",
  30: "GROUP_AUTHORIZATION_FAILED", 31: "CLUSTER_AUTHORIZATION_FAILED", 38: "INVALID_REPLICATION_FACTOR", 44: "POLICY_VIOLATION",
  45: "OUT_OF_ORDER_SEQUENCE_NUMBER", 56: "KAFKA_STORAGE_ERROR", 59: "UNKNOWN_PRODUCER_ID", 87: "INVALID_RECORD",
}; // prettier-ignore

/** Tells what kind of failure an error of the client, or a refusal of a broker, is. */
export function failureKind(error: unknown): FailureKind {
  if (error instanceof Refusal) return kinds[error.number] ?? "other";
  const { code = "", message = "", cause, errors } = (error ?? {}) as ClientError;
  // Of an error in an error the innermost says why.
  for (const deeper of [cause, ...(errors ?? [])]) {
    const kind = deeper === undefined ? "other" : failureKind(deeper);
    if (kind !== "other" && kind !== "away") return kind;
  }
  const apiCode = (error as { apiCode?: number } | undefined)?.apiCode;
  if (typeof apiCode === "number") return kinds[apiCode] ?? "other";
  if (code === "PLT_KFK_AUTHENTICATION" || /authentication failed|SASL/i.test(message))
    // A connection that breaks while somebody introduces himself says nothing about him.
    return cause !== undefined && failureKind(cause) === "away" ? "away" : "denied";
  if (/requires TLS|TLS handshake/i.test(message)) return "tls";
  if (/^(ECONN|EPIPE|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)/.test(code)) return "away";
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_/.test(code)) return "tls";
  return /^PLT_KFK_(NETWORK|TIMEOUT|UNEXPECTED_CORRELATION_ID)$/.test(code) ? "away" : "other";
}

interface ClientError {
  readonly code?: string;
  readonly message?: string;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
}

/** Whether a connection was not made for want of a proof of who we are that the broker takes. */
export function isUnproved(error: unknown): boolean {
  if (isTidingsError(error))
    return error.code === "TIDINGS_CREDENTIALS_UNAVAILABLE" || error.code === "TIDINGS_ACCESS_DENIED";
  return failureKind(error) === "denied";
}

/** The broker's or the client's own words; never a payload. */
export function describeFailure(error: unknown): string {
  const { message, code, cause, errors } = (error ?? {}) as ClientError;
  const words = (message === undefined || message === "" ? String(code ?? error) : message).replace(/[.\s]+$/, "");
  const inner = cause ?? errors?.[0];
  const more = inner === undefined ? "" : describeFailure(inner);
  return more === "" || words.includes(more) ? words : `${words}: ${more}`;
}

/** The stable error that stands for a failure; errors of ours pass through. */
export function toTidingsError(error: unknown, address: string): Error {
  if (isTidingsError(error)) return error;
  const make = (code: ErrorCode, sentence: string): TidingsError =>
    new TidingsError(code, `${sentence} Kafka says: ${describeFailure(error)}.`, {
      cause: error,
      details: { address },
    });
  switch (failureKind(error)) {
    case "away":
      return make("TIDINGS_UNREACHABLE", `No broker of ${address} can do this now; it is tried again.`);
    case "denied":
      return make("TIDINGS_ACCESS_DENIED", `The brokers of ${address} do not let this user in, or not do this; see "Permissions" in docs/engines/kafka.md.`); // prettier-ignore
    case "tls":
      return make("TIDINGS_ACCESS_DENIED", `No safe connection to ${address} can be made: correct the scheme (kafkas:// takes TLS), the host in the address, or caFile.`); // prettier-ignore
    case "absent":
      return make("TIDINGS_STORE_REPLACED", `A declared topic is gone at ${address}: restore it.`);
    case "large":
      return make("TIDINGS_EVENT_TOO_LARGE", `An event is larger than ${address} takes now (max.message.bytes).`);
    case "range":
    case "identity":
    case "other":
      break;
  }
  return error instanceof Error ? error : new Error(String(error));
}

/** The rejection of a call for which no broker could be reached in time. */
export function unreachable(address: string, why: string | undefined): TidingsError {
  return new TidingsError(
    "TIDINGS_UNREACHABLE",
    `No broker of ${address} can be reached${why === undefined ? "" : ` (${why})`}; it is tried again.`,
    { details: { address } },
  );
}
