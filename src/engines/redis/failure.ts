import { hasCode, isTidingsError, TidingsError } from "../../errors/tidings-error.ts";
import type { ErrorCode } from "../../errors/codes.ts";

/** What a failure of the server or of the way to it means for us. */
export type FailureKind =
  | "lost" // the connection broke: whether the command took effect is not known
  | "away" // nobody answers, or the server starts or cannot serve now: nothing took effect
  | "barred" // the server does not let this user in
  | "denied" // the user may not do this
  | "full" // no memory left, or no disk for the snapshot
  | "read-only" // a replica
  | "cluster"
  | "unloaded" // the server does not know the script any more
  | "certificate"
  | "other";

/** By the first word of the server's answer. */
const kinds: Readonly<Record<string, FailureKind>> = {
  LOADING: "away", MASTERDOWN: "away", BUSY: "away", TRYAGAIN: "away", UNKILLABLE: "away", NOREPLICAS: "away",
  NOAUTH: "barred", WRONGPASS: "barred", NOPERM: "denied", OOM: "full", MISCONF: "full", READONLY: "read-only",
  MOVED: "cluster", ASK: "cluster", CLUSTERDOWN: "cluster", CROSSSLOT: "cluster", NOSCRIPT: "unloaded",
}; // prettier-ignore

/** Errors of the socket while it connects: nothing was sent. */
const unreachable = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"]);

/** Tells what kind of failure an error of the client is. */
export function failureKind(error: unknown): FailureKind {
  if (error instanceof LostError) return "lost";
  if (hasCode(error, "TIDINGS_CREDENTIALS_UNAVAILABLE")) return "away";
  const { code, message = "" } = (error ?? {}) as { code?: unknown; message?: string };
  if (typeof code === "string") {
    if (unreachable.has(code)) return "away";
    if (/^ERR_TLS_CERT|CERT|_SIGNATURE$/.test(code)) return "certificate";
  }
  const found = kinds[wordOf(message)];
  if (found) return found;
  if (/invalid password|AUTH <password>|max number of clients/i.test(message))
    return /clients/.test(message) ? "away" : "barred";
  if (/connection timeout|socket closed|disconnects client|client is closed|ECONNRESET|EPIPE/i.test(`${message} ${String(code)}`)) return "away"; // prettier-ignore
  return "other";
}

/** A script that refuses, or in which a command was refused, may have that command's word behind a phrase of its own. */
function wordOf(message: string): string {
  const [word = ""] = message.split(/[\s:]/, 1);
  if (word in kinds) return word;
  return /\b(NOPERM|OOM|MISCONF|READONLY)\b/.exec(message)?.[1] ?? deniedIn(message);
}

const deniedIn = (message: string): string => (/can't run this command|no permissions/i.test(message) ? "NOPERM" : "");

/** A command that was sent and not answered. */
export class LostError extends Error {
  constructor(why: string) {
    super(why);
    this.name = "LostError";
  }
}

/** Whether trying again may help, because nothing took effect or because a read may be repeated. */
export function passes(error: unknown): boolean {
  const kind = failureKind(error);
  return kind === "lost" || kind === "away" || kind === "barred" || kind === "read-only" || kind === "unloaded";
}

/** The server's own words; never the command, which may hold data. */
export function describeFailure(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  const words = message === undefined || message === "" ? String(code ?? error) : message;
  // Behind the sentence stands where in which script it was.
  const told = words.replace(/,? ?script: .*$/s, "").replace(/\.$/, "");
  return code && !told.includes(code) ? `${told} (${code})` : told;
}

const sentences: Readonly<Partial<Record<FailureKind, readonly [ErrorCode, (address: string) => string]>>> = {
  lost: ["TIDINGS_UNREACHABLE", (address) => `The server of ${address} cannot be reached; it is tried again.`],
  away: ["TIDINGS_UNREACHABLE", (address) => `The server of ${address} cannot be reached; it is tried again.`],
  barred: ["TIDINGS_ACCESS_DENIED", (address) => `The server of ${address} does not let this user in: correct the address, or the user.`],
  denied: ["TIDINGS_ACCESS_DENIED", (address) => `The user may not do this at ${address}; see "Permissions" in docs/engines/redis.md.`],
  full: ["TIDINGS_DISK_FULL", (address) => `The server of ${address} has no room for more; nothing was written.`],
  "read-only": ["TIDINGS_READ_ONLY", (address) => `The server of ${address} takes no writes: it is a replica; name the primary.`],
  cluster: ["TIDINGS_UNSUPPORTED", (address) => `The server of ${address} is part of a Redis Cluster, which this engine does not know; name a single server.`],
  unloaded: ["TIDINGS_UNREACHABLE", (address) => `The server of ${address} has forgotten its scripts; it is tried again.`],
  certificate: ["TIDINGS_ACCESS_DENIED", (address) => `The certificate of the server of ${address} cannot be trusted: name the host that it is for, or who has signed it in "caFile".`],
}; // prettier-ignore

/** The stable error that stands for a failure; errors of ours pass through. */
export function toTidingsError(error: unknown, address: string): Error {
  if (isTidingsError(error)) return error;
  const found = sentences[failureKind(error)];
  if (!found) return error instanceof Error ? error : new Error(String(error));
  const [code, sentence] = found;
  return new TidingsError(code, `${sentence(address)} Redis says: ${describeFailure(error)}.`, {
    cause: error,
    details: { address },
  });
}

/** The same of a call to an engine that runs: a server that lets it in no more, or that takes no writes for a while, is one that is away. */
export function toCallError(error: unknown, address: string): Error {
  const kind = failureKind(error);
  if (kind !== "barred" && kind !== "read-only") return toTidingsError(error, address);
  const what = kind === "barred" ? "does not let this user in" : "takes no writes: it is a replica";
  const sentence = `The server of ${address} ${what}; it is tried again. Redis says: ${describeFailure(error)}.`;
  return new TidingsError("TIDINGS_UNREACHABLE", sentence, { cause: error, details: { address } });
}

/** The rejection of a publish of which it cannot be found out whether it took effect. */
export function unknownOutcome(address: string, why: string): TidingsError {
  return new TidingsError(
    "TIDINGS_OUTCOME_UNKNOWN",
    `The connection to ${address} broke during a publish (${why}): it may or may not have taken effect. Repeat with an id of your own.`,
    { details: { address } },
  );
}

/** What was read or acknowledged before is not there any more. */
export function storeReplaced(address: string, why: string): TidingsError {
  return new TidingsError(
    "TIDINGS_STORE_REPLACED",
    `The store at ${address} is not the one that this process has worked with: ${why}. Start the members again, so that they go on from what it holds; look with "tidings sub ls" at where they stand.`,
    { details: { address } },
  );
}
