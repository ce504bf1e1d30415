import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type Cursor, Cursors } from "../../../src/engines/broker/cursors.ts";

class Fake implements Cursor {
  next: number;
  usable = true;
  usedAtMs = 0;
  hears = false;
  closed = 0;

  constructor(next: number) {
    this.next = next;
  }

  close(): void {
    this.closed++;
    this.usable = false;
  }
}

/** Reads one event at a position; answers the cursor that did. */
async function read(cursors: Cursors<Fake>, place: string, position: number): Promise<Fake> {
  return cursors.use(
    place,
    position,
    () => new Fake(position),
    async (cursor) => {
      cursor.next++;
      return cursor;
    },
  );
}

describe("the cursors of a broker", () => {
  it("go on where they stand, and are made where none does", async () => {
    const cursors = new Cursors<Fake>();
    const one = await read(cursors, "orders/0", 0);
    assert.equal(await read(cursors, "orders/0", 1), one);
    const other = await read(cursors, "orders/0", 0);
    assert.notEqual(other, one);
    assert.notEqual(await read(cursors, "orders/1", 2), one);
    assert.equal(await read(cursors, "orders/0", 2), one);
  });

  it("serve one caller at a time", async () => {
    const cursors = new Cursors<Fake>();
    const first = await read(cursors, "orders/0", 0);
    const both = await Promise.all([read(cursors, "orders/0", 1), read(cursors, "orders/0", 1)]);
    assert.equal(both[0], first);
    assert.notEqual(both[1], first);
  });

  it("are closed when they fail, and when they are of no use any more", async () => {
    const cursors = new Cursors<Fake>();
    const failing = new Fake(0);
    const fails = cursors.use("orders/0", 0, () => failing, () => Promise.reject(new Error("It broke."))); // prettier-ignore
    await assert.rejects(fails, /It broke/);
    assert.equal(failing.closed, 1);
    const old = await read(cursors, "orders/0", 0);
    old.usable = false;
    assert.notEqual(await read(cursors, "orders/0", 1), old);
    assert.equal(old.closed, 1);
  });

  it("are let go of when there are too many, the one that was not used for longest first, and none that is in use", async () => {
    const cursors = new Cursors<Fake>();
    const all: Fake[] = [];
    for (let n = 0; n < 256; n++) {
      const cursor = await read(cursors, `orders/${n}`, 0);
      cursor.usedAtMs = n === 7 ? -1 : n;
      all.push(cursor);
    }
    let end = (): void => undefined;
    const busy = cursors.use("orders/7", 1, () => new Fake(1), (cursor) => new Promise<Fake>((resolve) => (end = () => resolve(cursor)))); // prettier-ignore
    await read(cursors, "orders/256", 0);
    assert.deepEqual(
      all.flatMap(({ closed }, n) => (closed > 0 ? [n] : [])),
      [0],
    );
    end();
    assert.equal(await busy, all[7]);
    await read(cursors, "orders/257", 0);
    assert.equal(all[7]?.closed, 1);
  });

  it("hear of a partition when all of them do, and nobody does where there is none", async () => {
    const cursors = new Cursors<Fake>();
    assert.equal(cursors.hears("orders/0"), false);
    const one = await read(cursors, "orders/0", 0);
    const two = await read(cursors, "orders/0", 0);
    one.hears = true;
    assert.equal(cursors.hears("orders/0"), false);
    two.hears = true;
    assert.equal(cursors.hears("orders/0"), true);
    cursors.forget("orders/0");
    assert.deepEqual([cursors.hears("orders/0"), one.closed, two.closed], [false, 1, 1]);
  });

  it("have not read all while something is known to be stored behind them", () => {
    const cursors = new Cursors<Fake>();
    assert.equal(cursors.isEnd("orders/0", 0), true);
    cursors.stored("orders/0", 4);
    cursors.stored("orders/0", 2);
    assert.deepEqual([cursors.isEnd("orders/0", 4), cursors.isEnd("orders/0", 5)], [false, true]);
    assert.equal(cursors.isEnd("orders/1", 0), true);
  });
});
