import type { Socket } from "node:net";
import type { Channel, ChannelModel, ConfirmChannel } from "amqplib";
import { TidingsError } from "../../errors/tidings-error.ts";

/** The part of the client that we use. */
export type Client = Pick<typeof import("amqplib"), "connect">;

/** The client library, loaded when an engine is opened: it is an optional peer. */
export async function loadClient(): Promise<Client> {
  try {
    const loaded = (await import("amqplib")) as Client & { readonly default?: Client };
    return loaded.default ?? loaded;
  } catch (cause) {
    if ((cause as { code?: string }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new TidingsError(
      "TIDINGS_CLIENT_MISSING",
      'The RabbitMQ engine needs the package "amqplib": npm install amqplib',
      { cause, details: { engine: "rabbitmq", package: "amqplib" } },
    );
  }
}

/** Opens a channel. What closes it rejects the calls on it; nobody else has to hear of it. */
export async function openChannel(model: ChannelModel): Promise<Channel> {
  const channel = await model.createChannel();
  channel.on("error", () => undefined);
  return channel;
}

/** The same with confirms. */
export async function openConfirmChannel(model: ChannelModel): Promise<ConfirmChannel> {
  const channel = await model.createConfirmChannel();
  channel.on("error", () => undefined);
  return channel;
}

/** What the client keeps of consumers, and does not offer. */
interface Consumers {
  registerConsumer?(tag: string, consumer: () => void): void;
  unregisterConsumer?(tag: string): void;
}

/** So many consumers of a channel that have ended are remembered. */
const endedMax = 8;
const ended = new WeakMap<Channel, string[]>();

/**
 * Ends a consumer of a stream. The server may send it something after it has said that it has ended, and the client closes the channel
 * when a message comes for a consumer that it does not know: so it goes on knowing the last ones, and nobody is told.
 */
export async function endConsumer(channel: Channel, consumerTag: string): Promise<void> {
  await channel.cancel(consumerTag);
  const consumers = channel as Consumers;
  if (!consumers.registerConsumer || !consumers.unregisterConsumer) return;
  consumers.registerConsumer(consumerTag, () => undefined);
  const tags = ended.get(channel) ?? [];
  ended.set(channel, tags);
  if (tags.push(consumerTag) > endedMax) consumers.unregisterConsumer(tags.shift() as string);
}

/** Closes a channel, unless it is closed already; nobody waits for it. */
export function dropChannel(channel: Channel): void {
  try {
    channel.close().catch(() => undefined);
  } catch {
    // It is closed.
  }
}

/** Does something on a channel of its own, since a refusal closes the channel. */
export async function onChannel<Answer>(
  model: ChannelModel,
  act: (channel: Channel) => Promise<Answer>,
): Promise<Answer> {
  const channel = await openChannel(model);
  try {
    return await act(channel);
  } finally {
    dropChannel(channel);
  }
}

/** A message for the queue of a name. */
export class Publishing {
  readonly exchange = "";
  readonly routingKey: string;
  /** It comes back when there is no such queue. */
  readonly mandatory = true;
  readonly immediate = false;
  readonly ticket = 0;
  readonly deliveryMode = 2;
  readonly headers: Readonly<Record<string, string>>;
  readonly messageId: string;
  readonly contentType: string | undefined;

  constructor(
    queue: string,
    headers: Readonly<Record<string, string>>,
    messageId: string,
    contentType: string | undefined,
  ) {
    this.routingKey = queue;
    this.headers = headers;
    this.messageId = messageId;
    this.contentType = contentType;
  }
}

/** What `publish` of the client calls behind what it does to its options. */
interface Sends {
  sendMessage?(fields: Publishing, properties: Publishing, content: Buffer): boolean;
  pushConfirmCallback?(confirmed: (error: unknown) => void): void;
}

/**
 * Publishes as the client's `publish` does, and by the same calls, without its copy of the headers: that is an object of which they are
 * the prototype, which makes the runtime set up each message's headers as if they were a class. It took a quarter of the time.
 */
export function publishOn(
  channel: ConfirmChannel,
  publishing: Publishing,
  content: Buffer,
  confirmed: (error: unknown) => void,
): void {
  const sends = channel as Sends;
  if (sends.sendMessage && sends.pushConfirmCallback) {
    sends.sendMessage(publishing, publishing, content);
    sends.pushConfirmCallback(confirmed);
    return;
  }
  const { routingKey, headers, messageId, contentType } = publishing;
  const options = { headers, messageId, mandatory: true, persistent: true, ...(contentType === undefined ? {} : { contentType }) }; // prettier-ignore
  channel.publish("", routingKey, content, options, confirmed);
}

/** The socket, which the client does not offer. */
interface Internals {
  readonly connection?: {
    readonly stream?: Partial<Pick<Socket, "destroy" | "cork" | "uncork" | "write" | "writableLength">>;
  };
}

const socketOf = (model: ChannelModel) => (model as unknown as Internals).connection?.stream;

/** Whether there is something that the system has not taken to send yet. */
export const isSending = (model: ChannelModel): boolean => (socketOf(model)?.writableLength ?? 0) > 0;

/**
 * Lets go of a connection at once, which the client does not offer. By an error, since without one it would not notice before the
 * time of its heartbeats, and leave open until then what it was asked.
 */
export function discard(model: ChannelModel): void {
  socketOf(model)?.destroy?.(new Error("socket closed"));
}

/**
 * Sends what the client writes in one turn of the event loop together: it makes a packet of each message, and the system's way of
 * gathering them (`noDelay: false`) holds some back for 40 ms.
 */
export function gatherWrites(model: ChannelModel): void {
  const socket = socketOf(model);
  if (!socket?.write || !socket.cork || !socket.uncork) return;
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let gathers = false;
  socket.write = (...args: unknown[]): boolean => {
    if (!gathers) {
      gathers = true;
      socket.cork?.();
      queueMicrotask(() => {
        gathers = false;
        socket.uncork?.();
      });
    }
    return write(...args);
  };
}
