import { TidingsError } from "../../errors/tidings-error.ts";
import type { Engine, EngineContext, EngineInfo } from "../../ports/engine.ts";
import type { Topics } from "../../ports/topics.ts";
import { closedError, notWritable } from "../broker/rejections.ts";
import { topicsPort } from "../broker/topics.ts";
import { verify } from "../broker/verify.ts";
import { partitionsMax, rabbitmqCapabilities } from "./capabilities.ts";
import { Catalog } from "./catalog.ts";
import { loadClient, onChannel } from "./client.ts";
import { toTidingsError } from "./failure.ts";
import { Known } from "./known.ts";
import { Link, type LinkParts } from "./link.ts";
import { fenceOf } from "./names.ts";
import type { Settings } from "./options.ts";
import { Publisher } from "./publisher.ts";
import { Reader } from "./reader.ts";
import { checkServer, type ServerFacts } from "./server.ts";
import { Watch } from "./watch.ts";
import { sleep } from "../../platform/clock.ts";

/** When the server has ended a connection, what it had read of it is done soon after, in milliseconds. */
const graceMs = 100;

/** The parts of an open engine. */
interface Broker {
  readonly settings: Settings;
  readonly server: ServerFacts;
  readonly link: Link;
  readonly catalog: Catalog;
  readonly reader: Reader;
  readonly watch: Watch;
  /** Absent when nothing may be written. */
  readonly writing?: { readonly link: Link; readonly publisher: Publisher };
  closed: boolean;
}

/** Connects, looks at the server and puts the engine together. */
export async function openEngine(settings: Settings, { platform }: EngineContext): Promise<Engine> {
  const broker = await openBroker(settings, platform);
  const { link, writing } = broker;
  const check = (write = false): void => {
    if (broker.closed) throw closedError(settings.address);
    if (write && !writing) throw notWritable(settings.address);
  };
  const topics = topicsOf(broker, check);
  let closing: Promise<void> | undefined;
  const capabilities = rabbitmqCapabilities(settings);
  return {
    name: "rabbitmq",
    address: settings.address,
    capabilities,
    topics,
    info: async () => {
      check();
      return info(broker, capabilities.durability);
    },
    async verify(options = {}) {
      check();
      return verify(topics, options);
    },
    trouble: () =>
      broker.closed
        ? `The engine of ${settings.address} is closed.`
        : (link.trouble() ?? writing?.link.trouble() ?? blockedOf(broker)),
    close: () => (closing ??= close(broker)),
  };
}

async function openBroker(settings: Settings, platform: EngineContext["platform"]): Promise<Broker> {
  const client = await loadClient();
  const instance = platform.ids.next();
  const known = new Known(instance);
  const parts: LinkParts = { platform, settings, client, name: `${settings.prefix} reader` };
  const link = new Link(parts);
  // Publishes have a connection of their own: a server that has raised an alarm does not read from it any more.
  const writer = new Link({
    ...parts,
    name: `${settings.prefix} writer`,
    async prepare(model, again) {
      const fence = fenceOf(settings.prefix, instance);
      await onChannel(model, (channel) => channel.assertQueue(fence, { exclusive: true, durable: false }));
      if (again) await sleep(platform.clock, graceMs);
    },
  });
  try {
    const { model } = await link.open();
    const server = checkServer(model, settings);
    if (!settings.readOnly) await writer.open();
    const came = (topic: string, partition: number): void => watch.came(topic, partition);
    const topic = (name: string) => catalog.topic(name);
    const hears = (name: string, partition: number): boolean => reader.hears(name, partition);
    const reader: Reader = new Reader({ platform, settings, link, known, catalog: { known: (name: string) => catalog.known(name), topic }, came }); // prettier-ignore
    const isRead = (name: string, partition: number): boolean => reader.isRead(name, partition);
    const writing = settings.readOnly
      ? undefined
      : { link: writer, publisher: new Publisher({ platform, settings, link: writer, known, published: came }) }; // prettier-ignore
    const catalog: Catalog = new Catalog({ platform, settings, link, ...(writing ? { writing } : {}) });
    const watch: Watch = new Watch({ platform, prefix: settings.prefix, link, topic, hears, isRead });
    await catalog.open();
    return { settings, server, link, catalog, reader, watch, ...(writing ? { writing } : {}), closed: false };
  } catch (error) {
    await Promise.all([link.close(), writer.close()]);
    throw toTidingsError(error, settings.address);
  }
}

function topicsOf(broker: Broker, check: (write?: boolean) => void): Topics {
  const { catalog, reader, watch } = broker;
  return topicsPort({
    check,
    partitionsMax,
    bounded: true,
    catalog,
    reader,
    // Who may write has a publisher.
    publish: (entries, options) =>
      (broker.writing as NonNullable<Broker["writing"]>).publisher.publish(
        entries,
        catalog,
        options?.positions ?? true,
      ),
    positionsAt: (topic, timeMs) => reader.positionsAt(topic, timeMs),
    async retain(topic) {
      await catalog.topic(topic);
      throw new TidingsError(
        "TIDINGS_UNSUPPORTED",
        "Streams of RabbitMQ are cut by the server only: set streamAgeMs or streamBytesMax when they are made, or a policy.",
        { details: { engine: "rabbitmq" } },
      );
    },
    watch: (topic, listener) => watch.watch(topic, listener),
  });
}

async function info({ settings, server, catalog }: Broker, durability: string): Promise<EngineInfo> {
  const topics = await catalog.list();
  return {
    engine: "rabbitmq",
    address: settings.address,
    durability,
    server: server.version,
    cluster: server.cluster,
    vhost: settings.vhost,
    prefix: settings.prefix,
    topics: topics.length,
    partitions: topics.reduce((sum, { partitions }) => sum + partitions, 0),
  };
}

function blockedOf({ writing, settings }: Broker): string | undefined {
  const why = writing?.link.line()?.blocked;
  return why === undefined ? undefined : `The server of ${settings.address} takes no publishes (${why}).`;
}

async function close(broker: Broker): Promise<void> {
  broker.closed = true;
  await broker.writing?.publisher.close();
  broker.watch.close();
  broker.reader.close();
  broker.catalog.close();
  await Promise.all([broker.link.close(), broker.writing?.link.close()]);
}
