import { hash } from "node:crypto";
import type { Settings } from "./options.ts";

/** What was changed, as members tell it to each other. */
export interface News {
  /** Who tells; empty for what everybody should hear. */
  readonly from: string;
  readonly topics: readonly string[];
  readonly collections: readonly string[];
  /** More than can be told. */
  readonly all?: boolean;
}

/** Longest payload of a notification that every server takes, in bytes. */
const payloadMax = 7000;

/** Longest name that the server takes. */
const nameMax = 63;

/** The channel of a schema: what it takes for the name of a schema is too long for that of its channel. */
export function channelOf({ schema }: Pick<Settings, "schema">): string {
  const channel = `tidings_${schema}`;
  return channel.length <= nameMax ? channel : `tidings_${hash("sha256", schema).slice(0, 32)}`;
}

/** The payload of a notification. */
export function newsOf(from: string, topics: Iterable<string>, collections: Iterable<string>): string {
  const payload = JSON.stringify({ from, topics: [...topics], collections: [...collections] } satisfies News);
  return Buffer.byteLength(payload) <= payloadMax
    ? payload
    : JSON.stringify({ from, topics: [], collections: [], all: true } satisfies News);
}

/** Undefined when somebody else uses the channel. */
export function parseNews(payload: string): News | undefined {
  try {
    const news = JSON.parse(payload) as Partial<News>;
    return Array.isArray(news.topics) && Array.isArray(news.collections) ? (news as News) : undefined;
  } catch {
    return undefined;
  }
}
