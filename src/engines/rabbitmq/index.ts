export { rabbitmq, type RabbitmqEngine, rabbitmqFromUrl } from "./factory.ts";
export { type Durability, parseRabbitmqUrl, type RabbitmqOptions } from "./options.ts";
