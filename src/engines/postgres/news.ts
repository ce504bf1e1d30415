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

/** Longest payload of a notification that every server takes. */
const payloadMax = 7000;

/** The channel of a schema. */
export const channelOf = ({ schema }: Settings): string => `tidings_${schema}`;

/** The payload of a notification. */
export function newsOf(from: string, topics: Iterable<string>, collections: Iterable<string>): string {
  const payload = JSON.stringify({ from, topics: [...topics], collections: [...collections] } satisfies News);
  return payload.length <= payloadMax
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
