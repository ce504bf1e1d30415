import { equal, given, holds, same } from "../expect.ts";
import { numbered } from "../records.ts";
import type { Case, Env } from "../suite.ts";
import { set } from "./set.ts";

async function dueKeys(env: Env, queue: string, atMs: number, limit = 100): Promise<string[]> {
  return (await env.timers.due(queue, atMs, limit)).map(({ key }) => key);
}

/** Which timers are due, and in what order. */
export const dueCases: readonly Case[] = [
  {
    name: "a timer is due at its instant and after it, never before",
    async run(env) {
      const queue = env.unique("q");
      const at = 1_900_000_000_000;
      await set(env, queue, { k: at });
      for (const early of [0, at - 60_000, at - 1]) same(await dueKeys(env, queue, early), []);
      for (const late of [at, at + 1, at + 86_400_000]) same(await dueKeys(env, queue, late), ["k"]);
    },
  },
  {
    name: "an instant that has passed by the clock does not make a timer due for one who asks for an earlier one",
    async run(env) {
      const queue = env.unique("q");
      const now = env.platform.clock.now();
      await set(env, queue, { past: now - 1000, soon: now + 1 });
      await env.pass(20);
      same(await dueKeys(env, queue, now), ["past"]);
    },
  },
  {
    name: "due timers come earliest first, at most as many as asked for",
    async run(env) {
      const queue = env.unique("q");
      await set(env, queue, { late: 3000, early: 1000, middle: 2000, after: 4000 });
      await set(env, queue, { later: 3500, first: 500 });
      same(await dueKeys(env, queue, 3500), ["first", "early", "middle", "late", "later"]);
      same(await dueKeys(env, queue, 3500, 2), ["first", "early"]);
      same(await dueKeys(env, queue, 3500, 1), ["first"]);
    },
  },
  {
    name: "timers of one instant come in the order they were set",
    async run(env) {
      const queue = env.unique("q");
      const order = ["m", "a", "z", "b", "y", "c"];
      for (const key of order.slice(0, 3)) await set(env, queue, { [key]: 1000 });
      await set(env, queue, Object.fromEntries(order.slice(3).map((key) => [key, 1000])));
      same(await dueKeys(env, queue, 1000), order);
      same(await dueKeys(env, queue, 1000, 4), order.slice(0, 4));
    },
  },
  {
    name: "a timer that is moved to the instant of others comes after them",
    async run(env) {
      const queue = env.unique("q");
      await set(env, queue, { a: 500 });
      await set(env, queue, { b: 1000, c: 1000 });
      await set(env, queue, { a: 1000 });
      same(await dueKeys(env, queue, 1000), ["b", "c", "a"]);
    },
  },
  {
    name: "a due timer stays due until it is cancelled or moved",
    async run(env) {
      const queue = env.unique("q");
      await set(env, queue, { k: 1000 });
      same(await dueKeys(env, queue, 1000), ["k"]);
      same(await dueKeys(env, queue, 1000), ["k"]);
      await set(env, queue, { k: 2000 });
      same(await dueKeys(env, queue, 1000), []);
    },
  },
  {
    name: "the next due instant is the earliest one of the queue",
    async run(env) {
      const queue = env.unique("q");
      equal(await env.timers.nextDueAt(queue), undefined);
      await set(env, queue, { b: 2000 });
      await set(env, queue, { a: 3000 });
      equal(await env.timers.nextDueAt(queue), 2000);
      await set(env, queue, { a: 0 });
      equal(await env.timers.nextDueAt(queue), 0);
      await set(env, queue, { a: null, b: null });
      equal(await env.timers.nextDueAt(queue), undefined);
    },
  },
  {
    name: "queues do not see each other's timers",
    async run(env) {
      const [left, right] = [env.unique("q"), env.unique("q")];
      await set(env, left, { k: 1000 });
      await set(env, right, { k: 2000 });
      same(await dueKeys(env, left, 5000), ["k"]);
      same(
        (await env.timers.due(left, 5000, 10)).map(({ queue }) => queue),
        [left],
      );
      await set(env, right, { k: null });
      equal(await env.timers.nextDueAt(left), 1000);
    },
  },
  {
    name: "timers are listed in key order, page by page, due or not",
    async run(env) {
      const queue = env.unique("q");
      const keys = Array.from({ length: 500 }, (_, i) => `k${String(i).padStart(3, "0")}`);
      const clock = env.platform.clock.now();
      await set(
        env,
        queue,
        Object.fromEntries(keys.toReversed().map((key, i) => [key, clock + ((i * 7919) % 1000) - 500])),
      );
      const seen: string[] = [];
      for (let page = await env.timers.list(queue, { limit: 70 }); page.length > 0;) {
        holds(page.length <= 70, "a page holds no more than asked for");
        seen.push(...page.map(({ key }) => key));
        page = await env.timers.list(queue, { limit: 70, after: given(seen.at(-1)) });
      }
      same(seen, keys);
    },
  },
  {
    name: "a thousand timers fire each once when each is cancelled by the version that was seen",
    async run(env) {
      const queue = env.unique("q");
      for (const ten of numbered(10, "k")) {
        await set(env, queue, Object.fromEntries(numbered(100, `${ten}-`).map((key, i) => [key, 1000 + (i % 10)])));
      }
      const fired: string[] = [];
      for (
        let due = await env.timers.due(queue, 1009, 64);
        due.length > 0;
        due = await env.timers.due(queue, 1009, 64)
      ) {
        fired.push(...due.map(({ key }) => key));
        await env.transact({ timers: due.map(({ key, version }) => ({ queue, key, dueAtMs: null, version })) });
      }
      equal(fired.length, 1000);
      equal(new Set(fired).size, 1000);
    },
  },
];
