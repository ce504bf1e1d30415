// `tidings outbox` on a broker and a store that are two files.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { service, tidings as application, topic } from "tidings";
import { z } from "zod";

import { composeEngine } from "../../src/outbox/composed.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { engineOfUrl } from "../../src/app/engines.ts";
import { TidingsError } from "../../src/errors/tidings-error.ts";
import { systemPlatform } from "../../src/platform/system.ts";
import { temporaryFile, tidings } from "./support.ts";

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId, partitions: 1 });
const Placed = orders.event("shop.order.placed", { data: z.object({ orderId: z.string() }) });
const Paid = orders.event("shop.order.paid", { data: z.object({ orderId: z.string() }) });
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Two files, with one event that the broker has refused for good. */
async function parked() {
  const [broker, store] = [temporaryFile().url, temporaryFile().url];
  const pay = service("pay").on(Placed, ({ data }, ctx) => void ctx.publish(Paid, data));
  const refusing = {
    async open(context: Parameters<Awaited<ReturnType<typeof engineOfUrl>>["open"]>[0]) {
      const engine = await (await engineOfUrl(broker)).open(context);
      const { topics } = engine;
      const publish: typeof topics.publish = (entries) =>
        entries.some(({ record }) => record.type === "shop.order.paid")
          ? Promise.reject(new TidingsError("TIDINGS_EVENT_TOO_LARGE", "Larger than the broker takes."))
          : topics.publish(entries);
      return Object.assign(Object.create(engine), { topics: Object.assign(Object.create(topics), { publish }) });
    },
  };
  const app = await application({ name: "shop", engine: refusing, store, services: [pay], logger: silent }).start();
  await app.publish(Placed, { orderId: "1" });
  await app.settled({ timeoutMs: 20_000 });
  const rows = await app.admin.outbox.parked();
  await app.stop();
  assert.equal(rows.length, 1);
  return { broker, store, id: rows[0]?.id as string };
}

/** Relays what is there with nobody refusing. */
async function relay(t: TestContext, broker: string, store: string): Promise<Outbox> {
  const platform = systemPlatform();
  const open = async (url: string) => (await engineOfUrl(url)).open({ platform });
  const engine = await composeEngine(await open(broker), await open(store));
  const outbox = new Outbox({ engine, platform, log: silent, memberId: "relay", ttlMs: 10_000 });
  await outbox.start();
  t.after(async () => {
    await outbox.stop();
    await engine.close();
  });
  return outbox;
}

describe("tidings outbox", () => {
  it("lists what the broker refuses, has it sent again, and finds it in its topic", async (t) => {
    const { broker, store, id } = await parked();
    const options = { url: broker };
    const listed = await tidings(["outbox", "ls", "--store", store], options);
    assert.equal(listed.status, 0, listed.stderr);
    assert.match(listed.stdout, /^Everything is sent\.\n/);
    assert.match(listed.stdout, /shop\.order\.paid\s+orders\s+1\s.*Larger than the broker takes\./);
    const doctor = await tidings(["doctor", "--store", store], options);
    assert.equal(doctor.status, 7);
    assert.match(doctor.stdout + doctor.stderr, /1 events are refused by the broker.*\[TIDINGS_OUTBOX_STUCK\]/);
    const asked = await tidings(["outbox", "retry", id, "--store", store], options);
    assert.equal(asked.stdout, `Asked to send ${id} again.\n`);
    assert.match((await tidings(["outbox", "ls", "--store", store], options)).stdout, / retry /);
    const outbox = await relay(t, broker, store);
    while (outbox.status().some(({ parked: rows }) => rows > 0)) await new Promise((wake) => setTimeout(wake, 20));
    const tail = await tidings(["tail", "orders", "--from", "start", "--until", "end", "--store", store], options);
    assert.match(tail.stdout, /shop\.order\.paid/);
  });

  it("refuses to discard without --yes, and does it with it", async (t) => {
    const { broker, store, id } = await parked();
    const refused = await tidings(["outbox", "discard", id, "--store", store], { url: broker });
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /TIDINGS_CONFIRMATION_NEEDED/);
    assert.equal((await tidings(["outbox", "discard", id, "--yes", "--store", store], { url: broker })).status, 0);
    const outbox = await relay(t, broker, store);
    while (outbox.status().some(({ parked: rows }) => rows > 0)) await new Promise((wake) => setTimeout(wake, 20));
    assert.match(
      (await tidings(["outbox", "ls", "--store", store], { url: broker })).stdout,
      /^Everything is sent\.\n$/,
    );
  });

  it("does not start a member on another store, until an operator puts that in the place of the first one", async () => {
    const { broker, store } = await parked();
    const [first] = await tidings(["sub", "ls", "--json", "--store", store], { url: broker }).then(
      ({ stdout }) => JSON.parse(stdout) as { subscription: string }[],
    );
    assert.equal(first?.subscription, "pay/orders");
    const other = temporaryFile().url;
    const pay = () => service("pay", { from: "start" }).on(Placed, () => undefined);
    const start = () =>
      application({ name: "shop", url: broker, store: other, services: [pay()], logger: silent }).start();
    await assert.rejects(start(), (error: TidingsError) => {
      assert.equal(error.code, "TIDINGS_STORE_MISMATCH");
      assert.match(error.message, /"pay\/orders".*stands in another store, at .*engine adopt/);
      return true;
    });
    const adopted = await tidings(["engine", "adopt", "--yes", "--store", other], { url: broker });
    assert.equal(adopted.stdout, "pay/orders has this store now.\n", adopted.stderr);
    const app = await start();
    await app.settled({ timeoutMs: 20_000 });
    await app.stop();
  });

  it("says where there is none, and refuses a store that is the broker", async () => {
    const { broker, store } = await parked();
    const one = await tidings(["outbox", "ls"], { url: store });
    assert.match(one.stderr, /There is no outbox: .*\[TIDINGS_UNSUPPORTED\]/);
    const same = await tidings(["outbox", "ls", "--store", broker], { url: broker });
    assert.match(same.stderr, /The store is the same sqlite .*leave the store out/);
  });
});
