import {
  collections,
  type ClaimDocument,
  type HeldDocument,
  positionKey,
  type PositionDocument,
} from "../delivery/records.ts";
import type { HeldEventDocument, SubscriptionDocument } from "../delivery/records.ts";
import { readDefinitions } from "../delivery/totals.ts";
import { formatTime } from "../event/envelope.ts";
import type { Engine } from "../ports/engine.ts";
import type { State } from "../ports/state.ts";
import type { HandlerRun } from "./handlers.ts";

/** Something that is not done. */
export interface Outstanding {
  readonly subscription: string;
  readonly partition: number;
  readonly position: number;
  readonly key: string | null;
  readonly event: string;
  /** What it is doing, or what it waits for. */
  readonly state: string;
}

/** Most rows of one partition, and of one subscription's held keys. */
const rowsMax = 20;

/** Everything that is not done, as the store has it, with what the running handlers add. */
export async function readOutstanding(engine: Engine, running: readonly HandlerRun[]): Promise<readonly Outstanding[]> {
  const rows: Outstanding[] = [];
  for (const [subscription, definition] of await readDefinitions(engine)) {
    const mine = running.filter((run) => run.subscription === subscription);
    const bounds = await engine.topics.bounds(definition.topic);
    for (const [partition, { next }] of bounds.entries())
      rows.push(...(await pendingRows(engine, { subscription, definition, partition, next, running: mine })));
    rows.push(...(await heldRows(engine, subscription, mine)));
  }
  return rows;
}

interface Place {
  readonly subscription: string;
  readonly definition: SubscriptionDocument;
  readonly partition: number;
  readonly next: number;
  readonly running: readonly HandlerRun[];
}

/** What was published and is not settled. */
async function pendingRows(engine: Engine, place: Place): Promise<readonly Outstanding[]> {
  const { subscription, definition, partition, next, running } = place;
  const key = positionKey(subscription, partition);
  const [stored] = (await engine.state?.get(collections.positions, [key])) ?? [];
  if (!stored) return [];
  const { low, finished } = JSON.parse(stored.value) as PositionDocument;
  if (low >= next) return [];
  const [claim] = (await engine.state?.get(collections.claims, [key])) ?? [];
  const failures = claim ? (JSON.parse(claim.value) as ClaimDocument).failures : undefined;
  const page = await engine.topics.read(definition.topic, partition, low, { events: 1000, bytes: 64 * 1024 * 1024 });
  return page.records
    .filter(
      ({ type, position }) =>
        type in definition.types && !finished.some(([from, to]) => from <= position && position <= to),
    )
    .slice(0, rowsMax)
    .map(({ position, type, ...record }) => ({
      subscription,
      partition,
      position,
      key: record.key,
      event: type,
      state: stateOf(position, running, partition, failures?.[position] ?? 0),
    }));
}

function stateOf(position: number, running: readonly HandlerRun[], partition: number, failures: number): string {
  const run = running.find((one) => one.partition === partition && one.positions.includes(position));
  if (run) return runningState(run);
  return failures > 0 ? `failed ${times(failures)}, soon tried again` : "waiting";
}

const runningState = (run: HandlerRun): string =>
  `running${run.attempt === 1 ? "" : ` (attempt ${run.attempt})`}${run.waitsForCommit() ? ", waits for a commit before it" : ""}`;
const times = (count: number): string => (count === 1 ? "once" : `${count} times`);

/** What waits behind held keys: the head of each, with the number of those behind it. */
async function heldRows(
  engine: Engine,
  subscription: string,
  running: readonly HandlerRun[],
): Promise<readonly Outstanding[]> {
  const state = engine.state as State;
  const rows: Outstanding[] = [];
  for (const { key, value } of await state.scan(collections.held(subscription), { limit: rowsMax })) {
    const held = JSON.parse(value) as HeldDocument;
    const [head] = await state.scan(collections.heldEvents(subscription), { prefix: `${key}#`, limit: 1 });
    const event = head && (JSON.parse(head.value) as HeldEventDocument);
    const position = event?.position ?? -1;
    const run = running.find((one) => one.partition === held.partition && one.positions.includes(position));
    const behind = held.nextSeq - held.headSeq - 1;
    rows.push({
      subscription,
      partition: held.partition,
      position,
      key: held.key,
      event: event?.record.type ?? "",
      state: (run ? runningState(run) : heldState(held)) + (behind > 0 ? `, ${behind} behind it` : ""),
    });
  }
  return rows;
}

function heldState({ reason, dueAtMs, tries, note }: HeldDocument): string {
  const last = tries.attempts.at(-1);
  const failed = last ? ` (failed ${times(tries.failures)}: ${last.message})` : "";
  if (reason === "dead") return `dead letter${failed}`;
  if (reason === "paused") return `paused${note === undefined ? "" : `: ${note}`}`;
  return dueAtMs === undefined ? `about to run${failed}` : `held until ${formatTime(dueAtMs)}${failed}`;
}

/** The rows as a table for people; empty text when there are none. */
export function tableOf(rows: readonly Outstanding[]): string {
  if (rows.length === 0) return "";
  const lines = [
    ["subscription", "partition", "position", "key", "event", "state"],
    ...rows.map(({ subscription, partition, position, key, event, state }) => [
      subscription,
      String(partition),
      String(position),
      key ?? "-",
      event,
      state,
    ]),
  ];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  return lines
    .map(
      (line) => `  ${line.map((cell, column) => (column === 5 ? cell : cell.padEnd(widths[column] ?? 0))).join("  ")}`,
    )
    .join("\n");
}
