import { TidingsError } from "../errors/tidings-error.ts";
import { type Answer, collections, type DeadLetter, type Intent } from "../delivery/records.ts";
import { readDefinitions } from "../delivery/totals.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";

/** The open dead letters of all subscriptions, in the order in which they were parked. */
export async function readDeadLetters(engine: Engine): Promise<readonly DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for (const [name] of await readDefinitions(engine)) {
    const documents = (await engine.state?.scan(collections.deadLetters(name), { limit: 100_000 })) ?? [];
    letters.push(...documents.map(({ value }) => JSON.parse(value) as DeadLetter));
  }
  return letters.sort((a, b) => a.parkedAtMs - b.parkedAtMs || (a.id < b.id ? -1 : 1));
}

/** Asks the owners of the partitions to redrive; the returned function throws what they refused. */
export async function askRedrive(
  engine: Engine,
  platform: Platform,
  letters: readonly DeadLetter[],
): Promise<() => Promise<void>> {
  const intents = letters.map(({ id, subscription, partition }): Intent => ({
    id: platform.ids.next(),
    subscription,
    partition,
    by: "test",
    atMs: platform.clock.now(),
    kind: "redrive",
    deadLetter: id,
  }));
  await engine.transact?.({
    documents: intents.map((intent) => ({
      collection: collections.intents,
      key: `${intent.subscription}/${intent.id}`,
      value: JSON.stringify(intent),
    })),
  });
  return async () => {
    const answers =
      (await engine.state?.get(
        collections.answers,
        intents.map(({ id }) => id),
      )) ?? [];
    for (const [index, document] of answers.entries()) {
      const { subscription } = intents[index] as Intent;
      if (!document)
        throw new TidingsError(
          "TIDINGS_NOT_FOUND",
          `Nobody has taken up the redrive in "${subscription}": no service that runs handles it, or its store fails; see kit.health().`,
        );
      const answer = JSON.parse(document.value) as Answer;
      if (!answer.ok) throw new TidingsError("TIDINGS_DEAD_LETTER_STATE", answer.message);
    }
  };
}
