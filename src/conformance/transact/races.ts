import type { Engine } from "../../ports/engine.ts";
import { find, put, valueOf } from "../documents.ts";
import { conflictOf, equal, given, holds, same } from "../expect.ts";
import { secondHandle } from "../needs.ts";
import { entryOf, numbered, textsOf } from "../records.ts";
import type { Case, Env } from "../suite.ts";

/** Many transactions at once. */
export const raceCases: readonly Case[] = [
  {
    name: "transactions that race for one counter lose no update",
    run: (env) => count(env, [env.engine]),
  },
  {
    name: "transactions at several handles that race for one counter lose no update",
    needs: secondHandle,
    run: async (env) => count(env, [env.engine, await env.second()]),
  },
  {
    name: "of many transactions that check the same version one commits",
    run: (env) => oneCommits(env, [env.engine]),
  },
  {
    name: "of many transactions at several handles that check the same version one commits",
    needs: secondHandle,
    run: async (env) => oneCommits(env, [env.engine, await env.second()]),
  },
  {
    name: "transfers between documents keep their sum for every reader",
    async run(env) {
      const collection = env.unique("c");
      const keys = numbered(5, "account");
      await put(env, collection, Object.fromEntries(keys.map((key) => [key, "100"])));
      let running = true;
      const transfer = async (from: string, to: string): Promise<void> => {
        const found = await env.state.get(collection, [from, to]);
        const [debit, credit] = found.map((document) => given(document));
        const checks = found.map((document) => ({
          collection,
          key: given(document).key,
          version: given(document).version,
        }));
        await env.transact({
          checks,
          documents: [
            { collection, key: from, value: String(Number(given(debit).value) - 1) },
            { collection, key: to, value: String(Number(given(credit).value) + 1) },
          ],
        });
      };
      const move = async (start: number): Promise<void> => {
        for (let i = start; i < start + 40; i++)
          await transfer(given(keys[i % 5]), given(keys[(i * 3 + 1) % 5 === i % 5 ? (i + 1) % 5 : (i * 3 + 1) % 5]));
      };
      const sum = async (): Promise<void> => {
        while (running) {
          const found = await env.state.get(collection, keys);
          equal(
            found.reduce((total, document) => total + Number(document?.value), 0),
            500,
          );
          await env.wait(0);
        }
      };
      const movers = Promise.all([move(0), move(1), move(2)]).finally(() => (running = false));
      await Promise.all([movers, sum()]);
    },
  },
];

/** Adds one until it succeeds, many times at once; the log gets what each commit made of the counter. */
async function count(env: Env, engines: readonly Engine[]): Promise<void> {
  const [topic, collection] = [await env.topic(), env.unique("c")];
  const add = async (engine: Engine): Promise<void> => {
    for (;;) {
      const document = await find(given(engine.state), collection, "n");
      const value = String(Number(document?.value ?? 0) + 1);
      const outcome = await engine.transact?.({
        checks: [{ collection, key: "n", version: document?.version ?? 0 }],
        documents: [{ collection, key: "n", value }],
        publish: [entryOf(env, topic, { data: value })],
      });
      if (given(outcome).committed) return;
      equal(conflictOf(given(outcome)).kind, "check");
    }
  };
  const adders = numbered(8).map(async (_, i) => {
    for (let times = 0; times < 12; times++) await add(engines[i % engines.length] ?? env.engine);
  });
  await Promise.all(adders);
  equal(await valueOf(env.state, collection, "n"), "96");
  equal((await find(env.state, collection, "n"))?.version, 96);
  same(
    await textsOf(env.engine, topic),
    Array.from({ length: 96 }, (_, i) => String(i + 1)),
  );
}

async function oneCommits(env: Env, engines: readonly Engine[]): Promise<void> {
  const collection = env.unique("c");
  for (let version = 0; version < 5; version++) {
    const tries = numbered(10, `${version}-`).map((value, i) => {
      const transaction = { checks: [{ collection, key: "k", version }], documents: [{ collection, key: "k", value }] };
      return given(given(engines[i % engines.length]).transact?.(transaction));
    });
    const outcomes = await Promise.all(tries);
    equal(outcomes.filter((outcome) => outcome.committed).length, 1);
    const lost = outcomes.filter((outcome) => !outcome.committed).map(conflictOf);
    holds(
      lost.every((conflict) => conflict.kind === "check" && conflict.version === version + 1),
      "the losers learn the version",
    );
  }
}
