import type { TidingsError } from "../../errors/tidings-error.ts";
import { checkFlags, checkOptions, invalidOption, numbersOf, valueOfText } from "../../lib/options.ts";
import { checkPasswordFile } from "../../lib/password-file.ts";

/** Options of the Redis engine. */
export interface RedisOptions {
  /** `redis://user:password@host:6379/0`, or `rediss://` for TLS. */
  readonly url: string;
  /** What the keys of this store begin with; `tidings`. Several stores may share a server. */
  readonly prefix?: string;
  /** `"weak"` takes a server that may lose the last second, or more, of what it has acknowledged; without it such a server is refused. */
  readonly durability?: "weak";
  /** Opens for reading only: nothing is made or written. */
  readonly readOnly?: boolean;
  /** The file with the password, read anew for each connection: as Kubernetes and others put it down, and replace it. */
  readonly passwordFile?: string;
  /** A file with the certificates, in PEM, of who may have signed that of the server (`rediss://`); those of Node unless given. */
  readonly caFile?: string;
  /** Whether members tell each other of what they append; true. Without it they look every `pollMs`. */
  readonly notify?: boolean;
  /** How long a connection may take to be made; 5 s. */
  readonly connectTimeoutMs?: number;
  /** After so long without any answer a connection is given up; 30 s. */
  readonly requestTimeoutMs?: number;
  /** How long a call waits for a server that cannot be reached before it rejects; 10 s. */
  readonly busyTimeoutMs?: number;
  /** How often to look for what others have appended, beside the notifications; 1 s, and 100 ms while nothing is notified. */
  readonly pollMs?: number;
  /** Most events of one group commit; 1024. A larger publish is a group of its own. */
  readonly groupEventsMax?: number;
  /** Most bytes of one group commit; 2 MiB. */
  readonly groupBytesMax?: number;
}

/** Options with every default filled in. */
export interface Settings extends Required<Omit<RedisOptions, "pollMs" | "durability" | "passwordFile" | "caFile">> {
  readonly weak: boolean;
  readonly passwordFile: string | undefined;
  readonly caFile: string | undefined;
  readonly pollMs: number | undefined;
  /** Number of the database. */
  readonly database: number;
  /** The address without user and password, for logs and errors. */
  readonly address: string;
}

const numbers = {
  connectTimeoutMs: 5000,
  requestTimeoutMs: 30_000,
  busyTimeoutMs: 10_000,
  pollMs: 1000,
  groupEventsMax: 1024,
  groupBytesMax: 2 * 1024 * 1024,
};
const where = "redis()";
const numberNames = Object.keys(numbers) as (keyof typeof numbers)[];
const flagNames = ["notify", "readOnly"] as const;
const textNames = ["prefix", "durability", "passwordFile", "caFile"] as const;
const ownNames: readonly string[] = [...numberNames, ...flagNames, ...textNames];

/** Checks options and fills in the defaults. Throws TIDINGS_INVALID_OPTION. */
export function settingsOf(options: RedisOptions): Settings {
  checkOptions(where, options, ["url", ...ownNames]);
  const { url, prefix = "tidings", durability, notify = true, readOnly = false, caFile } = options;
  const parsed = parse(url);
  checkOptions('The address of "url"', Object.fromEntries(parsed.searchParams), ownNames);
  const database = /^\/?(\d{0,5})$/.exec(parsed.pathname)?.[1];
  if (database === undefined) throw invalid("url", "ends with the number of a database, or with nothing");
  if (typeof prefix !== "string" || !/^[A-Za-z0-9._-]{1,64}$/.test(prefix))
    throw invalid("prefix", "is 1 to 64 letters, digits, dots, underscores and dashes");
  if (durability !== undefined && durability !== "weak") throw invalid("durability", 'is "weak" or not given');
  if (caFile !== undefined && (typeof caFile !== "string" || parsed.protocol !== "rediss:"))
    throw invalid("caFile", "is the path of a file, and goes with rediss://");
  const { passwordFile } = options;
  checkPasswordFile(where, passwordFile, parsed.password);
  checkFlags(where, options, flagNames);
  const filled = numbersOf(where, options, numbers);
  return {
    url: bare(parsed), prefix, readOnly, notify, passwordFile, caFile, ...filled, weak: durability === "weak", pollMs: options.pollMs,
    database: Number(database), address: `${parsed.protocol}//${parsed.host}/${Number(database)}?prefix=${prefix}`,
  }; // prettier-ignore
}

/** Takes our options out of an address. Throws TIDINGS_INVALID_OPTION. */
export function parseRedisUrl(address: string): RedisOptions {
  const url = parse(address);
  const options: Record<string, unknown> = {};
  for (const [name, text] of Array.from(url.searchParams)) {
    if (!ownNames.includes(name)) continue;
    url.searchParams.delete(name);
    options[name] = valueOfText(name, text, { numbers: numberNames, flags: flagNames });
  }
  return { ...options, url: url.href };
}

/** What the client understands of an address. */
function bare(url: URL): string {
  const copy = new URL(url);
  copy.search = "";
  return copy.href;
}

function parse(text: string): URL {
  const example = "looks like redis://user:password@host:6379";
  if (typeof text !== "string" || !/^rediss?:\/\/./.test(text)) throw invalid("url", example);
  try {
    return new URL(text);
  } catch {
    // The text may hold a password, so it is not repeated.
    throw invalid("url", `${example}; special characters in the password are written as %40 and the like`);
  }
}

const invalid = (option: string, sentence: string): TidingsError => invalidOption(where, option, sentence);
