export { nats, type NatsEngine, natsFromUrl } from "./factory.ts";
export { type Durability, type NatsOptions, parseNatsUrl } from "./options.ts";
