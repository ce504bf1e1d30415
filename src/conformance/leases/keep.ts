import { equal, given, holds, same } from "../expect.ts";
import { reopening, secondHandle } from "../needs.ts";
import { numbered } from "../records.ts";
import type { Case } from "../suite.ts";
import { acquire, longMs } from "./acquire.ts";

/** Keeping and giving back, and the tokens over all of it. */
export const keepCases: readonly Case[] = [
  {
    name: "a lease is renewed by its token, and ends later",
    async run(env) {
      const lease = given(await acquire(env.leases, env.unique("l"), "a", 10_000));
      await env.pass(20);
      const [renewed] = await env.leases.renew([lease], 90_000);
      same([renewed?.owner, renewed?.token], ["a", lease.token]);
      holds(given(renewed).expiresAtMs > lease.expiresAtMs + 70_000, "it ends later");
      same(await env.leases.list(lease.name), [renewed]);
    },
  },
  {
    name: "a renewed lease outlives its first end",
    async run(env) {
      const lease = given(await acquire(env.leases, env.unique("l"), "a", 1000));
      await env.leases.renew([lease], longMs);
      await env.pass(1500);
      equal(await acquire(env.leases, lease.name, "b"), undefined);
    },
  },
  {
    name: "an expired lease that nobody took is renewed",
    async run(env) {
      const lease = given(await acquire(env.leases, env.unique("l"), "a", 20));
      await env.pass(50);
      const [renewed] = await env.leases.renew([lease], longMs);
      equal(renewed?.token, lease.token);
      equal(await acquire(env.leases, lease.name, "b"), undefined);
    },
  },
  {
    name: "a lease that was taken, released or never held is not renewed",
    async run(env) {
      const taken = given(await acquire(env.leases, env.unique("l"), "a", 20));
      const released = given(await acquire(env.leases, env.unique("l"), "a"));
      const kept = given(await acquire(env.leases, env.unique("l"), "a"));
      await env.pass(50);
      const by = given(await acquire(env.leases, taken.name, "b"));
      await env.leases.release([released]);
      const never = { ...kept, name: env.unique("never") };
      const foreign = { ...kept, token: kept.token + 1 };
      const renewed = await env.leases.renew([taken, released, never, foreign, kept], longMs);
      same(
        renewed.map((lease) => lease?.name),
        [undefined, undefined, undefined, undefined, kept.name],
      );
      same(await env.leases.list(taken.name), [by]);
    },
  },
  {
    name: "a released lease is free at once",
    async run(env) {
      const lease = given(await acquire(env.leases, env.unique("l"), "a"));
      await env.leases.release([lease]);
      same(await env.leases.list(lease.name), []);
      const next = given(await acquire(env.leases, lease.name, "b"));
      holds(next.token > lease.token, "the token rises");
    },
  },
  {
    name: "releasing what is held with another token leaves it alone",
    async run(env) {
      const old = given(await acquire(env.leases, env.unique("l"), "a", 20));
      await env.pass(50);
      const lease = given(await acquire(env.leases, old.name, "b"));
      await env.leases.release([old, { ...lease, token: lease.token + 1 }, { ...lease, name: env.unique("never") }]);
      same(await env.leases.list(lease.name), [lease]);
    },
  },
  {
    name: "tokens rise for ever: by expiry, by release, and when the same owner comes back",
    async run(env) {
      const name = env.unique("l");
      let last = 0;
      for (const round of numbered(12)) {
        const lease = given(await acquire(env.leases, name, Number(round) % 3 === 0 ? "a" : `o${round}`, 20));
        holds(lease.token > last, `${lease.token} is above ${last}`);
        last = lease.token;
        if (Number(round) % 2 === 0) await env.leases.release([lease]);
        else await env.pass(50);
      }
    },
  },
  {
    name: "tokens rise over opening anew, also of a lease that was free",
    needs: reopening,
    async run(env) {
      const names = [env.unique("free"), env.unique("held")];
      const before = await env.leases.acquire(names.map((name) => ({ name, owner: "a", ttlMs: 20 })));
      await env.leases.release([given(before[0])]);
      await env.pass(50);
      const fences = [{ lease: given(names[1]), token: given(before[1]).token }];
      await env.engine.transact?.({ fences });
      const again = given((await env.reopen()).leases);
      const after = await again.acquire(names.map((name) => ({ name, owner: "b", ttlMs: longMs })));
      for (const [i, lease] of after.entries()) holds(given(lease).token > given(before[i]).token, `${names[i]} rises`);
    },
  },
  {
    name: "held leases are listed by prefix in name order, expired and released ones are not",
    async run(env) {
      const prefix = env.unique("l%_");
      const names = ["b", "a", "c", "%", "d"].map((name) => `${prefix}/${name}`);
      const got = await env.leases.acquire(names.map((name) => ({ name, owner: "a", ttlMs: longMs })));
      given(await acquire(env.leases, `${prefix}/expired`, "a", 20));
      given(await acquire(env.leases, `${prefix.replace("%_", "xx")}/other`, "a"));
      await env.pass(50);
      await env.leases.release([given(got[4])]);
      const listed = await env.leases.list(`${prefix}/`);
      same(
        listed.map(({ name }) => name),
        names.slice(0, 4).toSorted(),
      );
      same(listed[3], got[2]);
      same((await env.leases.list(`${prefix}/%`)).length, 1);
    },
  },
  {
    name: "a lease that is held at one handle is held at another",
    needs: secondHandle,
    async run(env) {
      const second = given((await env.second()).leases);
      const lease = given(await acquire(env.leases, env.unique("l"), "a"));
      equal(await acquire(second, lease.name, "b"), undefined);
      same(await second.list(lease.name), [lease]);
      await second.release([lease]);
      same(await env.leases.renew([lease], longMs), [undefined]);
    },
  },
];
