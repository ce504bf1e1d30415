// One simulation of a journal from its seed: members come, stand still and die, the log refuses and forgets to answer; then all is
// well, and what they were told is compared with what the log comes to.
import { isDeepStrictEqual } from "node:util";

import { commandType } from "../../../src/journal/command.ts";
import { Dice } from "../../../src/testing/sim/dice.ts";
import { Scheduler } from "../../../src/testing/sim/scheduler.ts";
import { type LogKind, SimulatedLog } from "./log.ts";
import { Model, type Version } from "./model.ts";
import { type Asked, Node, type Stage } from "./node.ts";

/** What came of a seed. */
export interface Ran {
  readonly problems: readonly string[];
  readonly steps: number;
  readonly done: number;
  readonly unknown: number;
  readonly refused: number;
  /** Entries that the log has removed. */
  readonly removed: number;
}

/** How long everybody works on when all is well, and how long something may then take. */
const wellMs = 10_000;
const restMs = 120_000;
/** A short upheaval ends after a time, a long one after so many questions. */
const shortMs = 40_000;
const longCount = 12_000;

function kindOf(dice: Dice, isLong: boolean): LogKind {
  const share = (most: number): number => (dice.chance(0.4) ? 0 : dice.spread(0.002, most));
  return {
    bytesKept: isLong ? undefined : dice.one([undefined, 512 * 1024, 1024 * 1024]),
    appendTimes: dice.one(["engine", "publisher"]),
    refused: share(0.2),
    unknown: share(0.2),
    late: share(0.1),
    twice: share(0.2),
    readFails: share(0.1),
    wayMs: isLong ? 5 : dice.one([0.5, 5, 40]),
  };
}

/** Runs a seed; a long one has so many commands that the front of a log is removed that keeps all that it is not told to remove. */
export async function runSeed(seed: number, isLong: boolean): Promise<Ran> {
  const dice = new Dice(seed, "journal");
  const scheduler = new Scheduler(() => undefined);
  const log = new SimulatedLog(kindOf(dice, isLong), scheduler, dice);
  const stage: Stage = { scheduler, log, dice, asked: [] };
  const count = dice.whole(isLong ? 3 : 1, 4);
  const [atOnce, everyMs] = [isLong ? 4 : dice.whole(1, 4), isLong ? 60 : dice.one([60, 500, 3000])];
  const skewed = dice.chance(0.3);
  const clock = () => ({ rate: dice.one([1, 1, 0.98, 1.02]), offsetMs: skewed ? dice.between(-90_000, 90_000) : dice.between(-50, 50) }); // prettier-ignore
  const start = (number: number): Node => {
    const node = new Node(number, stage, clock());
    node.work(atOnce, everyMs);
    return node;
  };
  const nodes = Array.from({ length: count }, (_, number) => start(number));
  await upheaval(stage, nodes, start, () => (isLong ? stage.asked.length > longCount : scheduler.nowMs > shortMs));
  log.healed = true;
  log.away = false;
  for (const [number, node] of nodes.entries())
    if (node.state === "dead") nodes[number] = start(number);
    else node.resume();
  await scheduler.runUntil(scheduler.nowMs + wellMs);
  for (const node of nodes) node.rest();
  await scheduler.runUntil(scheduler.nowMs + restMs);
  const late = stage.asked.length;
  const newcomer = new Node(count, stage, { rate: 1, offsetMs: 0 });
  // Each of them writes once more, so that nobody is behind.
  for (const node of [...nodes, newcomer]) void node.write("end", "of it");
  await scheduler.runUntil(scheduler.nowMs + restMs);
  const problems = [...problemsOf(stage, late), ...(await endOf(stage, [...nodes, newcomer]))];
  const tally = (answer: Asked["answer"]): number => stage.asked.filter((each) => each.answer === answer).length;
  return { problems, steps: scheduler.steps, done: tally("done"), unknown: tally("unknown"), refused: tally("refused"), removed: log.first }; // prettier-ignore
}

/** What happens to members and the log, one thing after the other. */
async function upheaval(
  stage: Stage,
  nodes: Node[],
  start: (number: number) => Node,
  isOver: () => boolean,
): Promise<void> {
  const { scheduler, dice, log } = stage;
  const everyMs = dice.one([300, 2000, 20_000]);
  while (!isOver()) {
    await scheduler.runUntil(scheduler.nowMs + dice.spread(1, everyMs));
    const number = dice.whole(0, nodes.length - 1);
    const node = nodes[number] as Node;
    const chosen = dice.random.next();
    if (node.state === "dead") nodes[number] = start(number);
    else if (node.state === "paused") node.resume();
    else if (chosen < 0.25) node.state = "dead";
    else if (chosen < 0.6) node.state = "paused";
    else if (chosen < 0.75) node.clock.offsetMs += dice.between(-60_000, 60_000);
    else if (chosen < 0.85) log.away = !log.away;
    if (log.away && dice.chance(0.5)) log.away = false;
  }
}

