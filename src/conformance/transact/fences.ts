import type { Fence } from "../../ports/transaction.ts";
import type { Lease } from "../../ports/leases.ts";
import { find } from "../documents.ts";
import { committed, conflictOf, equal, given, holds, same } from "../expect.ts";
import { port, reopening, secondHandle } from "../needs.ts";
import { acquire } from "../leases/acquire.ts";
import { entryOf, expectTexts, textsOf } from "../records.ts";
import type { Case } from "../suite.ts";

const needs = port("leases");
const fenceOf = (lease: Lease): Fence => ({ lease: lease.name, token: lease.token });

/** Who no longer holds a lease cannot write under it. */
export const fenceCases: readonly Case[] = [
  {
    name: "who holds the lease commits",
    needs,
    async run(env) {
      const lease = given(await acquire(env.leases, env.unique("l"), "a"));
      committed(await env.transact({ fences: [fenceOf(lease)] }));
      const [renewed] = await env.leases.renew([lease], 60_000);
      committed(await env.transact({ fences: [fenceOf(given(renewed))] }));
    },
  },
  {
    name: "who comes back from a pause after another owner took the lease writes nothing",
    needs,
    async run(env) {
      const [topic, collection] = [await env.topic(), env.unique("c")];
      const old = given(await acquire(env.leases, env.unique("l"), "paused", 20));
      await env.pass(50);
      const taken = given(await acquire(env.leases, old.name, "heir"));
      const write = (lease: Lease): ReturnType<typeof env.transact> =>
        env.transact({
          fences: [fenceOf(lease)],
          documents: [{ collection, key: "owner", value: lease.owner }],
          publish: [entryOf(env, topic, { data: lease.owner })],
        });
      same(conflictOf(await write(old)), { kind: "fence", index: 0 });
      equal(await find(env.state, collection, "owner"), undefined);
      committed(await write(taken));
      same(conflictOf(await write(old)), { kind: "fence", index: 0 });
      await expectTexts(env.engine, topic, ["heir"]);
    },
  },
  {
    name: "a lease that expired and that nobody took still fences for its owner",
    needs,
    async run(env) {
      const lease = given(await acquire(env.leases, env.unique("l"), "a", 20));
      await env.pass(50);
      committed(await env.transact({ fences: [fenceOf(lease)] }));
    },
  },
  {
    name: "a lease that was released fences no more",
    needs,
    async run(env) {
      const lease = given(await acquire(env.leases, env.unique("l"), "a"));
      await env.leases.release([lease]);
      same(conflictOf(await env.transact({ fences: [fenceOf(lease)] })), { kind: "fence", index: 0 });
    },
  },
  {
    name: "a token that is too low, too high, or of a lease that never was is refused",
    needs,
    async run(env) {
      const lease = given(await acquire(env.leases, env.unique("l"), "a"));
      for (const token of [lease.token - 1, lease.token + 1, 0]) {
        same(conflictOf(await env.transact({ fences: [{ lease: lease.name, token }] })), { kind: "fence", index: 0 });
      }
      for (const token of [0, 1]) {
        same(conflictOf(await env.transact({ fences: [{ lease: env.unique("never"), token }] })), {
          kind: "fence",
          index: 0,
        });
      }
    },
  },
  {
    name: "a conflict names the fence that failed among many",
    needs,
    async run(env) {
      const got = await env.leases.acquire(
        ["a", "b", "c"].map((owner) => ({ name: env.unique("l"), owner, ttlMs: 60_000 })),
      );
      const leases = got.map((lease) => given(lease));
      const fences = leases.map(fenceOf);
      committed(await env.transact({ fences }));
      await env.leases.release(leases.slice(1, 2));
      same(conflictOf(await env.transact({ fences })), { kind: "fence", index: 1 });
    },
  },
  {
    name: "a fence holds against a lease that was taken at another handle",
    needs: (offer) => needs(offer) ?? secondHandle(offer),
    async run(env) {
      const topic = await env.topic();
      const second = await env.second();
      let lease = given(await acquire(env.leases, env.unique("l"), "0", 20));
      for (let round = 1; round <= 6; round++) {
        await env.pass(50);
        const heir = given(
          await acquire(given(round % 2 === 0 ? env.leases : second.leases), lease.name, String(round), 20),
        );
        const late = { fences: [fenceOf(lease)], publish: [entryOf(env, topic, { data: "late" })] };
        equal((await env.transact(late)).committed, false);
        equal((await second.transact?.(late))?.committed, false);
        committed(
          await env.transact({ fences: [fenceOf(heir)], publish: [entryOf(env, topic, { data: heir.owner })] }),
        );
        lease = heir;
      }
      same(await textsOf(env.engine, topic), ["1", "2", "3", "4", "5", "6"]);
    },
  },
  {
    name: "a fence of before still fails after the engine was opened anew",
    needs: (offer) => needs(offer) ?? reopening(offer),
    async run(env) {
      const old = given(await acquire(env.leases, env.unique("l"), "a", 20));
      await env.pass(50);
      const heir = given(await acquire(env.leases, old.name, "b"));
      committed(await env.transact({ fences: [fenceOf(heir)] }));
      const again = await env.reopen();
      equal((await again.transact?.({ fences: [fenceOf(old)] }))?.committed, false);
      const next = given((await acquire(given(again.leases), old.name, "c", 20)) ?? heir);
      holds(next.token >= heir.token, "the token did not go back");
    },
  },
];
