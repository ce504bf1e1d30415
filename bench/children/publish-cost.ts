// Publishes to a topic that nobody consumes, while so many other subscriptions idle in the process.
import { type Service, service, tidings, topic } from "../../src/index.ts";
import { join } from "node:path";

import { answer, taskOf } from "../lib/child.ts";
import { publishAll } from "../lib/flow.ts";
import { orderSchema } from "../lib/payload.ts";
import { OrderPlaced, orders } from "../peers/tidings.ts";

export interface PublishCostTask {
  readonly folder: string;
  readonly subscriptions: number;
  readonly keys: number;
  readonly warmup: number;
  readonly events: number;
  readonly inFlight: number;
}

export interface PublishCostResult {
  readonly microsPerEvent: number;
  readonly cpuMicrosPerEvent: number;
}

const { folder, subscriptions, keys, warmup, events, inFlight } = taskOf<PublishCostTask>();

/** Each idles on a topic of its own. */
function idle(n: number): Service {
  const other = topic(`other-${n}`, { partitions: 1 }).event("bench.other", { data: orderSchema });
  return service(`idle-${n}`).on(other, () => undefined);
}

const app = tidings({
  name: "bench",
  url: `sqlite:${join(folder, "bench.db")}`,
  services: Array.from({ length: subscriptions }, (_, n) => idle(n)),
  topics: [orders],
});
await app.start();
const publish = (order: Parameters<typeof app.publish<"bench.order.placed", never>>[1]): Promise<unknown> =>
  app.publish(OrderPlaced, order);
await publishAll(publish as never, { from: 0, events: warmup, inFlight, keys });
const cpu = process.cpuUsage();
const began = performance.now();
await publishAll(publish as never, { from: warmup, events, inFlight, keys });
const ms = performance.now() - began;
const { user, system } = process.cpuUsage(cpu);
await app.stop();

answer({
  microsPerEvent: (ms * 1000) / events,
  cpuMicrosPerEvent: (user + system) / events,
} satisfies PublishCostResult);
