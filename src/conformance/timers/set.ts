import { committed, equal, given, holds, same } from "../expect.ts";
import { reopening, secondHandle } from "../needs.ts";
import type { Case, Env } from "../suite.ts";

/** Sets timers of one queue at these instants, in one transaction. */
export async function set(env: Env, queue: string, dueAt: Readonly<Record<string, number | null>>): Promise<void> {
  const timers = Object.entries(dueAt).map(([key, dueAtMs]) => ({ queue, key, dueAtMs, payload: `payload of ${key}` }));
  committed(await env.transact({ timers }));
}

/** Setting, moving and cancelling. */
export const setCases: readonly Case[] = [
  {
    name: "a timer is found as it was set",
    async run(env) {
      const queue = env.unique("q");
      const strange = "k 日本 '%_\u0000 👩‍👩‍👧";
      committed(
        await env.transact({
          timers: [{ queue, key: strange, dueAtMs: 1_800_000_000_123, payload: `{ "a" : ${strange}` }],
        }),
      );
      const timer = given(await env.timers.find(queue, strange));
      same(
        { ...timer, version: 0 },
        { queue, key: strange, dueAtMs: 1_800_000_000_123, payload: `{ "a" : ${strange}`, version: 0 },
      );
      holds(timer.version >= 1, "a version from 1 on");
      equal(await env.timers.find(queue, "none"), undefined);
      equal(await env.timers.find(env.unique("q"), strange), undefined);
    },
  },
  {
    name: "setting a key again moves the timer, with a higher version and the new payload",
    async run(env) {
      const queue = env.unique("q");
      const versions: number[] = [];
      for (const dueAtMs of [5000, 1000, 9000]) {
        committed(await env.transact({ timers: [{ queue, key: "k", dueAtMs, payload: `at ${dueAtMs}` }] }));
        const timer = given(await env.timers.find(queue, "k"));
        same([timer.dueAtMs, timer.payload], [dueAtMs, `at ${dueAtMs}`]);
        versions.push(timer.version);
      }
      holds(
        versions.every((version, i) => i === 0 || version > (versions[i - 1] ?? 0)),
        `${versions.join()} rise`,
      );
      same((await env.timers.due(queue, 8999, 10)).length, 0);
      same(
        (await env.timers.due(queue, 9000, 10)).map(({ key }) => key),
        ["k"],
      );
    },
  },
  {
    name: "a cancelled timer is gone, and cancelling one that is not there does nothing",
    async run(env) {
      const queue = env.unique("q");
      await set(env, queue, { a: 1000, b: 2000 });
      await set(env, queue, { a: null, none: null });
      equal(await env.timers.find(queue, "a"), undefined);
      same(
        (await env.timers.due(queue, 9000, 10)).map(({ key }) => key),
        ["b"],
      );
      equal(await env.timers.nextDueAt(queue), 2000);
    },
  },
  {
    name: "with a version only that setting of a timer is cancelled",
    async run(env) {
      const queue = env.unique("q");
      await set(env, queue, { k: 1000 });
      const { version } = given(await env.timers.find(queue, "k"));
      await set(env, queue, { k: 2000 });
      committed(await env.transact({ timers: [{ queue, key: "k", dueAtMs: null, version }] }));
      const moved = given(await env.timers.find(queue, "k"), "the timer that was moved");
      equal(moved.dueAtMs, 2000);
      committed(await env.transact({ timers: [{ queue, key: "k", dueAtMs: null, version: moved.version }] }));
      equal(await env.timers.find(queue, "k"), undefined);
    },
  },
  {
    name: "a timer that is set again after it was cancelled has a version that it never had before",
    async run(env) {
      const queue = env.unique("q");
      await set(env, queue, { k: 1000 });
      const { version } = given(await env.timers.find(queue, "k"));
      await set(env, queue, { k: null });
      await set(env, queue, { k: 2000 });
      committed(await env.transact({ timers: [{ queue, key: "k", dueAtMs: null, version }] }));
      equal((await env.timers.find(queue, "k"))?.dueAtMs, 2000, "who saw the first one cannot cancel the second");
    },
  },
  {
    name: "within one transaction the last word on a timer counts",
    async run(env) {
      const queue = env.unique("q");
      const write = (dueAtMs: number | null): { queue: string; key: string; dueAtMs: number | null } => ({
        queue,
        key: "k",
        dueAtMs,
      });
      committed(await env.transact({ timers: [write(1000), write(3000), write(2000)] }));
      equal((await env.timers.find(queue, "k"))?.dueAtMs, 2000);
      committed(await env.transact({ timers: [write(4000), write(null)] }));
      equal(await env.timers.find(queue, "k"), undefined);
      committed(await env.transact({ timers: [write(null), write(5000)] }));
      equal((await env.timers.find(queue, "k"))?.dueAtMs, 5000);
    },
  },
  {
    name: "a timer set at one handle is due at another",
    needs: secondHandle,
    async run(env) {
      const queue = env.unique("q");
      const second = given((await env.second()).timers);
      await set(env, queue, { k: 1000 });
      same(
        (await second.due(queue, 1000, 10)).map(({ key }) => key),
        ["k"],
      );
      await set(env, queue, { k: null });
      equal(await second.nextDueAt(queue), undefined);
    },
  },
  {
    name: "timers are kept when the engine is opened anew, and their versions go on rising",
    needs: reopening,
    async run(env) {
      const queue = env.unique("q");
      await set(env, queue, { k: 1000, gone: 1000 });
      const before = [given(await env.timers.find(queue, "k")), given(await env.timers.find(queue, "gone"))];
      await set(env, queue, { gone: null });
      const again = await env.reopen();
      const timers = given(again.timers);
      same(await timers.list(queue, { limit: 10 }), [before[0]]);
      await again.transact?.({
        timers: [
          { queue, key: "k", dueAtMs: 2000 },
          { queue, key: "gone", dueAtMs: 2000 },
        ],
      });
      for (const { key, version } of before)
        holds(given(await timers.find(queue, key)).version > version, `${key} rises`);
    },
  },
];
