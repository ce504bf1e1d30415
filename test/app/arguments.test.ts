// Whatever is given in place of what a function takes, the answer is one of our errors.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type App, type Context, dependency, service, tidings, topic } from "tidings";
import { crashTest, simulate, testApp } from "tidings/testing";
import { z } from "zod";
import { silentLogger } from "../../src/delivery/log.ts";
import { isTidingsError } from "../../src/errors/tidings-error.ts";

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
const Placed = orders.event("shop.order.placed", { data: z.object({ orderId: z.string() }) });
const order = { orderId: "1" };

/** What nobody means, but plain JavaScript lets through. */
const strange: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  null: null,
  "a number": 5,
  text: "text",
  "an object": {},
  "a list": [],
  "a function": () => undefined,
  "a list of undefined": [undefined],
  "a list of lists": [[]],
  "a list of a list of objects": [[{}]],
  "a list of a contract": [[Placed]],
  "what looks like a contract": { type: "a.b", topic: { name: "orders" } },
  "an object without a prototype": Object.create(null),
  "a symbol": Symbol("strange"),
};

type Call = (value: never) => unknown;

/** The call succeeds with each of the values, or fails with an error of ours. */
async function holds(what: string, call: Call): Promise<void> {
  for (const [name, value] of Object.entries(strange)) {
    try {
      await call(value as never);
    } catch (error) {
      assert.ok(isTidingsError(error), `${what} with ${name}: ${(error as Error).stack}`);
    }
  }
}

async function start(options: object = {}): Promise<App> {
  const app = tidings({ name: "shop", url: "memory:", logger: silentLogger, services: [], ...options });
  try {
    return await app.start();
  } catch (error) {
    await app.stop();
    throw error;
  }
}

const handler = (): void => undefined;
const made =
  (name: string): Call =>
  (value: unknown) =>
    start({ [name]: value }).then((app) => app.stop());
const declared: Readonly<Record<string, Call>> = {
  "tidings()": (value) => tidings(value),
  ...Object.fromEntries(
    [
      "url", "engine", "services", "topics", "lifecycle", "version", "logger", "signal", "delivery", "policies", "use", "hooks",
      "limits", "partitions", "memberId", "memberTtlMs", "platform",
    ].map((name) => [`tidings({ ${name} })`, made(name)]),
  ),
  "tidings({ services: [] })": (value) => start({ services: [value] }).then((app) => app.stop()),
  "tidings({ topics: [] })": (value) => start({ topics: [value] }).then((app) => app.stop()),
  "topic()": (value) => topic(value),
  "topic(, )": (value) => topic("t", value),
  "event()": (value) => topic("t").event(value, { data: z.object({}) }),
  "event(, )": (value) => topic("t").event("a.b", value),
  "event(, { data })": (value) => topic("t").event("a.b", { data: value }),
  "version()": (value) => Placed.version(value, { data: z.object({ orderId: z.string() }), upcast: (data) => data }),
  "version(, )": (value) => Placed.version(2, value),
  "service()": (value) => service(value),
  "service(, )": (value) => service("s", value),
  "on()": (value) => service("s").on(value, handler),
  "on(, )": (value) => service("s").on(Placed, value),
  "on(, , )": (value) => service("s").on(Placed, handler, value),
  "onBatch()": (value) => service("s").onBatch(value, handler),
  "onBatch(, , )": (value) => service("s").onBatch(Placed, handler, value),
  "dependency()": (value) => dependency(value),
  "dependency(, )": (value) => dependency("d", value),
  "testApp()": async (value) => (await testApp(value))[Symbol.asyncDispose](),
  "crashTest()": (value) => crashTest(value),
  "simulate()": (value) => simulate(value),
}; // prettier-ignore

