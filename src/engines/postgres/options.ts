import type { TidingsError } from "../../errors/tidings-error.ts";
import { checkFlags, checkOptions, invalidOption, numbersOf, valueOfText } from "../../lib/options.ts";
import { checkPasswordFile } from "../../lib/password-file.ts";

/** Options of the Postgres engine. */
export interface PostgresOptions {
  /** `postgres://user:password@host:5432/database`, with the parameters of libpq for TLS (`sslmode`, `sslrootcert`, ...). */
  readonly url: string;
  /** The schema in which everything of ours stands; `tidings`. */
  readonly schema?: string;
  /** Where to LISTEN when `url` leads to a pooler in transaction mode: a direct address. The same as `url` unless given. */
  readonly listenUrl?: string;
  /** Whether to LISTEN and NOTIFY; true. Without it members look for news every `pollMs`. */
  readonly notify?: boolean;
  /** Whether statements are prepared once per connection; true. A pooler in transaction mode must know of it (PgBouncer from 1.21 on), or this be false. */
  readonly preparedStatements?: boolean;
  /** The file with the password, read anew for each connection: as Kubernetes and others put it down, and replace it. */
  readonly passwordFile?: string;
  /** Opens for reading only: nothing is made, migrated or written. */
  readonly readOnly?: boolean;
  /** Most connections of this engine, one for LISTEN apart; 5, at least 2. */
  readonly connectionsMax?: number;
  /** How long a connection may take to be made; 5 s. */
  readonly connectTimeoutMs?: number;
  /** After so long without an answer a connection is given up; 30 s. */
  readonly requestTimeoutMs?: number;
  /** How long a call waits for a server that cannot be reached, or for a lock, before it rejects; 10 s. */
  readonly busyTimeoutMs?: number;
  /** How often to look for what others have written, beside the notifications; 1 s, and 100 ms while nothing is notified. */
  readonly pollMs?: number;
  /** Most events of one group commit; 2048. */
  readonly groupEventsMax?: number;
  /** Most bytes of one group commit; 2 MiB. */
  readonly groupBytesMax?: number;
  /** A topic begins a new segment when the current one has so many bytes; 1 GiB. Retention drops whole segments, and each makes a commit a little slower. */
  readonly segmentBytes?: number;
}

/** Options with every default filled in. */
export interface Settings extends Required<Omit<PostgresOptions, "listenUrl" | "pollMs" | "passwordFile">> {
  readonly listenUrl: string;
  readonly pollMs: number | undefined;
  readonly passwordFile: string | undefined;
  /** The address without user and password, for logs and errors. */
  readonly address: string;
}

const numbers = {
  connectionsMax: 5,
  connectTimeoutMs: 5000,
  requestTimeoutMs: 30_000,
  busyTimeoutMs: 10_000,
  pollMs: 1000,
  groupEventsMax: 2048,
  groupBytesMax: 2 * 1024 * 1024,
  segmentBytes: 1024 * 1024 * 1024,
};
const where = "postgres()";
const numberNames = Object.keys(numbers) as (keyof typeof numbers)[];
const flagNames = ["notify", "preparedStatements", "readOnly"] as const;
const textNames = ["schema", "listenUrl", "passwordFile"] as const;
const ownNames: readonly string[] = [...numberNames, ...flagNames, ...textNames];
/** What the client understands in an address. */
const clientNames = [
  "sslmode", "sslrootcert", "sslcert", "sslkey", "ssl", "uselibpqcompat", "application_name", "host", "client_encoding", "options", "keepalives",
]; // prettier-ignore

/** Checks options and fills in the defaults. Throws TIDINGS_INVALID_OPTION. */
export function settingsOf(options: PostgresOptions): Settings {
  checkOptions(where, options, ["url", ...ownNames]);
  const { url, schema = "tidings", listenUrl, notify = true, preparedStatements = true, readOnly = false } = options;
  const address = checkUrl("url", url);
  if (listenUrl !== undefined) checkUrl("listenUrl", listenUrl);
  if (typeof schema !== "string" || !/^[a-z_][a-z0-9_]{0,62}$/.test(schema) || schema.startsWith("pg_"))
    throw invalid("schema", "is a name of lower-case letters, digits and _ that does not begin with pg_");
  const { passwordFile } = options;
  for (const each of [url, listenUrl ?? url]) checkPasswordFile(where, passwordFile, new URL(each).password);
  checkFlags(where, options, flagNames);
  const filled = numbersOf(where, options, numbers);
  if (filled.connectionsMax < 2) throw invalid("connectionsMax", "is at least 2");
  return {
    url, schema, notify, preparedStatements, readOnly, passwordFile, ...filled, listenUrl: listenUrl ?? url, pollMs: options.pollMs,
    address: `${address}?schema=${schema}`,
  }; // prettier-ignore
}

/** Takes our options out of an address and leaves those of the client in it. Throws TIDINGS_INVALID_OPTION. */
export function parsePostgresUrl(address: string): PostgresOptions {
  const url = parse("url", address);
  const options: Record<string, unknown> = {};
  for (const [name, text] of Array.from(url.searchParams)) {
    if (!ownNames.includes(name)) continue;
    url.searchParams.delete(name);
    options[name] = valueOfText(name, text, { numbers: numberNames, flags: flagNames });
  }
  return { ...options, url: url.href };
}

/** The address without secrets. */
function checkUrl(option: string, text: string): string {
  const url = parse(option, text);
  checkOptions(
    `The address of "${option}"`,
    Object.fromEntries(url.searchParams),
    option === "url" ? [...clientNames, ...ownNames] : clientNames,
  );
  if (url.pathname.length < 2) throw invalid(option, "names a database: postgres://user@host:5432/database");
  return `postgres://${url.host}${url.pathname}`;
}

function parse(option: string, text: string): URL {
  const example = "looks like postgres://user:password@host:5432/database";
  if (typeof text !== "string" || !/^postgres(ql)?:\/\//.test(text)) throw invalid(option, example);
  try {
    return new URL(text);
  } catch {
    // The text may hold a password, so it is not repeated.
    throw invalid(option, `${example}; special characters in the password are written as %40 and the like`);
  }
}

const invalid = (option: string, sentence: string): TidingsError => invalidOption(where, option, sentence);
