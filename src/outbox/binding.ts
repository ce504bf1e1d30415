import { TidingsError } from "../errors/tidings-error.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import { bindBroker, rebindBroker } from "./broker-binding.ts";
import { readNotes, writeNotes } from "./broker-notes.ts";
import { isComposed } from "./composed.ts";
import { identify, rename } from "./identity.ts";

const type = "tidings.store.bound";
/** Stands for the store that a broker is itself. */
const itself = "itself";

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

/** A store, as bindings name it. */
type StorePlace = Pick<Binding, "store" | "address">;

/**
 * Sees to it that all members of a subscription share one store: two stores would handle every event twice, each with a place of
 * its own. The first store that a subscription is started on is written into a topic of the broker, the first one stands, and
 * members with another store do not start, nor do those with none. Throws TIDINGS_STORE_MISMATCH.
 */
export async function bindStore(engine: Engine, platform: Platform, subscriptions: readonly string[]): Promise<void> {
  if (isComposed(engine)) await bindBroker(engine, platform);
  if (subscriptions.length === 0) return;
  // Who has no store apart leaves no note, and is asked only whether somebody else has one.
  if (!isComposed(engine)) return check(engine, placeOf(engine, itself), subscriptions, await readBindings(engine));
  const { broker, store } = engine;
  const place = placeOf(store, (await identify(store, platform.ids)).id);
  const known = await readBindings(broker);
  check(broker, place, subscriptions, known);
  const missing = subscriptions.filter((subscription) => !known.has(subscription));
  if (missing.length === 0) return;
  await writeBindings(broker, platform, place, missing, {});
  // Somebody else may have come first meanwhile.
  check(broker, place, subscriptions, await readBindings(broker));
}

/**
 * Puts the store of this engine in the place of all others on its broker; an engine that is both is its own. `restored`: the store
 * was set back to an earlier state, and its relays count from an earlier number on; it gets a new name, so that nobody takes
 * what they send for repeats. Resolves with the subscriptions that had another one.
 */
export async function adoptStore(
  engine: Engine,
  platform: Platform,
  { restored = false }: { readonly restored?: boolean } = {},
): Promise<readonly string[]> {
  if (!isComposed(engine)) return adopt(engine, platform, placeOf(engine, itself));
  const { broker, store } = engine;
  const { id } = await (restored ? rename : identify)(store, platform.ids);
  await rebindBroker(engine, platform);
  return adopt(broker, platform, placeOf(store, id));
}

async function adopt(broker: Engine, platform: Platform, place: StorePlace): Promise<readonly string[]> {
  const bindings = [...(await readBindings(broker))];
  const others = bindings.flatMap(([name, { store }]) => (store === place.store ? [] : [name]));
  if (others.length > 0) await writeBindings(broker, platform, place, others, { instead: true });
  return others;
}

const placeOf = ({ address }: Engine, store: string): StorePlace => ({ store, address });

/** By subscription: which store holds its place. */
async function readBindings(broker: Engine): Promise<ReadonlyMap<string, Binding>> {
  const bindings = new Map<string, Binding>();
  for (const binding of await readNotes<Binding>(broker, type))
    if (binding.instead || !bindings.has(binding.subscription)) bindings.set(binding.subscription, binding);
  return bindings;
}

function check(
  broker: Engine,
  { store, address }: StorePlace,
  subscriptions: readonly string[],
  known: ReadonlyMap<string, Binding>,
): void {
  for (const subscription of subscriptions) {
    const binding = known.get(subscription);
    if (binding === undefined || binding.store === store) continue;
    throw new TidingsError(
      "TIDINGS_STORE_MISMATCH",
      `The place of "${subscription}" on this ${broker.name} stands in another store, at ${binding.address}: on the one at ${address} its events would be handled once more. Use that store, by the option store or TIDINGS_STORE; or, when it is gone for good, put this one in its place with \`tidings engine adopt\`.`,
      { details: { subscription, expected: binding.store, found: store } },
    );
  }
}

async function writeBindings(
  broker: Engine,
  platform: Platform,
  place: StorePlace,
  subscriptions: readonly string[],
  more: Pick<Binding, "instead">,
): Promise<void> {
  const notes = subscriptions.map(
    (subscription) => [subscription, { subscription, ...place, ...more } satisfies Binding] as const,
  );
  await writeNotes(broker, platform, type, notes);
}
