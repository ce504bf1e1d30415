import { hash } from "node:crypto";

/** Queues may be called by 255 bytes, of which the prefix and the partition need some. */
const readableMax = 200;

/**
 * A topic's name in names of queues. A very long name is cut and ends with a hash behind "~~"; which topic it is stands in
 * the registry.
 */
function tokenOf(topic: string): string {
  return topic.length <= readableMax ? topic : `${topic.slice(0, 120)}~~${hash("sha256", topic).slice(0, 32)}`;
}

/** The stream of a partition: a queue of that name, which others publish to by the default exchange. */
export function queueOf(prefix: string, topic: string, partition: number): string {
  return `${prefix}:${tokenOf(topic)}:${partition}`;
}

/** The stream in which the topics are declared. */
export function registryOf(prefix: string): string {
  return `${prefix}:topics`;
}

/** The queue that only one connection of a process can hold at a time. */
export function fenceOf(prefix: string, instance: string): string {
  return `${prefix}:writer:${instance}`;
}
