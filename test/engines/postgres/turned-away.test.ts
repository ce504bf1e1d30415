// What becomes of an engine that its server turns away: for want of connections, for its password, or as a standby.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { inspect } from "node:util";
import type pg from "pg";
import { service, tidings, topic } from "tidings";
import { z } from "zod";

import { serviceUrl } from "../../../scripts/services/url.ts";
import { silentLogger } from "../../../src/delivery/log.ts";
import { postgres } from "../../../src/engines/postgres/index.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { client, entry, numbers, open, platform, rejection, schema, until, withoutPostgres } from "./support.ts";

const [right, wrong] = ["the-right-secret", "the-wrong-secret"];

interface Role {
  readonly name: string;
  /** The address of the role, of which no text may hold a password. */
  readonly url: string;
  readonly schema: string;
  readonly admin: pg.Client;
  set(what: string): Promise<unknown>;
  /** Ends its connections. */
  endAll(): Promise<number>;
}

/** A role that owns a schema; both are gone after the test. */
async function roleOf(t: TestContext): Promise<Role> {
  const name = await schema(t);
  const role = `r_${name}`;
  const admin = await client(t);
  await admin.query(`CREATE ROLE "${role}" LOGIN PASSWORD '${right}'`);
  await admin.query(`CREATE SCHEMA "${name}" AUTHORIZATION "${role}"`);
  afterwards(t, async () => {
    await admin.query(`DROP SCHEMA IF EXISTS "${name}" CASCADE`);
    await admin.query(`DROP ROLE IF EXISTS "${role}"`);
  });
  const url = new URL(serviceUrl("postgres"));
  [url.username, url.password] = [role, right];
  return {
    name: role,
    url: url.href,
    schema: name,
    admin,
    set: (what) => admin.query(`ALTER ROLE "${role}" ${what}`),
    async endAll() {
      const { rowCount } = await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [role]); // prettier-ignore
      return rowCount ?? 0;
    },
  };
}

/** Takes so many of the role's connections, whoever has them. */
async function squat(t: TestContext, role: Role, connections: number): Promise<() => Promise<unknown>> {
  const squatters: pg.Client[] = [];
  await until("all are taken", async () => {
    try {
      squatters.push(await client(t, role.url));
    } catch {
      await role.admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND application_name = 'tidings'",
        [role.name],
      );
    }
    return squatters.length === connections;
  });
  return () => Promise.all(squatters.map((one) => one.end()));
}

/** What it rejects with, and after how long. */
async function refusal(
  call: () => Promise<unknown>,
): Promise<{ code: string | undefined; message: string; ms: number }> {
  const began = performance.now();
  const { code, message } = await rejection(call());
  return { code, message, ms: performance.now() - began };
}

const slots = 4;
/** One that writes, one that reads, and one that listens. */
const connectionsMax = 2;

describe("an engine whose role has no connection left", { skip: withoutPostgres }, () => {
  it("is not opened after its time, and the sentence says why", async (t) => {
    const role = await roleOf(t);
    await role.set(`CONNECTION LIMIT ${slots}`);
    await squat(t, role, slots);
    const { code, message, ms } = await refusal(() =>
      postgres({ url: role.url, schema: role.schema, busyTimeoutMs: 500 }).open({ platform }),
    );
    assert.equal(code, "TIDINGS_UNREACHABLE");
    assert.match(message, /too many connections for role .*\(53300\)/);
    assert.ok(ms >= 500 && ms < 10_000, `${ms} ms`);
  });

  it("is opened as soon as there is one", async (t) => {
    const role = await roleOf(t);
    await role.set(`CONNECTION LIMIT ${slots}`);
    const leave = await squat(t, role, slots);
    let refused = 0;
    const counting = { ...platform, random: { ...platform.random, next: () => (refused++, 0.5) } };
    const opening = postgres({ url: role.url, schema: role.schema, busyTimeoutMs: 60_000 }).open({
      platform: counting,
    });
    afterwards(t, async () => (await opening).close());
    await until("it was refused a few times", () => refused > 2);
    await leave();
    const engine = await opening;
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(1)]);
    assert.deepEqual(await numbers(engine), [1]);
  });

  it("while it runs refuses after its time, says why, and goes on when there are some again", async (t) => {
    const role = await roleOf(t);
    await role.set(`CONNECTION LIMIT ${slots}`);
    const engine = await open(t, { url: role.url, schema: role.schema, busyTimeoutMs: 500, connectionsMax });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    afterwards(
      t,
      engine.topics.watch("orders", () => undefined),
    );
    await engine.topics.publish([entry(0)]);
    for (let round = 1; round <= 2; round++) {
      const leave = await squat(t, role, slots);
      const refused = await Promise.all([
        ...[1, 2, 3].map(() => refusal(() => engine.topics.publish([entry(99)]))),
        refusal(() => engine.topics.bounds("orders")),
        refusal(() => engine.transact({ documents: [{ collection: "c", key: "k", value: "1" }] })),
        refusal(() => engine.leases.acquire([{ name: "l", owner: "o", ttlMs: 1000 }])),
      ]);
      for (const { code, message, ms } of refused) {
        assert.equal(code, "TIDINGS_UNREACHABLE", message);
        assert.match(message, /too many connections for role .*\(53300\)/);
        assert.ok(ms >= 400 && ms < 10_000, `${ms} ms`);
      }
      assert.match(engine.trouble() ?? "", /too many connections for role .*\(53300\)/);
      await leave();
      await until("it publishes", () => engine.topics.publish([entry(round)]).then(() => true, () => false)); // prettier-ignore
      assert.equal(engine.trouble(), undefined);
    }
    assert.deepEqual(await numbers(engine), [0, 1, 2]);
  });
});

