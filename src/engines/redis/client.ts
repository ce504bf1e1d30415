import { readFileSync } from "node:fs";
import type { RedisClientType } from "@redis/client";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { Settings } from "./options.ts";

/** The client library. */
export type Library = typeof import("@redis/client");
export type Client = RedisClientType<Record<string, never>, Record<string, never>, Record<string, never>, 2>;

/** The client library, loaded when an engine is opened: it is an optional peer. */
export async function loadClient(): Promise<Library> {
  try {
    return await import("@redis/client");
  } catch (cause) {
    if ((cause as { code?: string }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new TidingsError(
      "TIDINGS_CLIENT_MISSING",
      'The Redis engine needs the package "@redis/client": npm install @redis/client',
      { cause, details: { engine: "redis", package: "@redis/client" } },
    );
  }
}

/** A client that connects once: whether and when there is another connection is for us to say, for calls must not be repeated unasked. */
export function clientOf({ createClient }: Library, settings: Settings, password: string | undefined): Client {
  const { url, connectTimeoutMs, caFile } = settings;
  return createClient({
    url: password === undefined ? url : withPassword(url, password),
    RESP: 2,
    name: "tidings",
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: "disabled",
    // What waits for its turn on a slow connection is not to be given up one by one: see Connection.
    commandOptions: { timeout: 0 },
    socket: {
      reconnectStrategy: false,
      connectTimeout: connectTimeoutMs,
      ...(caFile === undefined ? {} : { tls: true as const, ca: pemOf(caFile) }),
    },
  }) as unknown as Client;
}

/** The address is taken for the whole of it: a password beside it would not count. */
function withPassword(url: string, password: string): string {
  const whole = new URL(url);
  whole.password = encodeURIComponent(password);
  return whole.href;
}

function pemOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new TidingsError("TIDINGS_INVALID_OPTION", `The file "${path}" of the option "caFile" cannot be read.`, {
      cause,
      details: { option: "caFile" },
    });
  }
}
