import type { TidingsError } from "../../errors/tidings-error.ts";
import { checkFlags, checkOptions, invalidOption, numbersOf, valueOfText } from "../../lib/options.ts";
import { checkPasswordFile } from "../../lib/password-file.ts";
import { type CompressionName, compressionNames } from "./compression.ts";

/** What an acknowledgement rests on: see "Durability" in docs/engines/kafka.md. */
export type Durability = "replicated" | "disk" | "weak";

/** How it is proved to the brokers who we are: by user and password, or by a token. */
export type SaslMechanism = "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" | "OAUTHBEARER";

/** Options of the Kafka engine. */
export interface KafkaOptions {
  /** `kafka://user:password@host:9092`, several hosts with commas; `kafkas://` takes TLS. */
  readonly url: string;
  /** What the names of our topics in Kafka begin with; none unless given, so that a topic is called there as here. */
  readonly prefix?: string;
  /**
   * `replicated`: topics have at least 3 replicas of which 2 must have an event (`min.insync.replicas`). `disk`: the brokers
   * sync each write (`flush.messages=1` of the topic). `weak`: an acknowledged event may be lost when the power goes.
   */
  readonly durability?: Durability;
  /** Replicas of the topics that are made: 3 with `replicated`, else 1. */
  readonly replicas?: number;
  /** False: topics are made by others, and declaring one that is not there is refused. */
  readonly createTopics?: boolean;
  /** False: how far subscriptions are is not shown to Kafka's tools. They see a group of consumers for each. */
  readonly consumerGroups?: boolean;
  /** What the names of these groups begin with; `prefix` unless given. */
  readonly groupPrefix?: string;
  /** Opens for reading only: nothing is made or written. */
  readonly readOnly?: boolean;
  /** How batches of events are compressed; not at all unless given. */
  readonly compression?: CompressionName;
  /** SCRAM-SHA-512 unless given; OAUTHBEARER where there are tokens. */
  readonly saslMechanism?: SaslMechanism;
  /**
   * Gives a token for OAUTHBEARER: asked before each connection, and before the brokers end a session with an earlier one. It may
   * answer with the same token as long as that is good.
   */
  readonly token?: () => string | Promise<string>;
  /** The file with the token, read anew each time: as Kubernetes and others put it down, and put the next one in its place. */
  readonly tokenFile?: string;
  /** What is said to the brokers beside the token, such as `{ logicalCluster: "lkc-1" }`. */
  readonly saslExtensions?: Readonly<Record<string, string>>;
  /** The file with the password, read anew for each connection: as Kubernetes and others put it down, and replace it. */
  readonly passwordFile?: string;
  /** Authority that the brokers' certificates are checked by, in PEM. */
  readonly caFile?: string;
  /** Certificate and key of the client, in PEM. */
  readonly certFile?: string;
  readonly keyFile?: string;
  /** There is one broker, and it is reached by the address given, whatever it tells of itself: for tunnels. */
  readonly tunnel?: boolean;
  /** How long a connection may take to be made; 5 s. */
  readonly connectTimeoutMs?: number;
  /** After so long without an answer a call rejects; 30 s. */
  readonly requestTimeoutMs?: number;
  /** How long a call waits for brokers that cannot be reached; 10 s. */
  readonly busyTimeoutMs?: number;
  /** How often brokers are asked whether they are there; two such times without an answer end their connections. 3 s. */
  readonly pingIntervalMs?: number;
  /** How long a question for news of watched topics stays with a broker; 500 ms. */
  readonly pollMs?: number;
  /** Most bytes of a partition that are under way, or held ready for a reader; 2 MiB. */
  readonly windowBytesMax?: number;
}

type Optional = "passwordFile" | "caFile" | "certFile" | "keyFile" | "token" | "tokenFile" | "saslExtensions";
type Given<Name extends keyof KafkaOptions> = { readonly [Each in Name]: KafkaOptions[Each] | undefined };

