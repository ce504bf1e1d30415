// Removes what a run has left on a broker.

/** Everything of which the name begins with the prefix. */
export async function cleanBroker(url: string, prefix: string): Promise<void> {
  if (url.startsWith("redis")) return cleanRedis(url, prefix);
  if (url.startsWith("kafka")) return cleanKafka(url, prefix);
  if (url.startsWith("amqp")) return cleanRabbitmq(url, prefix);
  return cleanNats(url, prefix);
}

async function cleanRedis(url: string, prefix: string): Promise<void> {
  const { createClient } = await import("@redis/client");
  const client = createClient({ url, RESP: 2 });
  await client.connect();
  for await (const keys of client.scanIterator({ MATCH: `*${prefix}*`, COUNT: 1000 }))
    if (keys.length > 0) await client.del(keys);
  await client.close();
}

async function cleanNats(url: string, prefix: string): Promise<void> {
  const { jetstreamManager } = await import("@nats-io/jetstream");
  const { connect } = await import("@nats-io/transport-node");
  const { hostname, port, username, password } = new URL(url);
  const connection = await connect({ servers: `${hostname}:${port}`, user: username, pass: password });
  const manager = await jetstreamManager(connection);
  for await (const name of manager.streams.names()) if (name.startsWith(prefix)) await manager.streams.delete(name);
  await connection.close();
}

async function cleanKafka(url: string, prefix: string): Promise<void> {
  const { Admin } = await import("@platformatic/kafka");
  const { kafkaAccess } = await import("./kafka.ts");
  const admin = new Admin(kafkaAccess(url));
  const topics = (await admin.listTopics()).filter((name) => name.startsWith(prefix));
  if (topics.length > 0) await admin.deleteTopics({ topics });
  await admin.close();
}

/** The protocol has no list of queues; tidings has one of its topics. */
async function cleanRabbitmq(url: string, prefix: string): Promise<void> {
  const { connect } = await import("amqplib");
  const { rabbitmqFromUrl } = await import("../../src/engines/rabbitmq/factory.ts");
  const { queueOf, registryOf } = await import("../../src/engines/rabbitmq/names.ts");
  const { systemPlatform } = await import("../../src/platform/system.ts");
  const engine = await rabbitmqFromUrl(`${url}?prefix=${prefix}&durability=weak`).open({ platform: systemPlatform() });
  const topics = await engine.topics.list();
  await engine.close();
  const model = await connect(url);
  const channel = await model.createChannel();
  for (const { name, partitions } of topics)
    for (let partition = 0; partition < partitions; partition++)
      await channel.deleteQueue(queueOf(prefix, name, partition));
  await channel.deleteQueue(registryOf(prefix));
  await model.close();
}
