import { TidingsError } from "../errors/tidings-error.ts";
import { closest } from "../lib/closest.ts";
import type { EngineFactory } from "./options.ts";

/** How to make an engine of each scheme; loaded when it is asked for, since clients are large. */
const engines: Readonly<Record<string, (url: string) => Promise<EngineFactory>>> = {
  async memory() {
    const { memory } = await import("../engines/memory/factory.ts");
    return memory();
  },
  async sqlite(url) {
    const { sqliteFromUrl } = await import("../engines/sqlite/factory.ts");
    return sqliteFromUrl(url);
  },
  postgres,
  postgresql: postgres,
  redis,
  rediss: redis,
  nats,
  tls: nats,
  amqp: rabbitmq,
  amqps: rabbitmq,
  kafka,
  kafkas: kafka,
};

async function postgres(url: string): Promise<EngineFactory> {
  const { postgresFromUrl } = await import("../engines/postgres/factory.ts");
  return postgresFromUrl(url);
}

async function redis(url: string): Promise<EngineFactory> {
  const { redisFromUrl } = await import("../engines/redis/factory.ts");
  return redisFromUrl(url);
}

async function nats(url: string): Promise<EngineFactory> {
  const { natsFromUrl } = await import("../engines/nats/factory.ts");
  return natsFromUrl(url);
}

async function rabbitmq(url: string): Promise<EngineFactory> {
  const { rabbitmqFromUrl } = await import("../engines/rabbitmq/factory.ts");
  return rabbitmqFromUrl(url);
}

async function kafka(url: string): Promise<EngineFactory> {
  const { kafkaFromUrl } = await import("../engines/kafka/factory.ts");
  return kafkaFromUrl(url);
}

/** The engine of a URL. Throws TIDINGS_UNKNOWN_ENGINE, and what the engine says of the rest of the URL. */
export async function engineOfUrl(url: string, extra: { readonly readOnly?: boolean } = {}): Promise<EngineFactory> {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  const make = scheme === undefined ? undefined : engines[scheme];
  if (make) return make(extra.readOnly ? `${url}${url.includes("?") ? "&" : "?"}readOnly=true` : url);
  const known = Object.keys(engines);
  const meant = scheme === undefined ? undefined : closest(scheme, known);
  const what = scheme === undefined ? `"${hideSecrets(url)}" has no scheme` : `the scheme "${scheme}:" is not known`;
  const hint =
    scheme === undefined
      ? `write sqlite:${url}`
      : meant
        ? `did you mean "${meant}:"?`
        : `there are ${known.map((name) => `${name}:`).join(" and ")}`;
  throw new TidingsError("TIDINGS_UNKNOWN_ENGINE", `No engine can be opened: ${what}; ${hint}.`, {
    details: { scheme: scheme ?? "" },
  });
}

/** A URL without user and password. */
export function hideSecrets(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//***@").replace(/(password|token|secret)=[^&]*/gi, "$1=***");
}