/** Options with every default filled in. */
export interface Settings extends Required<Omit<KafkaOptions, Optional | "url">>, Given<Optional> {
  readonly hosts: readonly Host[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
  /** The address without user and password, for logs and errors. */
  readonly address: string;
}

export interface Host {
  readonly host: string;
  readonly port: number;
}

const numbers = {
  replicas: 1,
  connectTimeoutMs: 5000,
  requestTimeoutMs: 30_000,
  busyTimeoutMs: 10_000,
  pingIntervalMs: 3000,
  pollMs: 500,
  windowBytesMax: 2 * 1024 * 1024,
};
const where = "kafka()";
const numberNames = Object.keys(numbers) as (keyof typeof numbers)[];
const textNames = [
  "prefix",
  "durability",
  "compression",
  "saslMechanism",
  "caFile",
  "certFile",
  "keyFile",
  "tokenFile",
  "passwordFile",
  "groupPrefix",
] as const;
const flagNames = ["readOnly", "createTopics", "tunnel", "consumerGroups"] as const;
const ownNames: readonly string[] = [...numberNames, ...textNames, ...flagNames, "saslExtensions"];
const durabilities: readonly Durability[] = ["replicated", "disk", "weak"];
const mechanisms: readonly SaslMechanism[] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];

/** Checks options and fills in the defaults. Throws TIDINGS_INVALID_OPTION. */
export function settingsOf(options: KafkaOptions): Settings {
  checkOptions(where, options, ["url", "token", ...ownNames]);
  const { url, prefix = "", groupPrefix = prefix, durability = "replicated" } = options;
  const { scheme, credentials, hosts, query } = parse(url);
  if (query !== "") throw invalid("url", "has its options beside it: kafkaFromUrl takes them in the address");
  for (const name of textNames)
    if (options[name] !== undefined && typeof options[name] !== "string") throw invalid(name, "is text");
  for (const [name, text] of Object.entries({ prefix, groupPrefix }))
    if (!/^[A-Za-z0-9._-]{0,64}$/.test(text)) throw invalid(name, "is up to 64 letters, digits, ., _ and -");
  if (!durabilities.includes(durability)) throw invalid("durability", `is one of ${durabilities.join(", ")}`);
  const saslMechanism = mechanismOf(options, credentials);
  const { compression = "none" } = options;
  if (!compressionNames.includes(compression)) throw invalid("compression", `is one of ${compressionNames.join(", ")}`);
  const { passwordFile } = options;
  checkPasswordFile(where, passwordFile, credentials.password);
  if (passwordFile !== undefined && credentials.user === undefined) throw invalid("passwordFile", "goes with a user in the address"); // prettier-ignore
  if (credentials.user !== undefined && (credentials.password ?? passwordFile) === undefined)
    throw invalid("url", "has a user without a password: kafka://user:password@host:9092, or give passwordFile");
  checkFlags(where, options, flagNames);
  const { readOnly = false, createTopics = true, tunnel = false, consumerGroups = true } = options;
  const filled = numbersOf(where, options, { ...numbers, replicas: durability === "replicated" ? 3 : 1 });
  if (durability === "replicated" && filled.replicas < 3)
    throw invalid("replicas", 'is at least 3 with durability "replicated"');
  if (!Number.isInteger(filled.replicas)) throw invalid("replicas", "is a whole number");
  if (tunnel && hosts.length > 1) throw invalid("tunnel", "is for one broker");
  const { caFile, certFile, keyFile, token, tokenFile, saslExtensions } = options;
  const tls = scheme === "kafkas";
  if (!tls && (caFile ?? certFile ?? keyFile) !== undefined)
    throw invalid(caFile === undefined ? "certFile" : "caFile", "is for TLS: the address begins with kafkas://");
  const place = `${scheme}://${hosts.map(({ host, port }) => `${host}:${port}`).join(",")}`;
  return {
    ...filled, ...credentials, prefix, durability, compression, saslMechanism, readOnly, createTopics, tunnel, consumerGroups, groupPrefix, caFile, certFile, keyFile,
    token, tokenFile, passwordFile, saslExtensions, hosts, tls, address: prefix === "" ? place : `${place}?prefix=${prefix}`,
  }; // prettier-ignore
}

