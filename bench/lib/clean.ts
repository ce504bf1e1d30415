// Removes what a run has left on a broker.

/** Everything of which the name begins with the prefix. */
export async function cleanBroker(url: string, prefix: string): Promise<void> {
  if (url.startsWith("redis")) return cleanRedis(url, prefix);
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
