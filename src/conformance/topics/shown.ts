import type { ShownPosition } from "../../ports/topics.ts";
import { given, rejects, same } from "../expect.ts";
import { all, capability, toolsOfItsOwn } from "../needs.ts";
import { numbered, publishEach, textsOf } from "../records.ts";
import type { Case, Env } from "../suite.ts";

const needs = all(capability("showsPositions"), toolsOfItsOwn);

/** What the engine's own tools see of subscriptions. */
export const shownCases: readonly Case[] = [
  {
    name: "a position of a subscription is shown as it was said last, also when that is an earlier one",
    needs,
    async run(env) {
      const topic = await env.topic(3);
      const subscription = `${env.unique("s")}/${topic}`;
      await say(env, subscription, topic, { 0: 5, 2: 7 });
      same(await seen(env, subscription, topic), [5, undefined, 7]);
      await say(env, subscription, topic, { 0: 1, 1: 0 });
      same(await seen(env, subscription, topic), [1, 0, 7]);
      await say(env, subscription, topic, {});
      same(await seen(env, subscription, topic), [1, 0, 7]);
    },
  },
  {
    name: "positions of two subscriptions, and in two topics, are shown apart",
    needs,
    async run(env) {
      const [one, other] = [await env.topic(), await env.topic()];
      const service = env.unique("s");
      await say(env, `${service}/${one}`, one, { 0: 1 });
      await say(env, `${service}/${other}`, other, { 0: 2 });
      await say(env, `${env.unique("s")}/${one}`, one, { 0: 3 });
      same(await seen(env, `${service}/${one}`, one), [1]);
      same(await seen(env, `${service}/${other}`, other), [2]);
    },
  },
  {
    name: "a position that is shown changes nothing of what is read",
    needs: capability("showsPositions"),
    async run(env) {
      const topic = await env.topic();
      await publishEach(env, topic, numbered(5));
      await say(env, `${env.unique("s")}/${topic}`, topic, { 0: 3 });
      same(await textsOf(env.engine, topic), numbered(5));
    },
  },
  {
    name: "a position in a topic or partition that does not exist is refused",
    needs: capability("showsPositions"),
    async run(env) {
      const topic = await env.topic();
      const unknown = env.unique("unknown");
      await rejects(say(env, `s/${unknown}`, unknown, { 0: 1 }), "TIDINGS_NOT_FOUND");
      await rejects(say(env, `s/${topic}`, topic, { 1: 1 }), "TIDINGS_NOT_FOUND", "TIDINGS_INVALID_OPTION");
    },
  },
];

async function say(
  { engine }: Env,
  subscription: string,
  topic: string,
  positions: Readonly<Record<number, number>>,
): Promise<void> {
  const list: ShownPosition[] = Object.entries(positions).map(([n, position]) => ({ partition: Number(n), position }));
  await engine.topics.showPositions?.(subscription, topic, list);
}

/** By partition, what the engine's own tools see. */
async function seen({ opened, engine }: Env, subscription: string, topic: string): Promise<(number | undefined)[]> {
  const { partitions } = given(await engine.topics.find(topic));
  const found = given(await opened.shownPositions?.(subscription, topic));
  return Array.from({ length: partitions }, (_, partition) => found.get(partition));
}
