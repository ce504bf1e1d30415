// Finds something in the first run of a seed, and then in every run of the same process: as handlers do that keep state.
import { service, topic } from "tidings";
import type { SimulationEnd } from "tidings/testing";
import { z } from "zod";

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
const Placed = orders.event("shop.order.placed", { data: z.object({ orderId: z.string() }) });
let runs = 0;

export default {
  services: () => [service("mailer", { from: "start" }).on(Placed, () => undefined)],
  async workload(world: { publish: (publication: unknown, by: string) => Promise<void> }) {
    await world.publish([Placed, { orderId: "42" }], "web");
  },
  check({ swarm }: SimulationEnd) {
    runs += 1;
    const from = Number(process.env["FAILS_FROM_RUN"] ?? 2);
    const always = process.env["FAILS_ALONE"] === "yes" && swarm.events > 1;
    return runs >= from || always ? [{ invariant: "OWN", message: `run ${runs}` }] : [];
  },
};
