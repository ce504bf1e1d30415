import { hash } from "node:crypto";

/** Streams may be called by so many characters, of which the prefix and the partition need some. */
const readableMax = 180;

/**
 * A topic's name as one token of subjects and streams, which may not hold dots: "=" stands for the dot and occurs in no name
 * of a topic. A very long name is cut and ends with a hash behind "~~"; which topic it is stands in the registry.
 */
export function tokenOf(topic: string): string {
  const token = topic.replaceAll(".", "=");
  return token.length <= readableMax ? token : `${token.slice(0, 120)}~~${hash("sha256", topic).slice(0, 32)}`;
}

/** The stream of a partition. */
export function streamOf(prefix: string, topic: string, partition: number): string {
  return `${prefix}~${tokenOf(topic)}~${partition}`;
}

/** Where a partition's events are published, also by others. */
export function subjectOf(prefix: string, topic: string, partition: number): string {
  return `${prefix}.t.${tokenOf(topic)}.${partition}`;
}

/** Where members tell each other that a topic has news. */
export function newsSubjectOf(prefix: string, topic: string): string {
  return `${prefix}.news.${tokenOf(topic)}`;
}

/** The stream in which the topics are declared. */
export function registryStreamOf(prefix: string): string {
  return `${prefix}~topics`;
}

export function registrySubjectOf(prefix: string): string {
  return `${prefix}.topics`;
}
