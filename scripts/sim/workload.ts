// What is published in the simulation of the repository, and what must hold of it in the end.
import type { SimulationEnd, SimulationOptions, Workload } from "tidings/testing";
import type { Violation } from "tidings/testing";
import { done, hows, Ignored, Noted, notes, type Work, work, Worked } from "./contracts.ts";
import { checkLedger } from "./ledger.ts";
import { services, servicesOfSeed, triesMax } from "./services.ts";

/** By how an event is handled, how often one comes. */
const weights: Record<(typeof hows)[number], number> = {
  ok: 60, fails: 12, poison: 3, terminal: 3, sleeps: 8, slow: 2, later: 3, conflict: 4, pauses: 1, strange: 2, deadly: 0.4,
}; // prettier-ignore

/** Where operators redrive at large, there is something to redrive. */
const redriven = { terminal: 20 };

function drawHow({ dice, swarm }: Workload): Work["how"] {
  const { kinds } = swarm;
  const own = {
    ...weights,
    ...(kinds.includes("redrive-operation") || kinds.includes("undo-discard") ? redriven : {}),
  };
  let left = dice.between(
    0,
    Object.values(own).reduce((sum, weight) => sum + weight, 0),
  );
  for (const how of hows) if ((left -= own[how]) < 0) return how;
  return "ok";
}

/** Publishers, each with events of its own in its own pace, to keys that they share. */
async function publish(workload: Workload): Promise<void> {
  const { dice, swarm } = workload;
  const producers = dice.whole(1, 4);
  const keys = Array.from({ length: dice.one([1, 2, 4, 8, 20]) }, (_, i) => `k${i}`);
  const noise = dice.one([0, 0, 0.3]);
  let n = 0;
  const make = (): Work => {
    const how = drawHow(workload);
    const pad = "x".repeat(dice.whole(0, swarm.payloadBytesMax));
    return { key: dice.one(keys), n: n++, how, times: dice.whole(1, 4), to: dice.one(keys), amount: dice.whole(1, 9), pad }; // prettier-ignore
  };
  const idOf = ({ how, n }: Work): { readonly id: string } => ({ id: `${how}-${n}` });
  const produce = async (name: string): Promise<void> => {
    while (n < swarm.events) {
      await workload.sleep(dice.between(0, (swarm.safetyMs * producers) / swarm.events));
      const data = make();
      const options = idOf(data);
      if (dice.chance(0.1)) {
        const batch = [data, make(), make()].map((each) => [Worked, each, idOf(each)] as const);
        await workload.publishAll(batch);
        continue;
      }
      if (dice.chance(0.1)) {
        await workload.publish([Ignored, data, { id: `ignored-${data.n}` }], name);
        continue;
      }
      if (dice.chance(0.06)) {
        // Many of one key at once.
        const burst = Array.from({ length: dice.whole(3, 12) }, () => ({ ...make(), key: data.key }));
        await workload.publishAll(burst.map((each) => [Worked, each, idOf(each)] as const));
      }
      if (dice.chance(0.04)) {
        const expired = { id: `expired-${data.n}`, expiresAt: "2020-01-01T00:00:00Z" };
        await workload.publish([Worked, data, expired], name);
        continue;
      }
      if (dice.chance(noise)) await workload.publish([Noted, { n: n++ }]);
      await workload.publish([Worked, data, options], name);
      const more = dice.between(0, 1);
      if (more < 0.05) await other(workload, data, options, make());
      else if (more < 0.12 && data.how === "ok") {
        // By then somebody else may own the partition.
        await workload.sleep(dice.spread(1, 3000));
        await workload.repeat([Worked, data, options]);
      }
    }
  };
  await Promise.all(Array.from({ length: producers }, (_, i) => produce(`p${i}`)));
}

/** The id of an event with another payload: must be refused, and with it what stands before it in a batch. */
async function other(workload: Workload, data: Work, options: { readonly id: string }, fresh: Work): Promise<void> {
  const twin = [Worked, { ...data, amount: data.amount + 1 }, options] as const;
  const before = [Worked, fresh, { id: `never-${fresh.n}` }] as const;
  const answer = await workload.tryPublish(...(workload.dice.chance(0.5) ? [twin] : [before, twin]));
  if (answer === "acknowledged") workload.violation(`${options.id} was acknowledged with two payloads.`);
}

const poison = (id: string): number | undefined => {
  if (id.startsWith("poison-")) return triesMax;
  return undefined;
};

/** Nobody handles what had expired before it was published. */
const exempt = (id: string): boolean => id.startsWith("expired-");

/** What is known of each subscription. */
const expect: NonNullable<SimulationOptions["expect"]> = {
  "ledger/work": { publishes: true, exempt, poison },
  "batch/work": { publishes: true, exempt, poison },
  "loose/work": { publishes: true, exempt, ordered: false, movable: true },
  "most/work": { publishes: true, exempt, ordered: false, mayLose: true },
  "inbox/work": { publishes: true, exempt, poison, movable: true },
  "strict/work": { publishes: true, exempt },
  "swift/work": { publishes: true, exempt, poison },
  "noted/notes": { publishes: true, movable: true },
};

/** The simulation of the repository, without what the command line says. */
export const ownSimulation: SimulationOptions = {
  name: "sim",
  services,
  topics: [work, notes, done],
  workload: publish,
  apart: true,
  expect,
  check: (end: SimulationEnd): Promise<readonly Violation[]> => checkLedger(end, servicesOfSeed(end.seed)),
};
