import { TidingsError } from "../../errors/tidings-error.ts";
import type { Connection } from "./connection.ts";
import { failureKind } from "./failure.ts";
import type { Settings } from "./options.ts";

/** What a server says about itself. */
export interface Facts {
  readonly version: string;
  readonly role: string;
  readonly cluster: boolean;
  readonly appendonly: boolean;
  /** `always`, `everysec` or `no`; undefined when the user may not ask. */
  readonly appendfsync: string | undefined;
  /** Whether nothing is synced while a child writes a snapshot or a new append-only file. */
  readonly unsyncedWhileRewriting: boolean;
  readonly eviction: string;
  readonly memoryMax: number;
}

const versionLeast = 7;

/** Asks a server. */
export async function factsOf(connection: Connection): Promise<Facts> {
  const [info, config] = await Promise.all([connection.send<string>(["INFO"]), configOf(connection)]);
  const told = new Map(info.split("\r\n").map((line) => line.split(/:(.*)/s, 2) as [string, string]));
  return {
    version: told.get("redis_version") ?? "",
    role: told.get("role") ?? "",
    cluster: told.get("cluster_enabled") === "1",
    appendonly: config ? config.get("appendonly") === "yes" : told.get("aof_enabled") === "1",
    appendfsync: config?.get("appendfsync"),
    unsyncedWhileRewriting: config?.get("no-appendfsync-on-rewrite") === "yes",
    eviction: told.get("maxmemory_policy") ?? config?.get("maxmemory-policy") ?? "",
    memoryMax: Number(told.get("maxmemory") ?? 0),
  };
}

/** Undefined when the user may not ask, or a provider has taken the command away. */
async function configOf(connection: Connection): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const names = ["appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy"];
    const reply = await connection.send<string[]>(["CONFIG", "GET", ...names]);
    return new Map(Array.from({ length: reply.length / 2 }, (_, i) => [reply[2 * i] ?? "", reply[2 * i + 1] ?? ""]));
  } catch (error) {
    const refused = failureKind(error) === "denied" || /unknown command/i.test((error as Error).message);
    if (refused) return undefined;
    throw error;
  }
}

/** What an acknowledgement of this server is worth. */
export function durabilityOf({ appendonly, appendfsync, unsyncedWhileRewriting }: Facts): "disk" | "confirmed" {
  return appendonly && appendfsync === "always" && !unsyncedWhileRewriting ? "disk" : "confirmed";
}

/**
 * Refuses a server on which events could be lost or not be taken. Throws TIDINGS_SERVER_TOO_OLD, TIDINGS_UNSUPPORTED,
 * TIDINGS_SERVER_UNSAFE, and an error of the kind `read-only` for a replica.
 */
export function checkFacts(facts: Facts, { address, weak, readOnly }: Settings): void {
  const refuse = (code: "TIDINGS_SERVER_TOO_OLD" | "TIDINGS_UNSUPPORTED" | "TIDINGS_SERVER_UNSAFE", why: string) =>
    new TidingsError(code, `The server of ${address} ${why}`, { details: { address } });
  if (!(Number.parseInt(facts.version, 10) >= versionLeast))
    throw refuse("TIDINGS_SERVER_TOO_OLD", `is Redis ${facts.version}; the engine needs ${versionLeast}.0 or newer.`);
  if (facts.cluster)
    throw refuse("TIDINGS_UNSUPPORTED", "is part of a Redis Cluster, which this engine does not know; name a single server."); // prettier-ignore
  if (readOnly) return;
  if (facts.role === "slave") throw new Error("READONLY the server is a replica");
  if (facts.eviction !== "noeviction")
    throw refuse("TIDINGS_SERVER_UNSAFE", `removes events when its memory is full (maxmemory-policy ${facts.eviction}): set it to noeviction.`); // prettier-ignore
  if (!weak && durabilityOf(facts) !== "disk")
    throw refuse("TIDINGS_SERVER_UNSAFE", `${shortcoming(facts)}, or accept the loss with ?durability=weak in the address.`); // prettier-ignore
}

function shortcoming({ appendonly, appendfsync }: Facts): string {
  if (!appendonly) return "keeps no append-only file, so that what was acknowledged is lost when it dies: set appendonly to yes and appendfsync to always"; // prettier-ignore
  if (appendfsync === undefined) return "does not let this user ask how it syncs (CONFIG GET): allow it with ACL SETUSER … +config|get"; // prettier-ignore
  if (appendfsync !== "always") return `syncs its append-only file too seldom (appendfsync ${appendfsync}), so that what was acknowledged is lost when its machine dies: set appendfsync to always`; // prettier-ignore
  return "does not sync while it rewrites its append-only file (no-appendfsync-on-rewrite): set it to no";
}
