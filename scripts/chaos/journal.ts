// What a run without a store has beside others: a look at the journal of the broker, in which members hold their state.
import type { App } from "tidings";

import { engineOfUrl } from "../../src/app/engines.ts";
import { journalTopic } from "../../src/journal/command.ts";
import { Journal, type JournalOptions } from "../../src/journal/journal.ts";
import { journaledEngine } from "../../src/journal/journaled.ts";
import { openChaos } from "./app.ts";
import { placesOf } from "./places.ts";

/** What became of the journal. */
export interface JournalEnd {
  /** How many entries were written to it, and how many of them are removed. */
  readonly entries: number;
  readonly removed: number;
}

/** An application that looks at the journal as members do, and never writes to it. */
export class JournalView {
  readonly app: App;
  #options: JournalOptions | undefined;
  /** Reads along from the beginning to the end. */
  #kept: Journal | undefined;

  constructor(url: string) {
    this.app = openChaos(
      { url },
      {
        open: async (context) => {
          const broker = await (await engineOfUrl(url)).open(context);
          this.#options = { broker, platform: context.platform };
          this.#kept = new Journal(this.#options);
          // Nobody waits for it; from its first look on it follows by itself.
          this.#kept.watch("nothing", () => undefined);
          return journaledEngine(broker, context.platform);
        },
      },
    );
  }

  /**
   * To be asked when nobody writes any more. Who has read along, who begins now and each member must know the same; `problems` has
   * who does not.
   */
  async end(places: ReadonlyMap<string, string>): Promise<JournalEnd & { readonly problems: readonly string[] }> {
    const { app } = this;
    const options = this.#options as JournalOptions;
    const kept = this.#kept as Journal;
    const fresh = new Journal(options);
    await kept.fresh();
    await fresh.fresh();
    const problems: string[] = [];
    if (kept.replica.dump() !== fresh.replica.dump())
      problems.push(
        `Who begins to read the journal now knows other things than who has read it all: ${differenceOf(kept.replica.dump(), fresh.replica.dump())}.`,
      );
    await Promise.all([kept.close(), fresh.close()]);
    const known = await placesOf(app.engine);
    for (const [member, said] of places)
      if (said !== known) problems.push(`${member} knows other places than the journal: ${differenceOf(said, known)}.`);
    const [bounds] = await app.engine.topics.bounds(journalTopic);
    return { entries: bounds?.next ?? 0, removed: bounds?.first ?? 0, problems };
  }
}

/** Where two texts begin to differ. */
function differenceOf(one: string, other: string): string {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  const from = Math.max(0, at - 60);
  return `${one.slice(from, at + 60)} instead of ${other.slice(from, at + 60)}`;
}
