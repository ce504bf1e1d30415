// An application for the tests of the command line: says on stdout what it handles, and stops when stdin ends.
import { existsSync } from "node:fs";
import { service, TerminalError, tidings, topic } from "tidings";
import { z } from "zod";

const [url = "", ...words] = process.argv.slice(2);
const file = url.slice("sqlite:".length);

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId, partitions: 2 });
const Placed = orders.event("shop.order.placed", {
  data: z.object({ orderId: z.string(), total: z.number(), bad: z.boolean().optional() }),
});

const pay = service("pay", { from: "start" }).on(Placed, ({ data }) => {
  if (data.bad && !existsSync(`${file}.mended`)) throw new TerminalError(`the card of ${data.orderId} is refused`);
  process.stdout.write(`handled ${data.orderId}:${data.total}\n`);
});

const app = await tidings({
  name: "shop",
  url,
  services: [pay],
  memberTtlMs: 2000,
  logger: { debug() {}, info() {}, warn() {}, error() {} },
}).start();
for (const word of words) {
  const [orderId = "", total = "0", bad] = word.split(":");
  await app.publish(Placed, { orderId, total: Number(total), ...(bad ? { bad: true } : {}) });
}
await app.settled({ timeoutMs: 10_000 });
process.stdout.write("ready\n");
process.stdin.resume();
process.stdin.once("end", () => void app.stop());
