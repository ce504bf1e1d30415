import { idConflict } from "../sql/topics.ts";
import type { Item } from "./item.ts";
import type { Draft, OwnId } from "./wire.ts";

/** So many ids of callers are remembered. */
const rememberedMax = 20_000;

interface Stored {
  /** -1 when it was not looked for. */
  readonly position: number;
  readonly own: OwnId;
}

/**
 * What this process has published under ids of its callers: so a caller who was not told what became of a publish may repeat it. The
 * server knows nothing of ids, so another process does not know them either.
 */
export class OwnIds {
  readonly #known = new Map<string, Item | Stored>();

  /**
   * For each, what was published under its id and may be there: on its way, or stored. Throws TIDINGS_ID_CONFLICT when it was
   * another event.
   */
  find(drafts: readonly Draft[]): readonly (Item | Stored | undefined)[] {
    const together = new Map<string, OwnId>();
    return drafts.map((draft, index) => {
      const { own } = draft;
      if (!own) return undefined;
      const name = nameOf(draft, own);
      const found = this.#known.get(name);
      // What is known not to be there counts for nothing.
      const counts = found && !("owners" in found && !found.isFlying && found.over) ? found : undefined;
      const before = counts && ("own" in counts ? counts.own : counts.draft.own);
      if ((before ?? together.get(name) ?? own).checksum !== own.checksum) throw idConflict(own, index);
      together.set(name, own);
      return counts;
    });
  }

  /** The event of that id that is on its way, from earlier in the same publish. */
  waiting(draft: Draft): Item | undefined {
    const found = draft.own ? this.#known.get(nameOf(draft, draft.own)) : undefined;
    return found && "owners" in found && !found.over ? found : undefined;
  }

  /** An event is on its way. */
  begun(item: Item): void {
    const { own } = item.draft;
    if (own) this.#known.set(nameOf(item.draft, own), item);
  }

  /** It is there, at a position or (-1) at one that was not looked for; or it is not there and will not be. */
  settled(item: Item, position: number | undefined): void {
    const { own } = item.draft;
    if (!own) return;
    const name = nameOf(item.draft, own);
    const found = this.#known.get(name);
    // Another one took its place meanwhile.
    if (found !== item) return;
    this.#known.delete(name);
    if (position === undefined) return;
    this.#known.set(name, { position, own });
    if (this.#known.size <= rememberedMax) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}

const nameOf = ({ queue }: Draft, { source, id }: OwnId): string => `${queue}\n${source}\n${id}`;
