// A log on PostgreSQL as a good engineer writes it by hand, with the client that tidings uses: group commit, a row per
// event, a reader that pages by position, the position stored with what is published next, one statement and one sync for
// both. Rows are written by one connection, so that the order of the sequence is the order of the commits. No validation,
// no retries, no keys in order under failure, no second process, no checksums: what tidings may cost is measured
// against this.
import { Client } from "pg";

import { systemPlatform } from "../../src/platform/system.ts";
import type { Order } from "../lib/payload.ts";
import type { Peer, PeerOptions } from "./peer.ts";

const pageMax = 512;
const groupMax = 2048;

interface Waiting {
  readonly order: Order;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const tables = `
  CREATE TABLE event (
    position bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    id text NOT NULL, type text NOT NULL, key text NOT NULL, time bigint NOT NULL, data text NOT NULL
  );
  CREATE TABLE consumer (name text PRIMARY KEY, position bigint NOT NULL);
  INSERT INTO consumer VALUES ('handler', 0);`;

const move = "UPDATE consumer SET position = $1 WHERE name = 'handler'";
// Lines of one text instead of an array: the client need not escape every quote of the JSON.
const append = `WITH moved AS (${move})
  INSERT INTO event (id, type, key, time, data) SELECT string_to_table($2, E'\\n'), 'bench.order.placed',
    string_to_table($3, E'\\n'), string_to_table($4, E'\\n')::bigint, string_to_table($5, E'\\n')`;

export async function start({ url = "", onOrder }: PeerOptions): Promise<Peer> {
  const writer = new Client(url);
  const reader = new Client(url);
  await Promise.all([writer.connect(), reader.connect()]);
  await writer.query(tables);
  const { ids } = systemPlatform();
  let waiting: Waiting[] = [];
  let position = 0;
  let stored = 0;
  let writing = false;
  let reading = false;
  /** Whether something was committed since the reader looked last. */
  let news = false;

  /** One transaction for everything that waits and for the position, and the next as soon as it is there. */
  async function write(): Promise<void> {
    if (writing) return;
    writing = true;
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0 || position > stored) {
      const group = waiting.slice(0, groupMax);
      waiting = waiting.slice(groupMax);
      const at = position;
      try {
        if (group.length === 0) await writer.query({ name: "move", text: move, values: [at] });
        else await writer.query({ name: "append", text: append, values: [at, ...columnsOf(group)] });
        stored = at;
        for (const { resolve } of group) resolve();
        news = true;
        if (group.length > 0) void read();
      } catch (error) {
        for (const { reject } of group) reject(error);
        throw error;
      }
    }
    writing = false;
  }

  function columnsOf(group: readonly Waiting[]): string[] {
    const time = String(Date.now());
    const lines = (of: (order: Order) => string): string => group.map(({ order }) => of(order)).join("\n");
    return [lines(() => ids.next()), lines(({ orderId }) => orderId), lines(() => time), lines(JSON.stringify)];
  }

  async function read(): Promise<void> {
    if (reading) return;
    reading = true;
    while (news) {
      news = false;
      const { rows } = await reader.query<{ position: string; data: string }>({
        name: "read",
        text: "SELECT position, data FROM event WHERE position > $1 ORDER BY position LIMIT $2",
        values: [position, pageMax],
      });
      for (const row of rows) onOrder(JSON.parse(row.data) as Order);
      if (rows.length > 0) position = Number(rows.at(-1)?.position);
      news ||= rows.length === pageMax;
      if (rows.length > 0) void write();
    }
    reading = false;
  }

  const publish = (order: Order): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.push({ order, resolve, reject });
      void write();
    });
  return {
    publish,
    publishMany: (orders) => Promise.all(orders.map(publish)),
    async close() {
      while (reading || writing) await new Promise((resolve) => setTimeout(resolve, 1));
      await Promise.all([writer.end(), reader.end()]);
    },
  };
}
