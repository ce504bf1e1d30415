import type { ErrorCode } from "../../errors/codes.ts";
import { isTidingsError, TidingsError } from "../../errors/tidings-error.ts";

/** What a failure of the server or of the way to it means for us. */
export type FailureKind = "away" | "denied" | "tls" | "absent" | "locked" | "other-queue" | "too-large" | "no-streams" | "other"; // prettier-ignore

/** Tells what kind of failure an error of the client is; the server's own have the number of their reply as code. */
export function failureKind(error: unknown): FailureKind {
  const { code, message = "" } = (error ?? {}) as { code?: unknown; message?: string };
  if (/ACCESS[-_]REFUSED/.test(message) || code === 403) return "denied";
  if (typeof code === "number") return kindOfReply(code, message);
  if (typeof code === "string") {
    if (/^(ECONN|EPIPE|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ERR_STREAM)/.test(code)) return "away";
    if (/CERT|TLS|SSL|SELF_SIGNED|EPROTO/.test(code)) return "tls";
  }
  // The client does not say why it was not let into the vhost.
  if (/NOT[-_]ALLOWED|Expected ConnectionOpenOk/.test(message)) return "denied";
  // The client's own: a socket or channel that ended, or never answered.
  if (/socket closed|unexpected close|heartbeat timeout|connect ETIMEDOUT|channel (closed|ended)|connection (closed|closing)|no reply will be/i.test(message)) return "away"; // prettier-ignore
  return "other";
}

function kindOfReply(code: number, message: string): FailureKind {
  if (/feature flag is disabled/.test(message)) return "no-streams";
  switch (code) {
    case 404:
      return /down or inaccessible|not (available|running)|timeout/i.test(message) ? "away" : "absent";
    case 405:
      return "locked";
    case 406:
      if (/message size/i.test(message)) return "too-large";
      if (/invalid arg 'x-queue-type'/i.test(message)) return "no-streams";
      return /inequivalent arg/i.test(message) ? "other-queue" : /replica|leader/i.test(message) ? "away" : "other";
    case 540:
      return "no-streams";
    case 530:
      return "denied";
    case 320:
    case 504:
    case 506:
    case 541:
      return "away";
    default:
      return "other";
  }
}

/** The server's or the client's own words; never a payload. */
export function describeFailure(error: unknown): string {
  const { message, code } = (error ?? {}) as { message?: string; code?: unknown };
  const words = message === undefined || message === "" ? String(code ?? error) : message;
  // The client wraps what the server says; its first sentence is enough.
  return (/with message "([^"]*)"/.exec(words)?.[1] ?? words).replace(/\.$/, "");
}

/** The stable error that stands for a failure; errors of ours pass through. */
export function toTidingsError(error: unknown, address: string): Error {
  if (isTidingsError(error)) return error;
  const make = (code: ErrorCode, sentence: string): TidingsError =>
    new TidingsError(code, `${sentence} RabbitMQ says: ${describeFailure(error)}.`, { cause: error, details: { address } }); // prettier-ignore
  switch (failureKind(error)) {
    case "away":
    case "locked":
      return make("TIDINGS_UNREACHABLE", `The server of ${address} cannot be reached; it is tried again.`);
    case "denied":
      if (/Expected ConnectionOpenOk/.test(describeFailure(error)))
        return make("TIDINGS_ACCESS_DENIED", `There is no vhost of that name at ${address}, or this user may not use it.`);
      return make("TIDINGS_ACCESS_DENIED", `The server of ${address} does not let this user in, or not do this; see "Permissions" in docs/engines/rabbitmq.md.`); // prettier-ignore
    case "tls":
      return make("TIDINGS_ACCESS_DENIED", `No safe connection to ${address} can be made: correct the host in the address, or caFile.`); // prettier-ignore
    case "absent":
      return make("TIDINGS_STORE_REPLACED", `A stream of a declared topic is gone at ${address}: restore it from a backup.`); // prettier-ignore
    case "other-queue":
      return make("TIDINGS_SERVER_UNSAFE", `A queue at ${address} has our name and is no stream: delete it, or choose another prefix.`); // prettier-ignore
    case "no-streams":
      return make("TIDINGS_UNSUPPORTED", `Streams are not enabled at ${address}: rabbitmqctl enable_feature_flag stream_queue.`); // prettier-ignore
    case "too-large":
      return make("TIDINGS_EVENT_TOO_LARGE", `The server of ${address} takes no message as large as that; see max_message_size.`); // prettier-ignore
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

/** The rejection of a publish that the server does not take for now: it has raised an alarm. */
export function blockedError(address: string, why: string): TidingsError {
  return new TidingsError(
    "TIDINGS_DISK_FULL",
    `The server of ${address} takes no publishes (${why}): give it memory or disk; see "rabbitmq-diagnostics alarms".`,
    { details: { address } },
  );
}

/** A stream of a topic that was made and is there no more. */
export function gone(queue: string, address: string): TidingsError {
  return new TidingsError(
    "TIDINGS_STORE_REPLACED",
    `The stream "${queue}" of a declared topic is gone at ${address}; restore it from a backup.`,
    { details: { queue, address } },
  );
}