/** What a running member waits for as for a server that is away. */
const passing = [
  {
    what: "lets its role in no more, because the password is another one now,",
    begin: `PASSWORD '${wrong}'`,
    end: `PASSWORD '${right}'`,
    says: /does not let this role in.* password authentication failed for user .*\(28P01\)/,
    refuses: /Nothing was written to .* password authentication failed for user .*\(28P01\)/,
  },
  {
    what: "takes no writes, as a standby,",
    begin: "SET default_transaction_read_only = on",
    end: "SET default_transaction_read_only = off",
    says: /takes no writes; it may be a standby.* read-only transaction \(25006\)/,
    refuses: /Nothing was written to .* read-only transaction \(25006\)/,
  },
];

const jobs = topic("jobs", { key: (data: { n: number }) => `${data.n}` });
const Job = jobs.event("turned.away", { data: z.object({ n: z.number() }) });

describe("a running member whose server", { skip: withoutPostgres }, () => {
  for (const { what, begin, end, says, refuses } of passing)
    it(`${what} says so and no secret, burns no attempt, and goes on by itself`, async (t) => {
      const role = await roleOf(t);
      const attempts: number[] = [];
      const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
      const worker = service("worker", { from: "start" }).on(Job, async (_, ctx) => {
        attempts.push(ctx.attempt);
        await finished;
        ctx.state("done").set("k", 1);
      });
      const url = `${role.url}?schema=${role.schema}&busyTimeoutMs=500`;
      const app = tidings({ name: "x", url, services: [worker], topics: [jobs], logger: silentLogger });
      await app.start();
      afterwards(t, () => app.stop());
      await app.publish(Job, { n: 0 });
      await until("it is handled", () => attempts.length === 1);
      await role.set(begin);
      assert.ok((await role.endAll()) > 0);
      const said: unknown[] = [];
      const refused = async (): Promise<string | undefined> => {
        const error = await rejection(app.publish(Job, { n: 1 }));
        said.push(error.stack, error.cause, error);
        return error.code;
      };
      // The first one may be on a connection that ends with it.
      await until("it is refused for good", async () => (await refused()) === "TIDINGS_UNREACHABLE");
      assert.match(inspect(said), refuses);
      finish();
      await until("the engine and the deliveries say why", async () => {
        const { status, engine, subscriptions } = await app.health();
        said.push(engine.trouble, subscriptions[0]?.reason);
        // One that was let in just before lives on.
        if (status !== "red") await role.endAll();
        return status === "red" && [engine.trouble, subscriptions[0]?.reason].every((text) => says.test(text ?? ""));
      });
      for (const text of [inspect(said, { depth: 9 }), JSON.stringify(said)]) assert.doesNotMatch(text, /secret/);
      await role.set(end);
      // What was made before keeps its settings.
      await role.endAll();
      await until("it publishes", () => app.publish(Job, { n: 2 }).then(() => true, () => false)); // prettier-ignore
      await app.settled({ timeoutMs: 20_000 });
      await until("all is well", async () => (await app.health()).status === "green");
      assert.deepEqual(new Set(attempts), new Set([1]));
    });

  it("takes no writes is told so at once when a store is to be made there", async (t) => {
    const role = await roleOf(t);
    await role.set("SET default_transaction_read_only = on");
    const refused = await rejection(postgres({ url: role.url, schema: role.schema }).open({ platform }));
    assert.equal(refused.code, "TIDINGS_READ_ONLY");
  });
});
