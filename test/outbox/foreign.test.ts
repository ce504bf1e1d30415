// Stamps of a relay on events that no relay has sent.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service, topic } from "tidings";
import { z } from "zod";
import { cloudEventJson } from "../../src/event/envelope.ts";
import { drive, Followed, Happened, things } from "../delivery/support.ts";
import { apart } from "./support.ts";

const copies = topic("copies", { key: (data: { key: string }) => data.key, partitions: 1 });
const Copied = copies.event("thing.copied", { data: z.object({ key: z.string(), n: z.number() }) });

describe("an event that carries the stamp of a relay", () => {
  it("is refused when a publisher has made the stamp", async () => {
    const b = await apart().start([]);
    for (const name of ["tidingsrelay", "tidingsto", "tidingsonce"]) {
      const publishing = b.app.publish(Happened, { key: "a", n: 1 }, { extensions: { [name]: "stream.1" } });
      await assert.rejects(drive(b.clock, publishing), { code: "TIDINGS_INVALID_NAME" });
    }
    await b.app.stop();
  });

  it("hands nothing of it on to copies, which are events of their own", async () => {
    const seen: number[] = [];
    const extensions: unknown[] = [];
    const world = apart();
    const services = [
      service("first").on(
        Happened,
        ({ data }, ctx) => void ctx.publish(Followed, data, { extensions: { colour: "red" } }),
      ),
      service("copies").on(Copied, ({ data }) => void seen.push(data.n)),
      service("second").on(Followed, async (event) => {
        extensions.push(event.extensions);
        for (const n of [1, 2]) await b.app.publishNow(Copied, { ...event.data, n }, { extensions: event.extensions });
      }),
    ];
    const b = await world.start(services, { topics: [things, copies] });
    await b.feed("a", 1);
    await b.clock.advance(1000);
    assert.deepEqual(extensions, [{ colour: "red" }]);
    assert.deepEqual(seen, [1, 2]);
    await b.app.stop();
  });

  it("is handled when an operator publishes it again", async () => {
    const seen: string[] = [];
    const services = [
      service("first").on(Happened, ({ data }, ctx) => void ctx.publish(Followed, data)),
      service("second").on(Followed, (event) => void seen.push(event.id)),
    ];
    const b = await apart().start(services);
    await b.feed("a", 1);
    await b.clock.advance(1000);
    const pages = await drive(
      b.clock,
      Promise.all([0, 1].map((n) => b.app.engine.topics.read("things", n, 0, { events: 10, bytes: 1e6 }))),
    );
    const record = pages.flatMap(({ records }) => records).find(({ type }) => type === "thing.followed");
    assert.ok(record?.attributes?.["tidingsrelay"]);
    await drive(
      b.clock,
      b.app.admin.events.publish([{ topic: "things", cloudEvent: { ...cloudEventJson(record), id: "again" } }]),
    );
    await b.clock.advance(1000);
    assert.deepEqual(seen, [record.id, "again"]);
    await b.app.stop();
  });
});
