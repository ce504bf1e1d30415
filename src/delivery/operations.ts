import { isTidingsError, TidingsError } from "../errors/tidings-error.ts";
import { formatTime } from "../event/instant.ts";
import { messageOf } from "../event/validate.ts";
import type { State } from "../ports/state.ts";
import { heldIdOfKey } from "./held/held-entry.ts";
import type { PartitionParts } from "./partition/partition.ts";
import { type Answer, collections, type DeadLetter, type Intent, recordFromDocument } from "./records.ts";
import { headOf, redriveMany, redriveOne } from "./redrive/perform.ts";
import type { SubscriptionRuntime } from "./runtime.ts";

/**
 * Does in its partition what an operator asked for. Only the owner of the partition calls this, so that nothing
 * else moves meanwhile. Never rejects: what is wrong becomes the answer. A seek is not done here, since it restarts the partition.
 */
export async function perform(intent: Intent, parts: PartitionParts, runtime: SubscriptionRuntime): Promise<Answer> {
  try {
    return await dispatch(intent, parts, runtime);
  } catch (error) {
    return answerOf(error);
  }
}

/** An error as an answer. */
export function answerOf(error: unknown): Answer {
  return { ok: false, code: isTidingsError(error) ? error.code : "TIDINGS_HANDLER_FAILED", message: messageOf(error) };
}

const done: Answer = { ok: true };

async function dispatch(intent: Intent, parts: PartitionParts, runtime: SubscriptionRuntime): Promise<Answer> {
  switch (intent.kind) {
    case "redrive":
      return redriveOne(intent, parts, runtime);
    case "redrive-many":
      return redriveMany(intent, parts, runtime);
    case "discard":
      return discard(intent, parts, runtime);
    case "undo-discard":
      return undoDiscard(intent, parts, runtime);
    case "pause-key": {
      refuseDead(intent, parts);
      parts.held.pauseKey(intent.key, intent.reason, intent.untilMs);
      const lane = parts.lanes.find(intent.key);
      if (lane) parts.lanes.holdBack(lane);
      await parts.committer.through(written(parts));
      return done;
    }
    case "resume-key": {
      const entry = parts.held.find(heldIdOfKey(intent.key));
      if (entry?.reason !== "paused") {
        throw new TidingsError(
          "TIDINGS_NOT_PAUSABLE",
          `The key ${JSON.stringify(intent.key)} of "${intent.subscription}" is not paused.`,
        );
      }
      parts.held.resumeKey(entry);
      await parts.committer.through(written(parts));
      return done;
    }
    case "seek":
      break;
  }
  throw new TidingsError("TIDINGS_UNSUPPORTED", "A seek restarts its partition.");
}

/** Resolves when what was given to the committer before is on disk: it keeps the order of what it is given. */
function written({ committer }: PartitionParts): Promise<void> {
  return new Promise((resolve, reject) => {
    committer.add({
      position: -1,
      as: "held",
      counts: undefined,
      writes: undefined,
      durable: true,
      committed: resolve,
      conflicted() {},
      refused: reject,
    });
  });
}

/** A key behind a dead letter waits already, and resuming it would run the dead letter without being asked to. */
function refuseDead(intent: Intent & { kind: "pause-key" }, parts: PartitionParts): void {
  const entry = parts.held.find(heldIdOfKey(intent.key));
  if (entry?.reason !== "dead") return;
  throw new TidingsError(
    "TIDINGS_NOT_PAUSABLE",
    `The key ${JSON.stringify(intent.key)} of "${intent.subscription}" waits behind the dead letter ${entry.deadLetter} already; redrive or discard that.`,
    { details: { subscription: intent.subscription, key: intent.key } },
  );
}

/** Gives a dead letter up; the event and its story are kept. */
async function discard(
  { deadLetter, by, undoMs, note }: Intent & { kind: "discard" },
  parts: PartitionParts,
  runtime: SubscriptionRuntime,
): Promise<Answer> {
  const letter = await read(collections.deadLetters(runtime.name), deadLetter, runtime);
  const entry = headOf(letter, parts, withoutHandlers(runtime));
  if (entry instanceof TidingsError) throw entry;
  const written = new Promise<void>((resolve, reject) => {
    parts.held.discarded(entry, { by, undoMs, note }, resolve).catch(reject);
  });
  await parts.committer.through(written);
  return done;
}

/** What nobody handles any more can be discarded all the same. */
const withoutHandlers = (runtime: SubscriptionRuntime): SubscriptionRuntime => ({ ...runtime, routes: new Map() });

/** Holds a discarded event again, as a dead letter that waits for people. */
async function undoDiscard(
  { deadLetter: id }: Intent & { kind: "undo-discard" },
  parts: PartitionParts,
  runtime: SubscriptionRuntime,
): Promise<Answer> {
  const letter = await read(collections.closedDeadLetters(runtime.name), id, runtime);
  const { state, undoUntilMs = 0, run, topic, partition, position, parkedAtMs } = letter;
  const refuse = (problem: string): never => {
    throw new TidingsError("TIDINGS_DEAD_LETTER_STATE", `The dead letter ${id} ${problem}.`, {
      details: { deadLetter: id },
    });
  };
  if (state !== "discarded") refuse(`is ${state}, so there is no discard to undo`);
  if (run !== parts.held.run()) refuse("belongs to an earlier run: its subscription was moved by a seek since");
  if (undoUntilMs < runtime.platform.clock.now())
    refuse(`was discarded for good: that could be undone until ${formatTime(undoUntilMs)}`);
  if (!parts.held.mayRestore(letter)) refuse("is being restored already");
  const record = recordFromDocument(letter.record, { topic, partition, position, appendedAtMs: parkedAtMs });
  const written = parts.held.restore(letter, record);
  const lane = parts.lanes.find(letter.key);
  // What waits in its lane comes behind it.
  if (lane) parts.lanes.holdBack(lane);
  await parts.committer.through(written);
  return done;
}

async function read(collection: string, id: string, { engine, name }: SubscriptionRuntime): Promise<DeadLetter> {
  const [document] = await (engine.state as State).get(collection, [id]);
  if (document) return JSON.parse(document.value) as DeadLetter;
  const which = collection === collections.deadLetters(name) ? "open" : "discarded";
  throw new TidingsError("TIDINGS_NOT_FOUND", `The subscription "${name}" has no ${which} dead letter ${id}.`, {
    details: { deadLetter: id },
  });
}
