// Events that stand in a topic more than once, as a relay leaves them that repeats itself: an inbox lets each through once.
import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "tidings";

import { type Dice, dice } from "../../examples/shop/random.ts";
import type { LogEntry } from "./log.ts";

const everyMs = 15;
/** Old ones as well as new ones, so that mostly another process has handled the event. */
const reach = 60;

/** Appends events of the topic again, past the ids of the publisher, until `signal` aborts. */
export async function repeatNowAndThen(app: App, topic: string, seed: string, signal: AbortSignal): Promise<void> {
  const chance = dice(seed);
  while (!signal.aborted) {
    await repeatOne(app, topic, chance);
    await sleep(everyMs);
  }
}

async function repeatOne({ engine }: App, topic: string, chance: Dice): Promise<void> {
  const bounds = await engine.topics.bounds(topic);
  const partition = chance.between(0, bounds.length - 1);
  const { first = 0, next = 0 } = bounds[partition] ?? {};
  if (next === first) return;
  const position = chance.between(Math.max(first, next - reach), next - 1);
  const { records } = await engine.topics.read(topic, partition, position, { events: 1, bytes: 100_000 });
  await engine.topics.publish(records.map((record) => ({ topic, partition, record })));
}

/** What an inbox did with a topic in which events stand more than once: `seen` are the numbers of each key, as handled. */
export function echoProblems(log: readonly LogEntry[], seen: ReadonlyMap<string, readonly number[]>): string[] {
  const problems: string[] = [];
  const expected = new Map<string, Set<number>>();
  for (const { data } of log) {
    const { key, seq } = data as { key: string; seq: number };
    expected.set(key, (expected.get(key) ?? new Set()).add(seq));
  }
  for (const [key, numbers] of expected) {
    const handled = seen.get(key) ?? [];
    const once = [...new Set(handled)];
    const missing = [...numbers].filter((number) => !once.includes(number));
    if (once.length < handled.length)
      problems.push(`I8: the inbox let ${handled.length - once.length} echoes of ${key} through again.`);
    if (missing.length > 0)
      problems.push(
        `I7: the echo ${key}:${missing[0]} and ${missing.length - 1} more of its key were never let through.`,
      );
    if (once.some((number, i) => number < (once[i - 1] ?? 0)))
      problems.push(`I9: the echoes of ${key} were let through out of order.`);
  }
  return problems;
}
