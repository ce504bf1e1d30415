import { TidingsError } from "../errors/tidings-error.ts";
import { collections, type ControlDocument, positionKey, type PositionDocument } from "../delivery/records.ts";
import { lifecycleFeed } from "../delivery/lifecycle/feed.ts";
import { type AdminContext, storeOf } from "./context.ts";
import { askOwners } from "./intents.ts";
import { type Place, positionsOf } from "./read-events.ts";
import { countHeldKeys, findSubscription, reportSubscriptions, type SubscriptionReport } from "./subscriptions.ts";

/** A partition that a seek has moved, or that it would move. */
export interface SeekMove {
  readonly partition: number;
  /** The lowest position that was not settled. */
  readonly from: number;
  readonly to: number;
  /** Keys that are held there: a seek refuses over them, or sets them aside. */
  readonly heldKeys: number;
  /** Why this partition was not moved; undefined when it was. */
  readonly refusal: { readonly code: string; readonly message: string } | undefined;
}

/** How to seek. */
export interface SeekOptions {
  /** Set held keys and dead letters aside as superseded, instead of refusing. */
  readonly retireHeld?: boolean;
  /** Say what would happen and do nothing. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/** Operations on subscriptions. Names are `<service>/<topic>`, or the service's when it has only one. */
export interface SubscriptionsAdmin {
  list(): Promise<readonly SubscriptionReport[]>;
  /** Throws TIDINGS_NOT_FOUND. */
  show(name: string): Promise<SubscriptionReport>;
  /** Pauses it in every process: nothing new is started. Pausing again changes reason and end. */
  pause(name: string, options: { readonly reason: string; readonly untilMs?: number }): Promise<void>;
  /** Throws TIDINGS_NOT_PAUSABLE when it is not paused. */
  resume(name: string): Promise<void>;
  /**
   * Begins a new run at another place, whether an application runs or not. Refuses with TIDINGS_HELD_KEYS_OPEN over held keys
   * before anything is moved. Events behind the new place are handled again, effects outside included.
   */
  seek(name: string, to: Place, options?: SeekOptions): Promise<readonly SeekMove[]>;
}

export function subscriptionsAdmin(context: AdminContext): SubscriptionsAdmin {
  const { engine, platform, by } = context;
  return {
    list: () => reportSubscriptions(context),
    async show(asked) {
      const [name] = await findSubscription(context, asked);
      const [report] = await reportSubscriptions(context, [name]);
      return report as SubscriptionReport;
    },
    async pause(asked, { reason, untilMs }) {
      const [name] = await findSubscription(context, asked);
      const paused = { reason, sinceMs: platform.clock.now(), by, ...(untilMs === undefined ? {} : { untilMs }) };
      await writeControl(context, name, { paused });
    },
    async resume(asked) {
      const [name] = await findSubscription(context, asked);
      const [stored] = await storeOf(engine).state.get(collections.controls, [name]);
      const paused = stored && (JSON.parse(stored.value) as ControlDocument).paused;
      if (!paused || (paused.untilMs !== undefined && paused.untilMs <= platform.clock.now())) {
        throw new TidingsError("TIDINGS_NOT_PAUSABLE", `The subscription "${name}" is not paused.`, {
          details: { subscription: name },
        });
      }
      await writeControl(context, name, { resumed: { by, atMs: platform.clock.now() } });
    },
    seek: (name, to, options = {}) => seek(context, name, to, options),
  };
}

async function writeControl(context: AdminContext, name: string, control: ControlDocument): Promise<void> {
  const { engine, platform, source } = context;
  const documents = [{ collection: collections.controls, key: name, value: JSON.stringify(control) }];
  const told = (await lifecycleFeed(engine, platform, source)).of(documents);
  await storeOf(engine).transact({ documents, ...(told ? { publish: told } : {}) });
}

async function seek(
  context: AdminContext,
  asked: string,
  place: Place,
  options: SeekOptions,
): Promise<readonly SeekMove[]> {
  const [name, { topic }] = await findSubscription(context, asked);
  const { retireHeld = false } = options;
  const moves = await plan(context, name, topic, place);
  const held = moves.filter(({ heldKeys }) => heldKeys > 0);
  if (held.length > 0 && !retireHeld) {
    const count = held.reduce((sum, { heldKeys }) => sum + heldKeys, 0);
    throw new TidingsError(
      "TIDINGS_HELD_KEYS_OPEN",
      `The subscription "${name}" has ${count} held keys: redrive or discard them first, or set them aside as superseded with --retire-held.`,
      { details: { subscription: name, heldKeys: count } },
    );
  }
  if (options.dryRun) return moves;
  const answers = await askOwners(
    context,
    moves.map(({ partition, to }) => ({ kind: "seek", subscription: name, partition, position: to, retireHeld })),
    () => topic,
    options.signal,
  );
  return moves.map((move, i) => {
    const answer = answers[i];
    return { ...move, refusal: answer?.ok === false ? { code: answer.code, message: answer.message } : undefined };
  });
}

async function plan(context: AdminContext, name: string, topic: string, place: Place): Promise<readonly SeekMove[]> {
  const { engine } = context;
  const positions = await positionsOf(engine, topic, place);
  const moves = [];
  for (const [partition, to] of positions.entries()) {
    if (to === undefined) continue;
    const [stored] = await storeOf(engine).state.get(collections.positions, [positionKey(name, partition)]);
    // A partition the subscription does not know yet begins at 0 by itself.
    if (!stored) continue;
    const { low } = JSON.parse(stored.value) as PositionDocument;
    moves.push({
      partition,
      from: low,
      to,
      heldKeys: await countHeldKeys(context, name, partition),
      refusal: undefined,
    });
  }
  return moves;
}
