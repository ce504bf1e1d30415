import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { RelayMarks } from "../../src/delivery/commit/relay-marks.ts";
import { resumeProgress } from "../../src/delivery/commit/progress.ts";
import { Ingest, type IngestOptions } from "../../src/delivery/partition/ingest.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import type { StoredRecord } from "../../src/event/record.ts";
import { bench, type Bench, drive, gate, Happened, totalsOf } from "./support.ts";

/** Publishes an event under an id of its own; the engine itself forgets ids at once. */
async function send(b: Bench, n: number): Promise<void> {
  await drive(b.clock, b.app.publish(Happened, { key: "k", n }, { id: `id ${n}` }));
  await b.clock.advance(10);
}

const options = { deduplicationWindowMs: 1, memberId: "one" };
const inbox = { windowMs: 3_600_000 };

describe("an inbox", () => {
  it("knows an event whose first copy was running when the process died", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const never = gate();
    const stuck = service("sink", { inbox }).on(Happened, () => never.opened);
    const first = await bench([stuck], { world, platform, ...options });
    await send(first, 0);
    await send(first, 0);
    world.crash(first.app.engine);
    const handled: number[] = [];
    const sink = service("sink", { inbox }).on(Happened, ({ data }) => void handled.push(data.n));
    const second = await bench([sink], { world, platform, ...options });
    await send(second, 0);
    assert.deepEqual(handled, [0]);
    const totals = await totalsOf(second);
    assert.deepEqual([totals.handled, totals.filtered], [1, 2]);
    await second.app.stop();
  });

  it("knows what was held, its head and what waited behind it, also after a restart", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const handled: number[] = [];
    let fail = true;
    const make = () =>
      service("sink", { inbox, retry: { immediateMs: [], delayedMs: [1000], jitter: "none" } }).on(
        Happened,
        (event) => {
          if (fail) throw new Error("not yet");
          handled.push(event.data.n);
        },
      );
    const first = await bench([make()], { world, platform, ...options });
    await send(first, 0);
    await send(first, 1);
    fail = false;
    await first.clock.advance(2000);
    assert.deepEqual(handled, [0, 1]);
    await drive(first.clock, first.app.stop());
    const second = await bench([make()], { world, platform, ...options });
    await send(second, 0);
    await send(second, 1);
    assert.deepEqual(handled, [0, 1]);
    await drive(second.clock, second.app.stop());
  });

  it("parks another payload under an identity that it knows, also behind a held key; redriven, it is handled", async () => {
    const handled: number[] = [];
    let fail = true;
    const retry = { immediateMs: [], delayedMs: [1000], jitter: "none" } as const;
    const sink = service("sink", { inbox, retry }).on(Happened, (event) => {
      if (fail) throw new Error("not yet");
      handled.push(event.data.n);
    });
    const b = await bench([sink], options);
    const twin = async (n: number): Promise<void> => {
      await drive(b.clock, b.app.publish(Happened, { key: "k", n }, { id: "id 0" }));
      await b.clock.advance(10);
    };
    await send(b, 0);
    await twin(7);
    await send(b, 1);
    fail = false;
    await b.clock.advance(2000);
    assert.deepEqual(handled, [0]);
    const { deadLetters } = b.app.admin;
    const [letter, ...others] = await drive(b.clock, deadLetters.list());
    assert.deepEqual([letter?.reason, letter?.failure.code, others], ["id-conflict", "TIDINGS_ID_CONFLICT", []]);
    await drive(b.clock, deadLetters.redrive({}));
    await b.clock.advance(2000);
    assert.deepEqual(handled, [0, 7, 1]);
    await b.app.stop();
  });

  it("knows nothing of an earlier run: what a seek lets begin again is handled again", async () => {
    const handled: number[] = [];
    const b = await bench([service("sink", { inbox }).on(Happened, ({ data }) => void handled.push(data.n))], options);
    await send(b, 0);
    await send(b, 0);
    await send(b, 1);
    await drive(b.clock, b.app.admin.subscriptions.seek("sink/things", "start"));
    await b.clock.advance(1000);
    assert.deepEqual(handled, [0, 1, 0, 1]);
    await b.app.stop();
  });

  it("lets nothing pass any more once its partition drains: it would be committed behind its end", async () => {
    const asked: ((seen: "new") => void)[] = [];
    const enqueued: number[] = [];
    const progress = resumeProgress({ low: 0, finished: [] });
    const ingest = new Ingest({
      runtime: { routes: new Map([[Happened.type, {}]]) },
      progress,
      marks: new RelayMarks(undefined),
      held: { blocks: () => undefined },
      lanes: {
        make: (record: StoredRecord) => record,
        enqueue: ({ position }: StoredRecord) => enqueued.push(position),
      },
      inbox: { seen: () => new Promise((resolve) => asked.push(resolve)), remember: () => undefined },
      onBusy: () => undefined,
    } as unknown as IngestOptions);
    const records = [0, 1, 2].map((position) => ({ position, type: Happened.type, key: "k" }));
    const sending = ingest.page(records as unknown as StoredRecord[]);
    asked[0]?.("new");
    await new Promise((resolve) => setImmediate(resolve));
    ingest.close();
    asked[1]?.("new");
    await sending;
    assert.deepEqual([enqueued, progress.next, asked.length], [[0], 1, 2]);
  });
});
