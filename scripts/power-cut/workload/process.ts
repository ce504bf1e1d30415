// One process of a recording: publishes, moves money, removes what is old, and says what it was told.
import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "tidings";

import { openApp } from "./app.ts";
import {
  type Account, bank, callOf, hasOwnId, idOf, moveBy, Moved, Ordered, saidBy, Scratched,
} from "./events.ts"; // prettier-ignore
import { openMarks, type Say } from "./marks.ts";

export interface Task {
  readonly file: string;
  readonly marks: string;
  readonly seed: number;
  /** Name of the publisher. */
  readonly by: string;
  /** How many orders it publishes. */
  readonly orders: number;
  /** How many publishes of it are in flight at once. */
  readonly inFlight: number;
  readonly moves: number;
  /** The process kills itself when so many orders are acknowledged; left out, it stops in good order. */
  readonly killAfter?: number;
}

const task = JSON.parse(process.argv[2] ?? "{}") as Task;
const say = openMarks(task.marks);
const app = await openApp({ ...task, say }).start();
say({ kind: "started" });
const half = Math.floor(task.moves / 2);
await Promise.all([publishOrders(app, say), moveMoney(app, say, 0, half), fillScratch(app, say)]);
// Some when nothing else is going on: each of their commits has its sync for itself.
await app.settled({ timeoutMs: 60_000 });
await moveMoney(app, say, half, task.moves, 25);
await app.settled({ timeoutMs: 60_000 });
await app.stop();

async function publishOrders(app: App, say: Say): Promise<void> {
  let next = 0;
  let acknowledged = 0;
  const lane = async (): Promise<void> => {
    while (next < task.orders) {
      const numbers = callOf(next);
      next = (numbers.at(-1) as number) + 1;
      await publishCall(app, say, numbers);
      acknowledged += numbers.length;
      if (task.killAfter !== undefined && acknowledged >= task.killAfter) process.kill(process.pid, "SIGKILL");
      // Now and then a publisher is quiet, so that small groups and idle moments are recorded, too.
      if (next % 3 === 0) await sleep(4);
    }
  };
  await Promise.all(Array.from({ length: task.inFlight }, lane));
}

async function publishCall(app: App, say: Say, numbers: readonly number[]): Promise<void> {
  const { by } = task;
  const topic = "orders";
  say({ kind: "trying", topic, by, n: numbers.at(-1) as number });
  const publications = numbers.map((n) => {
    const data = saidBy(by, n);
    return [Ordered, data, hasOwnId(n) ? { id: idOf(data) } : {}] as const;
  });
  const [first] = publications;
  if (publications.length > 1) await app.publishAll(publications);
  else if (first) await app.publish(...first);
  say(...numbers.map((n) => ({ kind: "acknowledged", topic, by, n }) as const));
  // The same again: the answer rests on what was published before, by this process or another.
  const [n = 0] = numbers;
  if (n % 16 === 0 && hasOwnId(n)) {
    const data = saidBy(by, n);
    await app.publish(Ordered, data, { id: idOf(data) });
    say({ kind: "acknowledged", topic, by, n });
  }
}

async function moveMoney(app: App, say: Say, from: number, to: number, pauseMs = 0): Promise<void> {
  const { by } = task;
  for (let n = from; n < to; n++) {
    if (pauseMs > 0) await sleep(pauseMs);
    say({ kind: "trying", topic: "moves", by, n });
    while (!(await moveOnce(app, say, n)));
    say({ kind: "acknowledged", topic: "moves", by, n });
  }
}

/** One transaction over two documents, a timer and an event; false when somebody else was faster. */
async function moveOnce({ engine }: App, say: Say, n: number): Promise<boolean> {
  if (!engine.state || !engine.transact) throw new Error("The engine has no store.");
  const { from, to, amount } = moveBy(task.by, n);
  const read = await engine.state.get(bank, [from, to]);
  say(...read.flatMap((document) => (document ? [{ kind: "account", ...document } as const] : [])));
  const documents = [from, to].map((key, index) => {
    const { balance, touched } = JSON.parse(read[index]?.value ?? '{"balance":0,"touched":0}') as Account;
    const value = { balance: balance + (index === 0 ? -amount : amount), touched: touched + 1 };
    return { collection: bank, key, value: JSON.stringify(value) };
  });
  const data = saidBy(task.by, n);
  const outcome = await engine.transact({
    checks: [from, to].map((key, index) => ({ collection: bank, key, version: read[index]?.version ?? 0 })),
    documents,
    timers: [{ queue: bank, key: idOf(data), dueAtMs: 4_000_000_000_000 + n, payload: JSON.stringify(amount) }],
    publish: [{ topic: "moves", partition: 0, record: recordOf(data), checkId: true }],
  });
  if (outcome.committed) return true;
  const { conflict } = outcome;
  if (conflict.kind !== "check") throw new Error(`A move met the conflict ${JSON.stringify(conflict)}.`);
  say({ kind: "account", key: [from, to][conflict.index] as string, version: conflict.version });
  return false;
}

function recordOf(data: ReturnType<typeof saidBy>) {
  return {
    id: idOf(data), source: "/cut/bank", type: Moved.type, timeMs: 1_750_000_000_000 + data.n,
    key: data.key, attributes: undefined, data: JSON.stringify(data),
  }; // prettier-ignore
}

/** Publishes, and asks that all but the last ones be removed. */
async function fillScratch(app: App, say: Say): Promise<void> {
  // Ids are looked up in all topics, so that those of the orders must be others.
  const by = `${task.by}+`;
  for (let n = 0; n < task.moves; n++) {
    const data = saidBy(by, n);
    say({ kind: "trying", topic: "scratch", by, n });
    await app.publish(Scratched, data, { id: idOf(data) });
    say({ kind: "acknowledged", topic: "scratch", by, n });
    if (n % 8 !== 7) continue;
    const [bounds] = await app.engine.topics.bounds("scratch");
    const first = Math.max(0, (bounds?.next ?? 0) - 4);
    say({ kind: "retaining", first });
    await app.engine.topics.retain("scratch", { appendedBeforeMs: Date.now() + 1000, floor: [first] });
  }
}
