import { isTidingsError } from "../errors/tidings-error.ts";
import { answerOf, perform } from "../delivery/operations.ts";
import { createPartition, type Partition } from "../delivery/partition/partition.ts";
import { type Answer, collections, type Intent } from "../delivery/records.ts";
import { movePosition } from "../delivery/seek.ts";
import { stateHint } from "../membership/hint.ts";
import { ownerOf } from "../membership/names.ts";
import type { CancelTimer, Clock } from "../platform/clock.ts";
import type { Lease } from "../ports/leases.ts";
import { type AdminContext, type Store, storeOf } from "./context.ts";
import { idleRuntime } from "./idle-runtime.ts";

/** A process that dies meanwhile keeps others out for so long at most. */
const ttlMs = 30_000;

/** What is asked of one partition. */
export interface PartitionAsk {
  /** Name of the partition's lease. */
  readonly lease: string;
  readonly topic: string;
  /** All of one subscription and partition. */
  readonly intents: readonly Intent[];
}

/**
 * Does what is asked of a partition that no process owns: takes its lease, so that no application begins with it
 * meanwhile, opens it without running anything, and lets go. Claims stay as they are, so that what a dead process may
 * have left running is still suspect; positions move by a seek alone. By id the answers; none when another one was faster.
 */
export async function performUnowned(
  context: AdminContext,
  { lease: name, topic, intents }: PartitionAsk,
): Promise<ReadonlyMap<string, Answer>> {
  const store = storeOf(context.engine);
  const owner = ownerOf(context.memberId, context.platform.ids.next());
  const [lease] = await store.leases.acquire([{ name, owner, ttlMs }]);
  if (!lease) return new Map();
  const work: Work = { open: undefined };
  const stopRenewing = keep(store, lease, context.platform.clock, work);
  try {
    return await performAll(context, store, lease, topic, intents, work);
  } finally {
    stopRenewing();
    await store.leases.release([lease]);
    // Applications that have started meanwhile need not wait for their next look.
    await stateHint(context.engine, (intents[0] as Intent).subscription)
      ?.touch()
      .catch(() => undefined);
  }
}

/** What is under way. */
interface Work {
  /** The partition, once it is known where it stands. */
  open: Partition | undefined;
}

/**
 * Renews a lease until the returned function is called, so that no application begins with the partition while something long
 * is done, as setting a great many held keys aside. Where it is lost all the same, the fences of what is done refuse it. While nothing can be committed others may try.
 */
function keep({ leases }: Store, lease: Lease, clock: Clock, work: Work): () => void {
  let cancel: CancelTimer | undefined;
  let isOver = false;
  const later = (): void => {
    if (isOver) return;
    // What cannot be renewed now may be the next time, before it ends.
    cancel = clock.after(ttlMs / 4, () => void renew().then(later, later), true);
  };
  const renew = async (): Promise<void> => {
    if (work.open?.status().trouble === undefined) await leases.renew([lease], ttlMs);
  };
  later();
  return () => {
    isOver = true;
    cancel?.();
  };
}

async function performAll(
  context: AdminContext,
  store: Store,
  lease: Lease,
  topic: string,
  intents: readonly Intent[],
  work: Work,
): Promise<ReadonlyMap<string, Answer>> {
  const answers = new Map<string, Answer>();
  for (const intent of intents) {
    const { subscription, partition } = intent;
    const runtime = await idleRuntime(context, subscription, topic);
    const opened = work.open ?? createPartition(runtime, partition, lease, () => undefined);
    let answer: Answer;
    try {
      if (!work.open) await opened.startForMaintenance();
      work.open = opened;
      if (intent.kind === "seek") {
        await movePosition(runtime, opened, lease, intent);
        await runtime.view.last(runtime, { partition, position: intent.position, lease });
      }
      answer = intent.kind === "seek" ? { ok: true } : await perform(intent, await opened.parts(), runtime);
    } catch (error) {
      if (!isTidingsError(error)) throw error;
      answer = answerOf(error);
    }
    // A seek leaves nothing of what was read before it.
    if (intent.kind === "seek") {
      await opened.stop(false);
      work.open = undefined;
    }
    // Fenced, so that an answer is true: what was not committed was not done.
    const outcome = await store.transact({
      fences: [{ lease: lease.name, token: lease.token }],
      documents: [{ collection: collections.intents, key: `${subscription}/${intent.id}`, value: null }],
    });
    if (!outcome.committed) break;
    answers.set(intent.id, answer);
  }
  await work.open?.stop(false);
  return answers;
}
