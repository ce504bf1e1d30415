import type { TidingsError } from "../../errors/tidings-error.ts";
import { checkFlags, checkOptions, invalidOption, numbersOf, valueOfText } from "../../lib/options.ts";
import { checkPasswordFile } from "../../lib/password-file.ts";

/** What an acknowledgement rests on: see "Durability" in docs/engines/nats.md. */
export type Durability = "replicated" | "disk" | "weak";

/** Options of the NATS engine. */
export interface NatsOptions {
  /** `nats://user:password@host:4222`, `nats://token@host`, several hosts with commas; `tls://` insists on TLS. */
  readonly url: string;
  /** What the names of our streams and subjects begin with: a name for each environment; `tidings`. */
  readonly prefix?: string;
  /**
   * `replicated`: streams have at least 3 replicas (NATS 2.11 or newer). `disk`: the operator states that the servers sync each write
   * (`sync_interval: always`, NATS 2.10 or newer). `weak`: an acknowledged event may be lost when the power goes.
   */
  readonly durability?: Durability;
  /** Replicas of the streams that are made: 3 with `replicated`, else 1. */
  readonly replicas?: number;
  /** How long the server remembers the ids of messages; 2 min. Stands in a stream when it is made. */
  readonly duplicateWindowMs?: number;
  /** Opens for reading only: nothing is made or written. */
  readonly readOnly?: boolean;
  /** The file with the password, or with the token where the address has no user, read anew for each connection: as Kubernetes and others put it down, and replace it. */
  readonly passwordFile?: string;
  /** A file with credentials (JWT and seed), as `nsc` writes it. */
  readonly credsFile?: string;
  /** Authority that the server's certificate is checked by, in PEM. */
  readonly caFile?: string;
  /** Certificate and key of the client, in PEM. */
  readonly certFile?: string;
  readonly keyFile?: string;
  /** How long a connection may take to be made; 5 s. */
  readonly connectTimeoutMs?: number;
  /** After so long without an answer a call rejects; 30 s, at most half of `duplicateWindowMs`. */
  readonly requestTimeoutMs?: number;
  /** How long a call waits for a server that cannot be reached; 10 s. */
  readonly busyTimeoutMs?: number;
  /** How often the server is asked whether it is there; two questions without an answer end the connection. 3 s. */
  readonly pingIntervalMs?: number;
  /** How often watched topics are looked at for events of those who publish without tidings; 1 s. */
  readonly pollMs?: number;
  /** Most events of a partition that are under way at once; 512. */
  readonly windowEventsMax?: number;
  /** Most bytes of a partition that are under way, or held ready for a reader; 2 MiB. */
  readonly windowBytesMax?: number;
}

/** Options with every default filled in. */
export interface Settings extends Required<
  Omit<NatsOptions, "url" | "durability" | "passwordFile" | "credsFile" | "caFile" | "certFile" | "keyFile">
> {
  readonly servers: readonly string[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
  readonly durability: Durability;
  readonly passwordFile: string | undefined;
  readonly credsFile: string | undefined;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  /** The address without user and password, for logs and errors. */
  readonly address: string;
}

const numbers = {
  replicas: 1,
  duplicateWindowMs: 120_000,
  connectTimeoutMs: 5000,
  requestTimeoutMs: 30_000,
  busyTimeoutMs: 10_000,
  pingIntervalMs: 3000,
  pollMs: 1000,
  windowEventsMax: 512,
  windowBytesMax: 2 * 1024 * 1024,
};
const where = "nats()";
const numberNames = Object.keys(numbers) as (keyof typeof numbers)[];
const textNames = ["prefix", "durability", "passwordFile", "credsFile", "caFile", "certFile", "keyFile"] as const;
const ownNames: readonly string[] = [...numberNames, ...textNames, "readOnly"];
const durabilities: readonly Durability[] = ["replicated", "disk", "weak"];

/** Checks options and fills in the defaults. Throws TIDINGS_INVALID_OPTION. */
export function settingsOf(options: NatsOptions): Settings {
  checkOptions(where, options, ["url", ...ownNames]);
  const { url, prefix = "tidings", durability = "replicated", readOnly = false } = options;
  const { scheme, credentials, hosts, query } = parse(url);
  if (query !== "") throw invalid("url", "has its options beside it: natsFromUrl takes them in the address");
  for (const name of textNames)
    if (options[name] !== undefined && typeof options[name] !== "string") throw invalid(name, "is text");
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(prefix)) throw invalid("prefix", "is 1 to 32 letters, digits, _ and -");
  if (!durabilities.includes(durability)) throw invalid("durability", `is one of ${durabilities.join(", ")}`);
  const { passwordFile } = options;
  checkPasswordFile(where, passwordFile, credentials.password);
  checkFlags(where, options, ["readOnly"]);
  const filled = numbersOf(where, options, { ...numbers, replicas: durability === "replicated" ? 3 : 1 });
  if (durability === "replicated" && filled.replicas < 3)
    throw invalid("replicas", 'is at least 3 with durability "replicated"');
  if (!Number.isInteger(filled.replicas) || filled.replicas > 5) throw invalid("replicas", "is a whole number up to 5");
  if (filled.requestTimeoutMs * 2 > filled.duplicateWindowMs)
    throw invalid("requestTimeoutMs", "is at most half of duplicateWindowMs: what is sent again must be remembered");
  const { credsFile, caFile, certFile, keyFile } = options;
  return {
    ...filled, prefix, durability, readOnly, passwordFile, credsFile, caFile, certFile, keyFile, ...credentials,
    servers: hosts, tls: scheme === "tls", address: `${scheme}://${hosts.join(",")}?prefix=${prefix}`,
  }; // prettier-ignore
}

/** Takes our options out of an address. Throws TIDINGS_INVALID_OPTION. */
export function parseNatsUrl(address: string): NatsOptions {
  const { query } = parse(address);
  const given = new URLSearchParams(query);
  checkOptions("The address", Object.fromEntries(given), ownNames);
  const options: Record<string, unknown> = {};
  for (const [name, text] of given)
    options[name] = valueOfText(name, text, { numbers: numberNames, flags: ["readOnly"] });
  return { ...options, url: address.split("?", 1)[0] as string };
}

interface Address {
  readonly scheme: string;
  readonly credentials: { readonly user: string | undefined; readonly password: string | undefined };
  readonly hosts: readonly string[];
  readonly query: string;
}

/** By hand, since URL takes no list of hosts. The text may hold a password, so it is never repeated. */
function parse(text: string): Address {
  const example = "looks like nats://user:password@host:4222";
  const found = typeof text === "string" ? /^(nats|tls):\/\/(?:([^@/?]*)@)?([^@/?]+)\/?(?:\?(.*))?$/.exec(text) : null;
  if (!found) throw invalid("url", example);
  const [, scheme = "", secrets, list = "", query = ""] = found;
  const hosts = list.split(",");
  for (const host of hosts)
    if (!/^([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?$/.test(host)) throw invalid("url", example);
  try {
    const [user, password] = (secrets ?? "").split(":").map(decodeURIComponent);
    return {
      scheme,
      credentials: { user: user === "" ? undefined : user, password },
      hosts: hosts.map(withPort),
      query,
    };
  } catch {
    throw invalid("url", `${example}; special characters in the password are written as %40 and the like`);
  }
}

const withPort = (host: string): string => (/:\d+$/.test(host) ? host : `${host}:4222`);

const invalid = (option: string, sentence: string): TidingsError => invalidOption(where, option, sentence);
