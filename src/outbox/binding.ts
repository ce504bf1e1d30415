import { TidingsError } from "../errors/tidings-error.ts";
import type { Platform } from "../platform/platform.ts";
import type { TopicEntry } from "../ports/topics.ts";
import type { ComposedEngine } from "./composed.ts";
import { identify, rename } from "./identity.ts";
import { storesTopic } from "./row.ts";

const type = "tidings.store.bound";

/** Says which store holds the place of a subscription. */
interface Binding {
  readonly subscription: string;
  /** Id of the store. */
  readonly store: string;
  /** Where it is, without secrets: for whoever reads of a mismatch. */
  readonly address: string;
  /** True when an operator has put this store in the place of another one. */
  readonly instead?: boolean;
}

/**
 * Sees to it that all members of a subscription share one store: two stores would handle every event twice, each with a place of
 * its own. The first store that a subscription is started on is written into a topic of the broker, the first one stands, and
 * members with another store do not start. Throws TIDINGS_STORE_MISMATCH.
 */
export async function bindStore(
  engine: ComposedEngine,
  platform: Platform,
  subscriptions: readonly string[],
): Promise<void> {
  if (subscriptions.length === 0) return;
  await engine.broker.topics.declare([{ name: storesTopic, partitions: 1 }]);
  const { id } = await identify(engine.store, platform.ids);
  const known = await readBindings(engine);
  check(engine, id, subscriptions, known);
  const missing = subscriptions.filter((subscription) => !known.has(subscription));
  if (missing.length === 0) return;
  await publish(engine, platform, id, missing, {});
  // Somebody else may have come first meanwhile.
  check(engine, id, subscriptions, await readBindings(engine));
}

/**
 * Puts the store of this engine in the place of all others on its broker. `restored`: the store was set back to an earlier state, and
 * its relays count from an earlier number on; it gets a new name, so that nobody takes what they send for repeats. Resolves
 * with the subscriptions that had another one.
 */
export async function adoptStore(
  engine: ComposedEngine,
  platform: Platform,
  { restored = false }: { readonly restored?: boolean } = {},
): Promise<readonly string[]> {
  const { id } = await (restored ? rename : identify)(engine.store, platform.ids);
  if (!(await engine.broker.topics.find(storesTopic))) return [];
  const others = [...(await readBindings(engine))].flatMap(([name, { store }]) => (store === id ? [] : [name]));
  if (others.length > 0) await publish(engine, platform, id, others, { instead: true });
  return others;
}

/** By subscription: which store holds its place. */
async function readBindings({ broker }: ComposedEngine): Promise<ReadonlyMap<string, Binding>> {
  const bindings = new Map<string, Binding>();
  const [bounds] = await broker.topics.bounds(storesTopic);
  const { first, next } = bounds ?? { first: 0, next: 0 };
  for (let position = first; position < next;) {
    const page = await broker.topics.read(storesTopic, 0, position, { events: 1000, bytes: 1024 * 1024 });
    for (const { data, type: found } of page.records) {
      if (found !== type || typeof data !== "string") continue;
      const binding = JSON.parse(data) as Binding;
      if (binding.instead || !bindings.has(binding.subscription)) bindings.set(binding.subscription, binding);
    }
    if (page.next <= position) break;
    position = page.next;
  }
  return bindings;
}

function check(
  { broker, store }: ComposedEngine,
  id: string,
  subscriptions: readonly string[],
  known: ReadonlyMap<string, Binding>,
): void {
  for (const subscription of subscriptions) {
    const binding = known.get(subscription);
    if (binding === undefined || binding.store === id) continue;
    throw new TidingsError(
      "TIDINGS_STORE_MISMATCH",
      `The place of "${subscription}" on this ${broker.name} stands in another store, at ${binding.address}: on the one at ${store.address} its events would be handled once more. Use that store; or, when it is gone for good, put this one in its place with \`tidings engine adopt\`.`,
      { details: { subscription, expected: binding.store, found: id } },
    );
  }
}

async function publish(
  { broker, store }: ComposedEngine,
  platform: Platform,
  id: string,
  subscriptions: readonly string[],
  more: Pick<Binding, "instead">,
): Promise<void> {
  const entries = subscriptions.map((subscription): TopicEntry => {
    const binding: Binding = { subscription, store: id, address: store.address, ...more };
    const record = {
      id: platform.ids.next(),
      source: "/tidings/stores",
      type,
      timeMs: platform.clock.now(),
      key: subscription,
      attributes: undefined,
      data: JSON.stringify(binding),
    };
    return { topic: storesTopic, partition: 0, record };
  });
  await broker.topics.publish(entries);
}
