// Payments under faults: processes die, answers get lost, operators redrive, and no order is paid twice.
//   npx tidings test sim --app examples/testing/simulation.ts
import { service, type Service, topic } from "tidings";
import type { NodeStart, SimulationEnd, SimulationOptions, Violation, Workload } from "tidings/testing";
import { z } from "zod";

const orders = topic("orders", { key: (data: { customer: string }) => data.customer });
const OrderPlaced = orders.event("shop.order.placed", { data: z.object({ customer: z.string(), cents: z.number() }) });
const captures = topic("payments", { key: (data: { customer: string }) => data.customer });
const PaymentCaptured = captures.event("shop.payment.captured", {
  data: z.object({ customer: z.string(), cents: z.number() }),
});

/** Asked at each start of a process. */
const services = ({ epoch, outside }: NodeStart): readonly Service[] => [
  service("payments", { epoch, from: "start" }).on(OrderPlaced, async (order, ctx) => {
    const { customer, cents } = order.data;
    const sums = ctx.state<number>("sums");
    sums.set(customer, ((await sums.get(customer)) ?? 0) + cents);
    ctx.publish(PaymentCaptured, { customer, cents });
    // The bank is down for every fifth order, once; what stands above must be taken back.
    const tries = outside.get(order.id) ?? 0;
    outside.set(order.id, tries + 1);
    if (cents % 5 === 0 && tries === 0) throw new Error("the bank is closed");
  }),
];

/** Publishes as many orders as the seed says. All chance comes from the dice, all time from the workload. */
async function workload(world: Workload): Promise<void> {
  const { dice, swarm } = world;
  for (let i = 0; i < swarm.events; i++) {
    await world.sleep(dice.between(0, swarm.safetyMs / swarm.events));
    const order = { customer: dice.one(["ada", "bob", "cyd"]), cents: dice.whole(1, 100) };
    await world.publish([OrderPlaced, order], "web");
  }
}

/** The sums are those of the payments. */
async function check(end: SimulationEnd): Promise<readonly Violation[]> {
  const paid = new Map<string, number>();
  for (const { data } of await end.log("payments")) {
    const { customer, cents } = data as { readonly customer: string; readonly cents: number };
    paid.set(customer, (paid.get(customer) ?? 0) + cents);
  }
  const kept = await end.state<number>("payments", "sums");
  return [...new Set([...paid.keys(), ...kept.keys()])]
    .filter((customer) => paid.get(customer) !== kept.get(customer))
    .map((key) => ({ invariant: "OWN", key, message: `${key} paid ${paid.get(key)} and ${kept.get(key)} is kept.` }));
}

export default {
  services,
  topics: [captures],
  workload,
  // Each order that was handled has published exactly one payment, in the order of its customer.
  expect: { "payments/orders": { publishes: true } },
  check,
} satisfies SimulationOptions;
