import { equal, eventually, given, holds } from "../expect.ts";
import { numbered } from "../records.ts";
import type { Case } from "../suite.ts";
import { join, produce, settled, shared, withCrew } from "./crew.ts";

const keys = numbered(6, "key");
const ttlMs = 900;

/** Who owns what when members fall silent. */
export const fencingCases: readonly Case[] = [
  {
    name: "a member that falls silent is replaced, and nothing is lost",
    run: (env) =>
      withCrew(env, { partitions: 2, ttlMs }, async (crew) => {
        const one = await join(crew, "one");
        await produce(crew, keys, 0, 3);
        await settled(crew);
        one.freezer.freeze();
        await produce(crew, keys, 3, 3);
        const two = await join(crew, "two");
        equal(two.group.assignment().length, 0);
        await settled(crew);
        equal(two.group.assignment().length, 2);
        equal(two.handled, keys.length * 3);
      }),
  },
  {
    name: "a member that comes back from a pause is fenced: what it was about to write is refused",
    run: (env) =>
      withCrew(env, { partitions: 1, ttlMs }, async (crew) => {
        const one = await join(crew, "one");
        await produce(crew, keys, 0, 1);
        await settled(crew);
        await held(crew, one);
        const two = await join(crew, "two");
        await settled(crew);
        holds(two.handled > 0, "the heir has handled what the paused one had read");
        one.freezer.thaw();
        await eventually(env, "the fence refuses the paused member", () => one.fenced === 1);
        await produce(crew, keys, 2, 3);
        await settled(crew);
      }),
  },
  {
    name: "a member that comes back from a pause says at once that it owns nothing",
    run: (env) =>
      withCrew(env, { partitions: 1, ttlMs }, async (crew) => {
        const one = await join(crew, "one");
        const partition = given(crew.partitions[0]);
        equal(one.group.owns(partition), true);
        one.freezer.freeze();
        const two = await join(crew, "two");
        await shared(crew, [two], [1]);
        equal(one.group.owns(partition), false);
        equal(one.group.assignment().length, 0);
        one.freezer.thaw();
      }),
  },
  {
    name: "the token of a partition rises each time it changes hands",
    run: (env) =>
      withCrew(env, { partitions: 1, ttlMs }, async (crew) => {
        let last = 0;
        for (const id of numbered(4, "m")) {
          const member = await join(crew, id);
          await shared(crew, [member], [1]);
          const { token } = given(member.group.assignment()[0]).lease;
          holds(token > last, `${token} is above ${last}`);
          last = token;
          await member.leave();
        }
      }),
  },
];

/** Freezes the member when it has read events and is about to write what it made of them. */
async function held(crew: Parameters<typeof join>[0], member: Awaited<ReturnType<typeof join>>): Promise<void> {
  const { env } = crew;
  member.freezer.freezeBeforeWriting();
  await produce(crew, keys, 1, 1);
  await eventually(env, "the member is about to write", () => member.freezer.frozen);
}
