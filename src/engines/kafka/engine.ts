import type { Engine, EngineContext, EngineInfo } from "../../ports/engine.ts";
import type { Topics } from "../../ports/topics.ts";
import { closedError, notWritable } from "../broker/rejections.ts";
import { topicsPort } from "../broker/topics.ts";
import { verify } from "../broker/verify.ts";
import { deduplicationWindowMsDefault } from "../sql/ids.ts";
import { Api } from "./api.ts";
import { kafkaCapabilities, partitionsMax, showsPositions } from "./capabilities.ts";
import { Catalog } from "./catalog.ts";
import { compressionOf } from "./compression.ts";
import { loadClient } from "./client.ts";
import { ConsumerGroups } from "./consumer-groups.ts";
import { toTidingsError } from "./failure.ts";
import type { LaneHost } from "./lane.ts";
import { Link } from "./link.ts";
import { News } from "./news.ts";
import type { Settings } from "./options.ts";
import { Protocol } from "./protocol.ts";
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
  readonly news: News;
  readonly reader: Reader;
  readonly publisher: Publisher;
  readonly groups: ConsumerGroups;
  readonly server: ServerFacts;
  closed: boolean;
}

/** Connects, looks at the brokers and puts the engine together. */
export async function openEngine(settings: Settings, context: EngineContext): Promise<Engine> {
  const broker = await openBroker(settings, context);
  const { link, server } = broker;
  const check = (write = false): void => {
    if (broker.closed) throw closedError(settings.address);
    if (write && settings.readOnly) throw notWritable(settings.address);
  };
  const topics = topicsOf(broker, check);
  let closing: Promise<void> | undefined;
  const capabilities = kafkaCapabilities(settings, server.batchBytesMax);
  return {
    name: "kafka",
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
      broker.closed ? `The engine of ${settings.address} is closed.` : (link.trouble() ?? broker.publisher.trouble()),
    close: () => (closing ??= close(broker)),
  };
}

async function openBroker(settings: Settings, context: EngineContext): Promise<Broker> {
  const { platform, deduplicationWindowMs: repeatsMs = deduplicationWindowMsDefault } = context;
  const client = await loadClient();
  const link = new Link(platform, settings, client);
  try {
    await link.open();
    const api = new Api(link, client, settings, platform);
    const server = await checkServer(api, settings);
    const protocol = new Protocol(client);
    const catalog = new Catalog(api, settings, platform.clock);
    const reader = new Reader({ platform, settings, api, protocol, catalog });
    const news = new News({ platform, settings, link, protocol, catalog, reader });
    const limits = kafkaCapabilities(settings, server.batchBytesMax);
    const published: LaneHost["stored"] = (topic, partition, position) => {
      reader.stored(topic, partition, position);
      news.published(topic.spec.name, partition);
    };
    const compression = compressionOf(protocol.client, settings.compression);
    const publisher = new Publisher({ platform, settings, link, api, protocol, catalog, limits, compression, repeatsMs, published }); // prettier-ignore
    if (!settings.readOnly) await publisher.open();
    const groups = new ConsumerGroups({ platform, settings, api, catalog });
    return { settings, link, api, catalog, news, reader, publisher, groups, server, closed: false };
  } catch (error) {
    link.close();
    throw toTidingsError(error, settings.address);
  }
}

function topicsOf(broker: Broker, check: (write?: boolean) => void): Topics {
  const { settings, catalog, reader, publisher, news, groups } = broker;
  return topicsPort({
    check,
    partitionsMax,
    catalog,
    reader,
    publish: (entries) => publisher.publish(entries),
    positionsAt: (topic, timeMs) => positionsAt(broker, topic, timeMs),
    retain: (topic, rule) => retain(broker, topic, rule),
    watch: (topic, listener) => news.watch(topic, listener),
    showPositions: showsPositions(settings)
      ? (subscription, topic, positions) => groups.show(subscription, topic, positions)
      : undefined,
  });
}

async function info({ settings, server, catalog }: Broker, durability: string): Promise<EngineInfo> {
  const topics = await catalog.list();
  return {
    engine: "kafka",
    address: settings.address,
    durability,
    cluster: server.cluster,
    metadataVersion: server.level,
    brokers: server.brokers,
    prefix: settings.prefix,
    consumerGroups: showsPositions(settings) ? `${settings.groupPrefix}*` : "none",
    replicas: settings.replicas,
    batchBytesMax: server.batchBytesMax,
    topics: topics.length,
    partitions: topics.reduce((sum, { partitions }) => sum + partitions, 0),
  };
}

async function close(broker: Broker): Promise<void> {
  broker.closed = true;
  await broker.publisher.close();
  broker.reader.close();
  broker.news.close();
  broker.link.close();
}
