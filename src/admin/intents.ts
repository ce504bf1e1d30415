import { TidingsError } from "../errors/tidings-error.ts";
import { type Answer, collections, type Intent } from "../delivery/records.ts";
import { partitionLeaseName, partitionPrefix } from "../membership/names.ts";
import type { Clock } from "../platform/clock.ts";
import { type AdminContext, type Store, storeOf } from "./context.ts";
import { performUnowned } from "./maintenance-owner.ts";

/** Distributes over the kinds of intents, which plain `Omit` does not. */
type Without<Kind, Names extends PropertyKey> = Kind extends unknown ? Omit<Kind, Names> : never;

/** What an operator asks for, before it has an id. */
export type Ask = Without<Intent, "id" | "by" | "atMs">;

/** How often to look for answers and for partitions that nobody owns, in milliseconds. */
const lookEveryMs = 100;

/**
 * Asks the owners of partitions to do something and waits for their answers, in the order of the questions. Partitions
 * that no process owns are taken for as long as it needs. What is not answered in time is withdrawn and answered with
 * TIDINGS_NO_ANSWER.
 */
export async function askOwners(
  context: AdminContext,
  asks: readonly Ask[],
  topicOf: (subscription: string) => string,
  signal?: AbortSignal,
): Promise<readonly Answer[]> {
  if (asks.length === 0) return [];
  const store = storeOf(context.engine);
  const { clock, ids } = context.platform;
  const intents = asks.map((ask): Intent => ({ ...ask, id: ids.next(), by: context.by, atMs: clock.now() }));
  const open = new Map(intents.map((intent) => [intent.id, intent]));
  const answers = new Map<string, Answer>();
  const change = changes(store, clock);
  await store.transact({
    documents: intents.map((intent) => ({
      collection: collections.intents,
      key: intentKey(intent),
      value: JSON.stringify(intent),
    })),
  });
  try {
    const until = clock.monotonic() + context.timeoutMs;
    for (let freed = false; open.size > 0;) {
      await collect(store, open, answers);
      await performForNobody(context, store, open, answers, topicOf);
      if (open.size === 0 || signal?.aborted || clock.monotonic() >= until) break;
      // A lease may be left of a process that was killed: it need not expire first.
      if (!freed) await context.freeDead();
      freed = true;
      await change.next();
    }
    if (open.size > 0) await withdraw(store, open, answers, context.timeoutMs);
  } catch (error) {
    // Whoever is told of an error must not find it done later on; where nothing can be written, it may be.
    await withdraw(store, open, answers, context.timeoutMs).catch(() => undefined);
    throw error;
  } finally {
    change.close();
    await forget(store, intents);
  }
  signal?.throwIfAborted();
  return intents.map(({ id }) => answers.get(id) as Answer);
}

/** Turns an answer that is a refusal into the error it stands for. */
export function throwRefusal(answer: Answer): void {
  if (!answer.ok) throw new TidingsError(answer.code as TidingsError["code"], answer.message);
}

const intentKey = ({ subscription, id }: Intent): string => `${subscription}/${id}`;

/** Waits for a hint that an answer has come, or a little while. */
function changes(store: Store, clock: Clock): { next(): Promise<void>; close(): void } {
  let hinted = false;
  let wake: (() => void) | undefined;
  const unwatch = store.state.watch(collections.answers, () => {
    hinted = true;
    wake?.();
  });
  return {
    next: () =>
      new Promise((resolve) => {
        const done = (): void => {
          cancel();
          wake = undefined;
          hinted = false;
          resolve();
        };
        const cancel = clock.after(lookEveryMs, done);
        wake = done;
        if (hinted) done();
      }),
    close: unwatch,
  };
}

async function collect(store: Store, open: Map<string, Intent>, answers: Map<string, Answer>): Promise<void> {
  const asked = [...open.keys()];
  const found = await store.state.get(collections.answers, asked);
  asked.forEach((id, i) => {
    const document = found[i];
    if (!document) return;
    answers.set(id, JSON.parse(document.value) as Answer);
    open.delete(id);
  });
}

/** Does by ourselves what is asked of partitions that no process owns. */
async function performForNobody(
  context: AdminContext,
  store: Store,
  open: Map<string, Intent>,
  answers: Map<string, Answer>,
  topicOf: (subscription: string) => string,
): Promise<void> {
  const byPartition = new Map<string, Intent[]>();
  for (const intent of open.values()) {
    const { subscription, partition } = intent;
    const lease = partitionLeaseName(subscription, { topic: topicOf(subscription), partition });
    byPartition.set(lease, [...(byPartition.get(lease) ?? []), intent]);
  }
  const held = new Set<string>();
  for (const subscription of new Set([...open.values()].map((intent) => intent.subscription)))
    for (const { name } of await store.leases.list(partitionPrefix(subscription))) held.add(name);
  for (const [lease, intents] of byPartition) {
    if (held.has(lease)) continue;
    const [first] = intents as [Intent];
    const done = await performUnowned(context, { lease, topic: topicOf(first.subscription), intents });
    for (const [id, answer] of done) {
      answers.set(id, answer);
      open.delete(id);
    }
  }
}

async function withdraw(
  store: Store,
  open: Map<string, Intent>,
  answers: Map<string, Answer>,
  timeoutMs: number,
): Promise<void> {
  await store.transact({
    documents: [...open.values()].map((intent) => ({
      collection: collections.intents,
      key: intentKey(intent),
      value: null,
    })),
  });
  await collect(store, open, answers);
  for (const { id, subscription, partition } of open.values()) {
    answers.set(id, {
      ok: false,
      code: "TIDINGS_NO_ANSWER",
      message: `The owner of partition ${partition} of "${subscription}" did not answer within ${timeoutMs} ms; the request is withdrawn. Look what became of it before you ask again.`,
    });
  }
}

/** Answers are for us alone; nobody else reads them. */
async function forget(store: Store, intents: readonly Intent[]): Promise<void> {
  await store
    .transact({
      documents: intents.map(({ id }) => ({ collection: collections.answers, key: id, value: null })),
      durable: false,
    })
    .catch(() => undefined);
}