/** Checks by what we prove who we are. */
function mechanismOf(options: KafkaOptions, { user }: Address["credentials"]): SaslMechanism {
  const { token, tokenFile, saslExtensions } = options;
  if (token !== undefined && typeof token !== "function") throw invalid("token", "is a function that gives one");
  if (token !== undefined && tokenFile !== undefined) throw invalid("tokenFile", 'is given, and "token" as well: take one'); // prettier-ignore
  const byToken = token !== undefined || tokenFile !== undefined;
  const { saslMechanism = byToken ? "OAUTHBEARER" : "SCRAM-SHA-512" } = options;
  if (!mechanisms.includes(saslMechanism)) throw invalid("saslMechanism", `is one of ${mechanisms.join(", ")}`);
  const wants = saslMechanism === "OAUTHBEARER";
  const name = token === undefined ? "tokenFile" : "token";
  if (wants && !byToken) throw invalid("saslMechanism", 'is OAUTHBEARER, which takes "token" or "tokenFile"');
  if (byToken && !wants) throw invalid(name, `is for OAUTHBEARER, and saslMechanism is ${saslMechanism}`);
  if (byToken && user !== undefined) throw invalid(name, "stands for user and password: leave them out of the address");
  if (saslExtensions === undefined) return saslMechanism;
  if (!wants) throw invalid("saslExtensions", 'go with a token: give "token" or "tokenFile"');
  if (typeof saslExtensions !== "object" || !Object.entries(saslExtensions).every(isExtension))
    throw invalid("saslExtensions", "are names of letters, not auth, and their values: name=value,name=value in an address"); // prettier-ignore
  return saslMechanism;
}

/** As RFC 7628 has it: nothing with which another field could be begun. */
const isExtension = ([name, value]: [string, unknown]): boolean =>
  /^(?!auth$)[A-Za-z]+$/.test(name) && typeof value === "string" && /^[\x20-\x7e]+$/.test(value);

function extensionsOf(text: string): Record<string, string> {
  return Object.fromEntries(text.split(",").map((each) => [each.split("=", 1)[0], each.split("=").slice(1).join("=")]));
}

/** Takes our options out of an address. Throws TIDINGS_INVALID_OPTION. */
export function parseKafkaUrl(address: string): KafkaOptions {
  const { query } = parse(address);
  const given = new URLSearchParams(query);
  checkOptions("The address", Object.fromEntries(given), ownNames);
  const options: Record<string, unknown> = {};
  for (const [name, text] of given) options[name] = valueOfText(name, text, { numbers: numberNames, flags: flagNames });
  const extensions = given.get("saslExtensions");
  if (extensions !== null) options["saslExtensions"] = extensionsOf(extensions);
  return { ...options, url: address.split("?", 1)[0] as string };
}

interface Address {
  readonly scheme: string;
  readonly credentials: { readonly user: string | undefined; readonly password: string | undefined };
  readonly hosts: readonly Host[];
  readonly query: string;
}

/** By hand, since URL takes no list of hosts. The text may hold a password, so it is never repeated. */
function parse(text: string): Address {
  const example = "looks like kafka://user:password@host:9092";
  const found = typeof text === "string" ? /^(kafkas?):\/\/(?:([^@/?]*)@)?([^@/?]+)\/?(?:\?(.*))?$/.exec(text) : null;
  if (!found) throw invalid("url", example);
  const [, scheme = "", secrets, list = "", query = ""] = found;
  const hosts = list.split(",").map((each): Host => {
    const parts = /^([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?$/.exec(each);
    if (!parts) throw invalid("url", example);
    return { host: (parts[1] as string).replace(/^\[|\]$/g, ""), port: Number(parts[2] ?? 9092) };
  });
  try {
    const [user, password] = (secrets ?? "").split(":").map(decodeURIComponent);
    return { scheme, credentials: { user: user === "" ? undefined : user, password }, hosts, query };
  } catch {
    throw invalid("url", `${example}; special characters in the password are written as %40 and the like`);
  }
}

const invalid = (option: string, sentence: string): TidingsError => invalidOption(where, option, sentence);
