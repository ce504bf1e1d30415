export { kafka, type KafkaEngine, kafkaFromUrl } from "./factory.ts";
export { type Durability, type KafkaOptions, parseKafkaUrl, type SaslMechanism } from "./options.ts";