const running: Readonly<Record<string, (app: App) => Call>> = {
  "publish()": (app) => (value) => app.publish(value, order),
  "publish(, )": (app) => (value) => app.publish(Placed, value),
  "publish(, , )": (app) => (value) => app.publish(Placed, order, value),
  "publishNow()": (app) => (value) => app.publishNow(value, order),
  "publishAll()": (app) => (value) => app.publishAll(value),
  "publishAll([])": (app) => (value) => app.publishAll([value]),
  "publishAll([[, , ]])": (app) => (value) => app.publishAll([[Placed, order, value]]),
  "state()": (app) => (value) => app.state(value, "box").get("key"),
  "state(, )": (app) => (value) => app.state("pay", value).get("key"),
  "state(, ).get()": (app) => (value) => app.state("pay", "box").get(value),
  "settled()": (app) => (value) => app.settled(value),
};

const inHandlers: Readonly<Record<string, (ctx: Context) => Call>> = {
  "ctx.publish()": (ctx) => (value) => ctx.publish(value, order),
  "ctx.publish(, )": (ctx) => (value) => ctx.publish(Placed, value),
  "ctx.state()": (ctx) => (value) => ctx.state(value).get("key"),
  "ctx.state().get()": (ctx) => (value) => ctx.state("box").get(value),
  "ctx.state().set()": (ctx) => (value) => ctx.state("box").set(value, 1),
  "ctx.once()": (ctx) => (value) => ctx.once(value, () => 1),
  "ctx.once(, )": (ctx) => (value) => ctx.once("key", value),
  "ctx.call()": (ctx) => (value) => ctx.call(value, () => 1),
  "ctx.call(, )": (ctx) => (value) => ctx.call(dependency("bank"), value),
  "ctx.tx()": (ctx) => (value) => ctx.tx(value),
};

describe("wrong arguments are refused by an error of ours", () => {
  for (const [what, call] of Object.entries(declared)) it(`of ${what}`, () => holds(what, call));

  for (const [what, call] of Object.entries(running))
    it(`of app.${what}`, async () => {
      const app = await start({ topics: [orders] });
      await holds(what, call(app));
      await app.stop(null as never);
    });

  for (const [what, call] of Object.entries(inHandlers))
    it(`of ${what}, and the handler goes on`, async () => {
      let ended = false;
      const tried = service("tried", { from: "start" }).on(Placed, async (_, ctx) => {
        if (ended) return;
        await holds(what, call(ctx));
        ended = true;
      });
      const kit = await testApp({ services: [tried] });
      await using _ = kit;
      await kit.when(Placed, order);
      assert.ok(ended);
      await kit.thenDeadLetters([]);
    });
});

describe("publishAll", () => {
  const cases: readonly (readonly [given: unknown, message: RegExp, index: number | undefined])[] = [
    [undefined, /^publishAll takes a list of \[event type, data, options\?\], and was given undefined\.$/, undefined],
    [[[Placed, order], undefined], /^Item 1 of publishAll is undefined; each is \[event type/, 1],
    [["text"], /^Item 0 of publishAll is the text "text"; each is/, 0],
    [[[Placed, order], [Placed, order], [{}, order]], /^Item 2 of publishAll begins with an object, which is no event/, 2],
    [[[Placed, order, "id"]], /^Item 0 of publishAll has the text "id" for options; each is/, 0],
  ]; // prettier-ignore
  for (const [given, message, index] of cases)
    it(`says what is wrong, and with which item: ${message.source.slice(1, 40)}…`, async () => {
      const app = await start({ topics: [orders] });
      await assert.rejects(app.publishAll(given as never), (error) => {
        assert.ok(isTidingsError(error));
        assert.deepEqual([error.code, error.details["index"]], ["TIDINGS_INVALID_ARGUMENT", index]);
        assert.match(error.message, message);
        return true;
      });
      assert.equal((await app.totals()).published, 0);
      await app.stop();
    });

  it("names the item whose payload does not fit, and publishes none", async () => {
    const app = await start({ topics: [orders] });
    await assert.rejects(app.publishAll([[Placed, order], [Placed, { orderId: 5 }]]), {
      code: "TIDINGS_INVALID_PAYLOAD",
      message: /^Item 1 of publishAll: .*orderId/s,
    }); // prettier-ignore
    assert.equal((await app.totals()).published, 0);
    await app.stop();
  });
});
