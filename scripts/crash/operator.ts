// What operators do in the scenario "failures".
import { setTimeout as sleep } from "node:timers/promises";
import { type App, hasCode } from "tidings";

import type { Dice } from "../../examples/shop/random.ts";
import { fateOf, keyCount, seenBox } from "./failures-app.ts";
import { numbersOf, type Seen } from "./seen.ts";
import { say } from "./speak.ts";

type Admin = App["admin"];

/** What may come of an operation while others operate, and while processes die. */
const expected = [
  "TIDINGS_NO_ANSWER",
  "TIDINGS_NOT_PAUSABLE",
  "TIDINGS_NOT_FOUND",
  "TIDINGS_BUSY",
  "TIDINGS_DEAD_LETTER_STATE",
] as const;

const keys = Array.from({ length: keyCount }, (_, n) => `key-0-${n}`);
/** So many keys of the worker are watched at once, beside all else that operators do. */
const watchedMax = 8;
const watched = new Set<string>();
const watching = "worker/jobs";
const watches = new Set<Promise<void>>();

/** Resolves when nothing is watched any more. */
export async function unwatched(): Promise<void> {
  await Promise.all(watches);
}

/** One operation, of whatever kind. */
export async function operate(app: App, seed: number, chance: Dice): Promise<void> {
  const { admin } = app;
  const subscription = chance.pick(["worker/jobs", "sender/jobs"]);
  const pause = { reason: "somebody looks at it", untilMs: Date.now() + chance.between(20, 120) };
  const what = chance.next();
  if (what < 0.1) await tolerant(() => admin.subscriptions.pause(subscription, pause));
  else if (what < 0.3) {
    const key = chance.pick(keys);
    // It would let a key that is watched go on when its time is over.
    if (!isWatched(subscription, key)) await tolerant(() => admin.heldKeys.pause(subscription, key, pause));
  } else if (what < 0.5) await watchPausedKeys(app, chance);
  else await mend(admin, seed, () => chance.next() < 0.6);
}

/** Resumes what is paused, redrives dead letters and discards those that never get through; `chosen` picks among them. */
export async function mend(admin: Admin, seed: number, chosen: () => boolean): Promise<void> {
  for (const { subscription, paused } of await admin.subscriptions.list())
    if (paused && chosen()) await tolerant(() => admin.subscriptions.resume(subscription));
  for (const { subscription, key, reason } of await admin.heldKeys.list({ reason: "paused" }))
    if (reason === "paused" && key !== null && !isWatched(subscription, key) && chosen())
      await tolerant(() => admin.heldKeys.resume(subscription, key));
  const letters = (await admin.deadLetters.list({ state: "open" })).filter(
    ({ subscription, key }) => !isWatched(subscription, key),
  );
  for (const { id } of letters) say(`seen ${id}`);
  const [redrive, discard]: [string[], string[]] = [[], []];
  for (const { id, service, record } of letters)
    if (chosen()) (fateOf(seed, service, record.id) === "discard" ? discard : redrive).push(id);
  if (redrive.length > 0) await tolerant(() => admin.deadLetters.redrive({ ids: redrive }));
  if (discard.length > 0) await tolerant(() => admin.deadLetters.discard({ ids: discard }));
}

const isWatched = (subscription: string, key: string | null): boolean =>
  subscription === watching && key !== null && watched.has(key);

/** Pauses some keys that nothing holds, and has them watched. Resolves when they are paused. */
async function watchPausedKeys(app: App, chance: Dice): Promise<void> {
  const held = (await app.admin.heldKeys.list()).filter(({ subscription }) => subscription === watching);
  const busy = new Set([...watched, ...held.map(({ key }) => key)]);
  const free = keys.filter((key) => !busy.has(key));
  const from = chance.between(0, free.length);
  const chosen = [...free.slice(from), ...free.slice(0, from)].slice(0, Math.max(0, watchedMax - watched.size));
  await Promise.all(chosen.map((key) => watchPausedKey(app, key, chance.between(100, 400))));
}

/**
 * Pauses a key, and looks later what became of it. What ran when it was paused may still come to its end, and nothing else
 * of it may: until it is let go on nobody resumes it or mends its dead letters, since there is one operator at a time.
 */
async function watchPausedKey(app: App, key: string, forMs: number): Promise<void> {
  const { heldKeys } = app.admin;
  if (!(await tolerant(() => heldKeys.pause(watching, key, { reason: "it is watched" })))) return;
  watched.add(key);
  const before = await handledOf(app, key);
  const looking = sleep(forMs).then(async () => {
    const count = (await handledOf(app, key)) - before;
    if (count > 1) say(`wrong OWN: ${count} events of ${key} were handled while the key was paused.`);
    watched.delete(key);
    await tolerant(() => heldKeys.resume(watching, key));
  });
  watches.add(looking);
  void looking.finally(() => watches.delete(looking));
}

async function handledOf(app: App, key: string): Promise<number> {
  return numbersOf((await app.state<Seen>("worker", seenBox).get(key)) ?? []).length;
}

/** Lets what must be able to happen happen; false when it did. */
async function tolerant(operation: () => Promise<unknown>): Promise<boolean> {
  try {
    await operation();
    return true;
  } catch (error) {
    if (!expected.some((code) => hasCode(error, code))) throw error;
    return false;
  }
}
