import type { Lease, Leases } from "../../ports/leases.ts";
import { equal, given, holds, same } from "../expect.ts";
import { secondHandle } from "../needs.ts";
import { numbered } from "../records.ts";
import type { Case, Env } from "../suite.ts";

/** A time to live that ends within a case only when the case says so. */
export const longMs = 60_000;

/** Acquires one lease. */
export async function acquire(leases: Leases, name: string, owner: string, ttlMs = longMs): Promise<Lease | undefined> {
  const [lease] = await leases.acquire([{ name, owner, ttlMs }]);
  return lease;
}

/** Who gets a lease. */
export const acquireCases: readonly Case[] = [
  {
    name: "a free lease is got, and says what was asked for",
    async run(env) {
      const name = env.unique("l '%_日本/");
      const before = env.platform.clock.now();
      const lease = given(await acquire(env.leases, name, "a", 10_000));
      const after = env.platform.clock.now();
      same([lease.name, lease.owner], [name, "a"]);
      holds(Number.isSafeInteger(lease.token) && lease.token >= 1, "a token is a whole number from 1 on");
      holds(before + 10_000 <= lease.expiresAtMs && lease.expiresAtMs <= after + 10_000, "it ends when it should");
    },
  },
  {
    name: "a lease that another owner holds is not got",
    async run(env) {
      const name = env.unique("l");
      const lease = given(await acquire(env.leases, name, "a"));
      equal(await acquire(env.leases, name, "b"), undefined);
      same(await env.leases.list(name), [lease]);
    },
  },
  {
    name: "its own owner gets a held lease again, prolonged and with the same token",
    async run(env) {
      const name = env.unique("l");
      const first = given(await acquire(env.leases, name, "a", 10_000));
      const second = given(await acquire(env.leases, name, "a", 90_000));
      equal(second.token, first.token);
      holds(second.expiresAtMs > first.expiresAtMs + 70_000, "it ends later");
    },
  },
  {
    name: "an expired lease is got by another owner, with a higher token",
    async run(env) {
      const name = env.unique("l");
      const first = given(await acquire(env.leases, name, "a", 50));
      await env.pass(100);
      const second = given(await acquire(env.leases, name, "b"));
      equal(second.owner, "b");
      holds(second.token > first.token, `${second.token} is above ${first.token}`);
      equal(await acquire(env.leases, name, "a"), undefined);
    },
  },
  {
    name: "several leases are asked for at once and answered in that order",
    async run(env) {
      const names = numbered(200).map((i) => env.unique(`l${i}`));
      given(await acquire(env.leases, given(names[1]), "other"));
      const got = await env.leases.acquire(names.map((name) => ({ name, owner: "a", ttlMs: longMs })));
      same(
        got.map((lease) => lease?.name),
        names.map((name, i) => (i === 1 ? undefined : name)),
      );
      same(await env.leases.acquire([]), []);
    },
  },
  {
    name: "of two owners that ask in one call the first one gets the lease",
    async run(env) {
      const name = env.unique("l");
      const got = await env.leases.acquire([
        { name, owner: "a", ttlMs: longMs },
        { name, owner: "b", ttlMs: longMs },
      ]);
      same(
        got.map((lease) => lease?.owner),
        ["a", undefined],
      );
    },
  },
  {
    name: "of many owners that race one gets the lease",
    run: (env) => race(env, [env.leases]),
  },
  {
    name: "of many owners that race at several handles one gets the lease",
    needs: secondHandle,
    run: async (env) => race(env, [env.leases, given((await env.second()).leases)]),
  },
  {
    name: "of many owners that race for an expired lease one gets it",
    async run(env) {
      const name = env.unique("l");
      const before = given(await acquire(env.leases, name, "before", 20));
      await env.pass(50);
      const got = await Promise.all(numbered(20, "o").map((owner) => acquire(env.leases, name, owner)));
      const winners = got.filter((lease) => lease !== undefined);
      equal(winners.length, 1);
      holds(given(winners[0]).token > before.token, "with a higher token");
    },
  },
];

async function race(env: Env, handles: readonly Leases[]): Promise<void> {
  for (const round of numbered(10)) {
    const name = env.unique(`race${round}`);
    const got = await Promise.all(
      numbered(16, "o").map((owner, i) => acquire(handles[i % handles.length] ?? env.leases, name, owner)),
    );
    const winners = got.filter((lease) => lease !== undefined);
    equal(winners.length, 1);
    for (const handle of handles) same(await handle.list(name), winners);
  }
}
