import type { Engine, EngineContext, EngineInfo } from "../../ports/engine.ts";
import type { Topics } from "../../ports/topics.ts";
import { closedError, notWritable } from "../broker/rejections.ts";
import { topicsPort } from "../broker/topics.ts";
import { verify } from "../broker/verify.ts";
import { Api } from "./api.ts";
import { natsCapabilities, partitionsMax } from "./capabilities.ts";
import { Catalog } from "./catalog.ts";
import { loadClient } from "./client.ts";
import { Consumers } from "./consumer.ts";
import { toTidingsError } from "./failure.ts";
import { Link } from "./link.ts";
import { News } from "./news.ts";
import type { Settings } from "./options.ts";
import { Publisher } from "./publisher.ts";
import { Reader } from "./reader.ts";
import { positionsAt, retain } from "./retention.ts";
import { checkServer, type ServerFacts } from "./server.ts";

/** The parts of an open engine. */
interface Broker {
  readonly settings: Settings;
  readonly link: Link;
  readonly api: Api;
  readonly catalog: Catalog;
  readonly consumers: Consumers;
  readonly news: News;
  readonly reader: Reader;
  readonly publisher: Publisher;
  readonly platform: EngineContext["platform"];
  readonly server: ServerFacts;
  closed: boolean;
}

/** Connects, looks at the server and puts the engine together. */
export async function openEngine(settings: Settings, { platform }: EngineContext): Promise<Engine> {
  const broker = await openBroker(settings, platform);
  const { link, server } = broker;
  const check = (write = false): void => {
    if (broker.closed) throw closedError(settings.address);
    if (write && settings.readOnly) throw notWritable(settings.address);
  };
  const topics = topicsOf(broker, check);
  let closing: Promise<void> | undefined;
  const capabilities = natsCapabilities(settings, server.messageBytesMax);
  return {
    name: "nats",
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
    trouble: () => (broker.closed ? `The engine of ${settings.address} is closed.` : link.trouble()),
    close: () => (closing ??= close(broker)),
  };
}

async function openBroker(settings: Settings, platform: EngineContext["platform"]): Promise<Broker> {
  const link = new Link(platform, settings, await loadClient());
  try {
    const { nc } = await link.open();
    const api = new Api(link, settings, platform);
    const server = await checkServer(nc, api, settings);
    const catalog = new Catalog(api, link, settings);
    await catalog.open();
    const consumers = new Consumers(platform, settings, link, api);
    const reader: Reader = new Reader({ platform, settings, api, catalog, consumers, came: (topic, partition) => news.came(topic, partition) }); // prettier-ignore
    const countOf = async (topic: string): Promise<number> =>
      (await reader.bounds(topic)).reduce((sum, { next }) => sum + next, 0);
    const hears = (topic: string, partition: number): boolean => reader.hears(topic, partition);
    const news: News = new News({ platform, settings, link, countOf, hears });
    const limits = { ...natsCapabilities(settings, server.messageBytesMax), messageBytesMax: server.messageBytesMax };
    const published = (topic: string, partition: number, position: number): void => {
      reader.stored(topic, partition, position);
      news.published(topic, partition);
    };
    const publisher = new Publisher({ platform, settings, link, api, catalog, limits, published });
    return { settings, link, api, catalog, consumers, news, reader, publisher, platform, server, closed: false };
  } catch (error) {
    await link.close();
    throw toTidingsError(error, settings.address);
  }
}

function topicsOf(broker: Broker, check: (write?: boolean) => void): Topics {
  const { catalog, reader, publisher, news } = broker;
  return topicsPort({
    check,
    partitionsMax,
    catalog,
    reader,
    publish: (entries) => publisher.publish(entries),
    positionsAt: (topic, timeMs) => positionsAt(broker, topic, timeMs),
    retain: (topic, rule) => retain(broker, topic, rule),
    watch: (topic, listener) => news.watch(topic, listener),
  });
}

async function info({ settings, server, api, catalog }: Broker, durability: string): Promise<EngineInfo> {
  const topics = await catalog.list();
  const account = await api.ask<{ storage: number; streams: number; consumers: number }>("INFO");
  return {
    engine: "nats",
    address: settings.address,
    durability,
    server: server.version,
    ...(server.cluster === undefined ? {} : { cluster: server.cluster }),
    prefix: settings.prefix,
    replicas: settings.replicas,
    messageBytesMax: server.messageBytesMax,
    topics: topics.length,
    partitions: topics.reduce((sum, { partitions }) => sum + partitions, 0),
    accountStreams: account.streams,
    accountConsumers: account.consumers,
    accountBytes: account.storage,
  };
}

async function close(broker: Broker): Promise<void> {
  broker.closed = true;
  await broker.publisher.close();
  broker.reader.close();
  broker.news.close();
  await broker.link.close();
}
