import { equal, holds } from "../expect.ts";
import { secondHandle } from "../needs.ts";
import { numbered } from "../records.ts";
import type { Case, Env } from "../suite.ts";
import type { Engine } from "../../ports/engine.ts";
import { join, produce, settled, shared, withCrew } from "./crew.ts";

const keys = numbered(12, "key");

/** Who owns what when members come and go in order. */
export const sharingCases: readonly Case[] = [
  {
    name: "one member owns every partition and handles every event once, in order per key",
    run: (env) =>
      withCrew(env, { partitions: 4 }, async (crew) => {
        await produce(crew, keys, 0, 5);
        const one = await join(crew, "one");
        equal(one.group.assignment().length, 4);
        await produce(crew, keys, 5, 5);
        await settled(crew);
        equal(one.handled, keys.length * 10);
      }),
  },
  {
    name: "several members share the partitions, and every key keeps its order",
    run: (env) => severalMembers(env, [env.engine]),
  },
  {
    name: "members at several handles share the partitions, and every key keeps its order",
    needs: secondHandle,
    run: async (env) => severalMembers(env, [env.engine, await env.second()]),
  },
  {
    name: "a member that joins takes its share over without loss or overlap while events flow",
    run: (env) =>
      withCrew(env, { partitions: 4 }, async (crew) => {
        const one = await join(crew, "one");
        const [two] = await Promise.all([
          produce(crew, keys, 0, 4).then(() => join(crew, "two")),
          produce(crew, ["other"], 0, 40),
        ]);
        await shared(crew, [one, two], [2, 2]);
        await produce(crew, keys, 4, 10);
        await settled(crew);
        holds(one.handled > 0 && two.handled > 0, "both worked");
      }),
  },
  {
    name: "a member that leaves hands its partitions over without loss or overlap while events flow",
    run: (env) =>
      withCrew(env, { partitions: 4 }, async (crew) => {
        const [one, two] = [await join(crew, "one"), await join(crew, "two")];
        await shared(crew, [one, two], [2, 2]);
        const flow = produce(crew, keys, 0, 20);
        await env.wait(20);
        await one.leave();
        const handledByOne = one.handled;
        await flow;
        await shared(crew, [one, two], [0, 4]);
        await produce(crew, keys, 20, 3);
        await settled(crew);
        equal(one.handled, handledByOne, "who left does nothing more");
      }),
  },
  {
    name: "a member without a partition takes over when another one leaves",
    run: (env) =>
      withCrew(env, { partitions: 2 }, async (crew) => {
        const [one, two] = [await join(crew, "one"), await join(crew, "two")];
        await shared(crew, [one, two], [1, 1]);
        const three = await join(crew, "three");
        equal(three.group.assignment().length, 0);
        await produce(crew, keys, 0, 5);
        await two.leave();
        await shared(crew, [one, two, three], [1, 0, 1]);
        await produce(crew, keys, 5, 5);
        await settled(crew);
        holds(three.handled > 0, "it works now");
      }),
  },
  {
    name: "members that come and go all the time lose, double and reorder nothing",
    run: (env) =>
      withCrew(env, { partitions: 5 }, async (crew) => {
        await join(crew, "stays");
        const flow = produce(crew, keys, 0, 60);
        for (const round of numbered(6, "comes")) {
          const guest = await join(crew, round);
          await env.wait(20);
          await guest.leave();
        }
        await flow;
        await settled(crew);
      }),
  },
];

async function severalMembers(env: Env, engines: readonly Engine[]): Promise<void> {
  await withCrew(env, { partitions: 6 }, async (crew) => {
    const members = [];
    for (const [i, id] of ["one", "two", "three"].entries())
      members.push(await join(crew, id, engines[i % engines.length]));
    await shared(crew, members, [2, 2, 2]);
    await produce(crew, keys, 0, 15);
    await settled(crew);
    holds(
      members.every(({ handled }) => handled > 0),
      "each of them worked",
    );
    holds(
      members.every(({ fenced }) => fenced === 0),
      "nobody was fenced",
    );
  });
}
