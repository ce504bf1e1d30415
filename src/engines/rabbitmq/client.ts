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
