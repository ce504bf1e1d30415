import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { StoredRecord } from "../../../src/event/record.ts";
import { client, entry, numbers, open, prefixFor, until, withoutNats } from "./support.ts";

const numberOf = ({ data }: StoredRecord): number => (JSON.parse(data as string) as { n: number }).n;
const limits = { events: 1000, bytes: 1 << 24 };

describe("a reader at the end of a stream", { skip: withoutNats }, () => {
  it("is sent what comes, with no question for each event", async (t) => {
    const prefix = prefixFor(t);
    const engine = await open(t, { prefix });
    await engine.topics.declare([{ name: "orders", partitions: 2 }]);
    let asked = 0;
    const observer = await client(t);
    for (const subject of [`$JS.API.CONSUMER.MSG.NEXT.${prefix}~orders~1.>`, `$JS.API.STREAM.INFO.${prefix}~orders~1`])
      observer.subscribe(subject, { callback: () => void asked++ });
    await observer.flush();

    const found: number[] = [];
    let position = 0;
    let hints = 0;
    engine.topics.watch("orders", (partition) => {
      if (partition !== 0) hints++;
    });
    const readOn = async (): Promise<boolean> => {
      const page = await engine.topics.read("orders", 1, position, limits);
      position = page.next;
      found.push(...page.records.map(numberOf));
      return page.end;
    };
    for (let n = 0; n < 3; n++) {
      await engine.topics.publish([entry(n, { partition: 1 })]);
      await readOn();
    }
    asked = 0;
    for (let n = 3; n < 43; n++) {
      const before = hints;
      await engine.topics.publish([entry(n, { partition: 1 })]);
      await until("the listener is told", () => hints > before);
      while (!(await readOn()));
    }
    await observer.flush();
    const numbered = Array.from({ length: 43 }, (_, n) => n);
    assert.deepEqual(found, numbered);
    // What comes may find the reader not waiting now and then, and topics are looked at once a second.
    assert.ok(asked < 20, `${asked} questions for 40 events`);
    assert.deepEqual(await numbers(engine, 1), numbered);
  });

  it("finds what another process was told is stored, and goes on when its consumer is gone", async (t) => {
    const prefix = prefixFor(t);
    const one = await open(t, { prefix });
    const two = await open(t, { prefix });
    await one.topics.declare([{ name: "orders", partitions: 1 }]);
    const api = await client(t);
    let position = 0;
    for (let n = 0; n < 200; n++) {
      await two.topics.publish([entry(n)]);
      const { records, next } = await one.topics.read("orders", 0, position, limits);
      assert.deepEqual(records.map(numberOf), [n]);
      position = next;
      if (n % 50 !== 49) continue;
      const stream = `${prefix}~orders~0`;
      const answer = await api.request(`$JS.API.CONSUMER.NAMES.${stream}`);
      const { consumers } = answer.json<{ consumers: string[] }>();
      assert.ok(consumers.length > 0);
      for (const consumer of consumers) await api.request(`$JS.API.CONSUMER.DELETE.${stream}.${consumer}`);
    }
  });
});