/** What somebody was told that is not so. From `late` on everything must be done. */
function problemsOf({ asked, log, scheduler }: Stage, late: number): string[] {
  const model = new Model(log.all, log.kind.appendTimes);
  const places = placesOf(log);
  const found: string[] = [];
  // What was acknowledged to anybody by an instant, as the length of the log that everybody must know from then on.
  const acknowledged = asked
    .filter(({ answer, what, mark }) => answer === "done" && !what.startsWith("read") && places.has(mark))
    .map((one) => ({ atMs: one.answeredMs as number, next: Math.min(...(places.get(one.mark) as number[])) + 1 }))
    .toSorted((a, b) => a.atMs - b.atMs);
  let next = 0;
  const known = acknowledged.map(({ atMs, next: own }) => ({ atMs, next: (next = Math.max(next, own)) }));
  for (const one of asked) {
    const words = `${one.what} of node ${one.node.number}, ${one.mark}, asked at ${one.atMs} ms,`;
    if (one.answer === undefined) {
      if (one.node.state === "up" && scheduler.nowMs - one.atMs > 60_000) found.push(`${words} was never answered.`);
    } else if (one.mark >= late && one.answer !== "done")
      found.push(`${words} is ${one.answer}: ${String(one.error)}.`);
    else if (one.what.startsWith("read")) {
      const from = known.findLast(({ atMs }) => atMs < one.atMs)?.next ?? 0;
      if (one.answer === "done" && !wasSo(model.histories, one, from))
        found.push(`${words} was told ${JSON.stringify(one.result)}, which was not so between ${from} and ${one.to}.`);
    } else {
      const counted = (places.get(one.mark) ?? []).filter((position) => model.results.has(position));
      if (counted.length > 1) found.push(`${words} counts ${counted.length} times.`);
      const result = model.results.get(counted[0] ?? -1);
      if (one.answer === "refused" && counted.length > 0)
        found.push(`${words} was refused (${String(one.error)}), and is there.`);
      if (one.answer === "done" && !isDeepStrictEqual(one.result, result))
        found.push(`${words} was told ${JSON.stringify(one.result)}, and is ${JSON.stringify(result)}.`);
    }
  }
  return found;
}

/** By mark, where its command stands in the log. */
function placesOf({ all }: SimulatedLog): Map<number, number[]> {
  const places = new Map<number, number[]>();
  for (const { position, data, type } of all) {
    const [, mark] = type === commandType ? (/#(\d+)#/.exec(String(data)) ?? []) : [];
    if (mark === undefined) continue;
    const known = places.get(Number(mark));
    if (known) known.push(position);
    else places.set(Number(mark), [position]);
  }
  return places;
}

/** Whether a document was what somebody was told, at any length of the log between two. */
function wasSo(histories: ReadonlyMap<string, readonly Version[]>, { result, to = 0 }: Asked, from: number): boolean {
  const [key, version, value] = result as readonly [string, number | undefined, string | undefined];
  const history = histories.get(key) ?? [];
  const before = history.findLast(({ position }) => position < from) ?? { value: undefined, version: undefined };
  const possible = [before, ...history.filter(({ position }) => position >= from && position < to)];
  return possible.some((each) => each.version === version && each.value === value);
}

/** Everybody knows in the end what the log comes to. */
async function endOf({ scheduler, log }: Stage, nodes: readonly Node[]): Promise<string[]> {
  const found: string[] = [];
  const expected = new Model(log.all, log.kind.appendTimes).documents;
  for (const node of nodes) {
    const trouble = node.engine.trouble();
    if (trouble !== undefined) found.push(`Node ${node.number} is in trouble in the end: ${trouble}`);
    let known: unknown;
    void node.documents().then((documents) => (known = documents), (error: unknown) => (known = String(error))); // prettier-ignore
    await scheduler.runUntil(scheduler.nowMs + 30_000, () => known !== undefined);
    if (!isDeepStrictEqual(known, expected))
      found.push(`Node ${node.number} knows ${JSON.stringify(known)} in the end, and it is ${JSON.stringify(expected)}.`); // prettier-ignore
  }
  return found;
}
