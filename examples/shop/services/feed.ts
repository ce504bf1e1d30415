// Remembers how far the feed has come. The mark is published together with the facts before it, so that the two cannot
// disagree; a restarted feed begins behind the last mark, and what it publishes twice has the same ids and is dropped.
import { service } from "tidings";

import { FeedAdvanced } from "../events.ts";

/** Documents of this service, by feed. */
export const feedMarks = "marks";

export interface FeedMark {
  readonly name: string;
  readonly published: number;
  readonly total: number;
}

export const feed = service("feed", { from: "start" }).on(FeedAdvanced, ({ data }, ctx) => {
  const { name, published, total } = data;
  ctx.state<FeedMark>(feedMarks).set(data.feed, { name, published, total });
});
