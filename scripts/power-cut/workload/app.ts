// The recorded application: a service whose every delivery changes a document, publishes an effect and runs SQL, one
// that counts the effects, and one that handles at most once. Now and then handling fails.
import { type App, service, tidings } from "tidings";

import { chanceOf } from "../../../examples/shop/random.ts";
import { Effected, idOf, Moved, Ordered, type Said, topics } from "./events.ts";
import type { Say } from "./marks.ts";

/** What a service keeps of each key. */
export interface Count {
  readonly count: number;
  /** By publisher, the number of the last event. */
  readonly last: Readonly<Record<string, number>>;
  /** How often a number came that was not larger than the last one. */
  readonly reordered: number;
}

export const countBox = "counts";
/** Every subscription, with the partitions of its topic. */
export const subscriptions = { "counter/orders": 2, "auditor/effects": 2, "once/orders": 2, "once/moves": 1 };
export const sqlTable = "cut_handled";

/** Whether handling the event runs SQL of the user's own. */
export const runsSql = ({ n }: Said): boolean => n % 4 === 0;
/** Whether handling it has an effect outside, which is remembered. */
export const remembers = ({ n }: Said): boolean => n % 10 === 3;

export interface AppPlan {
  readonly file: string;
  readonly seed: number;
  readonly say: Say;
  /** False opens the file without handling anything. */
  readonly services?: boolean;
  /** Whether to keep everybody else out of the file. */
  readonly exclusive?: boolean;
}

export function openApp({ file, seed, say, services = true, exclusive = false }: AppPlan): App {
  // Small, so that a short run sees many checkpoints and several new beginnings of the log.
  const settings = "checkpointBytes=250000&walRestartBytes=400000&walBytesMax=1000000&pollMs=10";
  const driver = process.env["TIDINGS_CUT_DRIVER"];
  const binding = driver === undefined ? "" : `&binding=${driver}`;
  return tidings({
    name: "cut",
    url: `sqlite:${file}?${settings}&exclusive=${exclusive}${binding}`,
    services: services ? servicesOf(seed, say) : [],
    topics,
    memberTtlMs: 3000,
    delivery: { retry: { immediateMs: [0, 5], delayedMs: [10, 20, 40], jitter: "full", stallsMax: 1000 } },
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });
}

function servicesOf(seed: number, say: Say) {
  const counter = service("counter", { from: "start" }).on(Ordered, async ({ data, id }, ctx) => {
    const { partition, position } = ctx;
    say({ kind: "seen", topic: "orders", partition, position, id });
    const box = ctx.state<Count>(countBox);
    box.set(data.key, next(await box.get(data.key), data));
    ctx.publish(Effected, data);
    if (runsSql(data)) ctx.tx((db) => insert(db, data));
    if (remembers(data)) {
      await ctx.once(idOf(data), () => position);
      say({ kind: "remembered", key: idOf(data) });
    }
    // When the work is done, so that a failure must take all of it back.
    if (ctx.attempt <= failuresOf(`${seed}/counter/${idOf(data)}`)) throw new Error("A planted failure.");
  });
  const auditor = service("auditor", { from: "start" }).on(Effected, async ({ data, id }, ctx) => {
    const { partition, position } = ctx;
    say({ kind: "seen", topic: "effects", partition, position, id });
    const box = ctx.state<Count>(countBox);
    box.set(data.key, next(await box.get(data.key), data));
    if (ctx.attempt <= failuresOf(`${seed}/auditor/${idOf(data)}`)) throw new Error("A planted failure.");
  });
  const ran = (topic: string, { partition, position }: { partition: number; position: number }): void =>
    say({ kind: "ran", topic, partition, position });
  const once = service("once", { from: "start", guarantee: "at-most-once" })
    .on(Ordered, (_, ctx) => ran("orders", ctx))
    .on(Moved, (_, ctx) => ran("moves", ctx));
  return [counter, auditor, once];
}

function next(count: Count | undefined, { by, n }: Said): Count {
  const { count: before, last, reordered } = count ?? { count: 0, last: {}, reordered: 0 };
  return {
    count: before + 1,
    last: { ...last, [by]: n },
    reordered: reordered + (n > (last[by] ?? -1) ? 0 : 1),
  };
}

/** How often the handling of an event fails before it succeeds; the ladder allows for more. */
function failuresOf(what: string): number {
  let failures = 0;
  while (failures < 4 && chanceOf(`${what}/${failures}`) < 0.12) failures++;
  return failures;
}

function insert(db: unknown, data: Said): void {
  const { exec, prepare } = db as {
    exec: (sql: string) => void;
    prepare: (sql: string) => { run: (...values: readonly (string | number)[]) => void };
  };
  exec.call(db, `CREATE TABLE IF NOT EXISTS ${sqlTable} (id TEXT PRIMARY KEY, key TEXT NOT NULL)`);
  prepare.call(db, `INSERT INTO ${sqlTable} (id, key) VALUES (?, ?)`).run(idOf(data), data.key);
}
