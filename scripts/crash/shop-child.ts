// A process of the scenario "shop": the example shop with all its services, which goes on where the last one was killed.
import type { App } from "tidings";

import { Faults } from "../../examples/shop/faults.ts";
import { generateOrders } from "../../examples/shop/feed/generator.ts";
import { publishTimeline } from "../../examples/shop/feed/publish.ts";
import { timelineOf } from "../../examples/shop/feed/timeline.ts";
import { summarize } from "../../examples/shop/figures.ts";
import { type FeedMark, feed, feedMarks } from "../../examples/shop/services/feed.ts";
import { openShop } from "../../examples/shop/shop.ts";
import { acknowledge, ready, say, taskOfThisProcess } from "./speak.ts";
import { urlOf } from "./url.ts";

export interface ShopTask {
  readonly file: string;
  readonly seed: number;
  readonly orders: number;
}

const { file, seed, orders, last } = await taskOfThisProcess<ShopTask>();
const { signal } = new AbortController();
const timeline = timelineOf(generateOrders(orders, seed), "crash");
const faults = new Faults({ rate: 0.03, seed, poisoned: new Set() });
const app = openShop({ url: urlOf(file), faults, signal });
await app.start();
ready();

let acknowledged = await published(app);
await publishTimeline(app, timeline, {
  from: acknowledged,
  // Slow enough that the kills find it at work.
  speed: last ? undefined : 3_000_000,
  signal,
  advanced(count) {
    acknowledge(...Array.from({ length: count - acknowledged }, (_, i) => acknowledged + i));
    acknowledged = count;
  },
});
await app.settled({ timeoutMs: 240_000 });
say(`summary ${JSON.stringify(await summarize(app))}`);
await app.stop();

/** How far the feed has come, as its own service remembers. */
async function published(shop: App): Promise<number> {
  const mark = await shop.state<FeedMark>(feed.name, feedMarks).get(timeline.feed);
  return mark?.published ?? 0;
}
