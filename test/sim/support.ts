// A small service and a workload for tests of the simulator.
import { service, type Service, topic } from "tidings";
import type { NodeStart, SimulationOptions } from "tidings/testing";
import { z } from "zod";

const schema = z.object({ key: z.string(), n: z.number() });
const things = topic("things", { key: (data: { key: string }) => data.key });
export const Happened = things.event("test.happened", { data: schema });
const results = topic("results", { key: (data: { key: string }) => data.key });
const Resulted = results.event("test.resulted", { data: schema });

const services = ({ epoch, outside }: NodeStart): readonly Service[] => [
  service("worker", { epoch, from: "start", retry: { immediateMs: [0, 10], delayedMs: [100, 500] } }).on(
    Happened,
    async ({ data }, ctx) => {
      const sums = ctx.state<number>("sums");
      sums.set(data.key, ((await sums.get(data.key)) ?? 0) + 1);
      ctx.publish(Resulted, data);
      const failures = outside.get(`${data.n}`) ?? 0;
      outside.set(`${data.n}`, failures + 1);
      if (data.n % 7 === 3 && failures < 4) throw new Error("not yet");
    },
  ),
];

/** A simulation in which every event publishes one result. */
export const small: SimulationOptions = {
  services,
  topics: [results],
  async workload(world) {
    const { dice, swarm } = world;
    for (let n = 0; n < Math.min(30, swarm.events); n++) {
      await world.sleep(dice.between(0, 100));
      await world.publish([Happened, { key: dice.one(["a", "b", "c"]), n }], "tester");
    }
  },
  expect: { "worker/things": { publishes: true } },
};
