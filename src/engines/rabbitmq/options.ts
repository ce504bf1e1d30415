import type { TidingsError } from "../../errors/tidings-error.ts";
import { checkFlags, checkOptions, invalidOption, numbersOf, valueOfText } from "../../lib/options.ts";
import { checkPasswordFile } from "../../lib/password-file.ts";

/** What an acknowledgement rests on: see "Durability" in docs/engines/rabbitmq.md. */
export type Durability = "replicated" | "weak";

/** Options of the RabbitMQ engine. */
export interface RabbitmqOptions {
  /** `amqp://user:password@host:5672/vhost`, several hosts with commas; `amqps://` insists on TLS. */
  readonly url: string;
  /** What the names of our queues begin with: a name for each environment; `tidings`. */
  readonly prefix?: string;
  /**
   * To be stated, since a server does not sync what it acknowledges. `replicated`: the operator states that streams have at least
   * 3 replicas on servers that do not fail at once. `weak`: an acknowledged event may be lost when the power goes.
   */
  readonly durability?: Durability;
  /** How many servers of a cluster hold a stream that is made; as many as there are. */
  readonly replicas?: number;
  /** The server removes segments of a stream of which all events are older, for streams that are made; never. */
  readonly streamAgeMs?: number;
  /** The server removes the oldest segments of a stream that is larger, for streams that are made; never. */
  readonly streamBytesMax?: number;
  /** Bytes of a segment of streams that are made: what is removed at once; 500 MB, as the server has it. */
  readonly segmentBytes?: number;
  /** Opens for reading only: nothing is made or written. */
  readonly readOnly?: boolean;
  /** The file with the password, read anew for each connection: as Kubernetes and others put it down, and replace it. */
  readonly passwordFile?: string;
  /** Authority that the server's certificate is checked by, in PEM. */
  readonly caFile?: string;
  /** Certificate and key of the client, in PEM. */
  readonly certFile?: string;
  readonly keyFile?: string;
  /** How long a connection may take to be made; 5 s. */
  readonly connectTimeoutMs?: number;
  /** After so long without an answer a call rejects; 30 s. */
  readonly requestTimeoutMs?: number;
  /** How long a call waits for a server that cannot be reached, or takes no publishes; 10 s. */
  readonly busyTimeoutMs?: number;
  /** How often both sides say that they are there, in whole seconds; two silences end the connection. 3 s. */
  readonly pingIntervalMs?: number;
  /** Most events of a partition that are under way at once; 512. */
  readonly windowEventsMax?: number;
  /** Most bytes of a partition that are under way, or held ready for a reader; 2 MiB. */
  readonly windowBytesMax?: number;
  /** Largest event in bytes; 4 MiB. What the server takes (max_message_size) must be larger. */
  readonly eventBytesMax?: number;
}

/** What streams that are made are given, where it is stated. */
const streamNames = ["replicas", "streamAgeMs", "streamBytesMax", "segmentBytes"] as const;
type StreamName = (typeof streamNames)[number];

/** Options with every default filled in. */
export interface Settings
  extends
    Required<
      Omit<RabbitmqOptions, "url" | "durability" | "passwordFile" | "caFile" | "certFile" | "keyFile" | StreamName>
    >,
    Readonly<Partial<Record<StreamName, number>>> {
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly user: string;
  readonly password: string;
  readonly vhost: string;
  readonly tls: boolean;
  readonly durability: Durability | undefined;
  readonly passwordFile: string | undefined;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  /** The address without user and password, for logs and errors. */
  readonly address: string;
}

const numbers = {
  connectTimeoutMs: 5000,
  requestTimeoutMs: 30_000,
  busyTimeoutMs: 10_000,
  pingIntervalMs: 3000,
  windowEventsMax: 512,
  windowBytesMax: 2 * 1024 * 1024,
  eventBytesMax: 4 * 1024 * 1024,
};
const where = "rabbitmq()";
const numberNames: readonly string[] = [...Object.keys(numbers), ...streamNames];
const textNames = ["prefix", "durability", "passwordFile", "caFile", "certFile", "keyFile"] as const;
const ownNames: readonly string[] = [...numberNames, ...textNames, "readOnly"];
const durabilities: readonly Durability[] = ["replicated", "weak"];

/** Checks options and fills in the defaults. Throws TIDINGS_INVALID_OPTION. */
export function settingsOf(options: RabbitmqOptions): Settings {
  checkOptions(where, options, ["url", ...ownNames]);
  const { url, prefix = "tidings", durability, readOnly = false } = options;
  const { scheme, hosts, query, password, ...place } = parse(url);
  if (query !== "") throw invalid("url", "has its options beside it: rabbitmqFromUrl takes them in the address");
  for (const name of textNames)
    if (options[name] !== undefined && typeof options[name] !== "string") throw invalid(name, "is text");
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(prefix)) throw invalid("prefix", "is 1 to 32 letters, digits, _ and -");
  if (durability !== undefined && !durabilities.includes(durability))
    throw invalid("durability", `is one of ${durabilities.join(", ")}`);
  const { passwordFile } = options;
  checkPasswordFile(where, passwordFile, password);
  checkFlags(where, options, ["readOnly"]);
  const filled = numbersOf(where, options, numbers);
  const ofStreams: Partial<Record<StreamName, number>> = {};
  for (const name of streamNames) {
    const value = options[name];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < 1) throw invalid(name, "is a whole number greater than 0");
    ofStreams[name] = value;
  }
  const { caFile, certFile, keyFile } = options;
  const list = hosts.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(",");
  const path = place.vhost === "/" ? "" : `/${encodeURIComponent(place.vhost)}`;
  return {
    ...filled, ...ofStreams, ...place, password: password ?? "guest", passwordFile, prefix, durability, readOnly, caFile, certFile, keyFile, hosts, tls: scheme === "amqps",
    address: `${scheme}://${list}${path}?prefix=${prefix}`,
  }; // prettier-ignore
}

/** Takes our options out of an address. Throws TIDINGS_INVALID_OPTION. */
export function parseRabbitmqUrl(address: string): RabbitmqOptions {
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
  readonly user: string;
  readonly password: string | undefined;
  readonly hosts: Settings["hosts"];
  readonly vhost: string;
  readonly query: string;
}

/** By hand, since URL takes no list of hosts. The text may hold a password, so it is never repeated. */
function parse(text: string): Address {
  const example = "looks like amqp://user:password@host:5672/vhost";
  const found =
    typeof text === "string" ? /^(amqps?):\/\/(?:([^@/?]*)@)?([^@/?]+)(?:\/([^/?]*))?(?:\?(.*))?$/.exec(text) : null;
  if (!found) throw invalid("url", example);
  const [, scheme = "", secrets, list = "", path = "", query = ""] = found;
  const hosts = list.split(",").map((host) => {
    const parts = /^([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?$/.exec(host);
    if (!parts) throw invalid("url", example);
    const port = Number(parts[2] ?? (scheme === "amqps" ? 5671 : 5672));
    return { host: (parts[1] as string).replace(/^\[|\]$/g, ""), port };
  });
  try {
    const [user = "guest", password] = (secrets ?? "guest").split(":").map(decodeURIComponent);
    return { scheme, user, password, hosts, vhost: path === "" ? "/" : decodeURIComponent(path), query };
  } catch {
    throw invalid("url", `${example}; special characters are written as %40 and the like`);
  }
}

const invalid = (option: string, sentence: string): TidingsError => invalidOption(where, option, sentence);
