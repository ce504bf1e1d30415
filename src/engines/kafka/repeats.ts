import type { Clock } from "../../platform/clock.ts";
import { idConflict } from "../sql/topics.ts";
import type { Item } from "./item.ts";

interface Open {
  readonly item: Item;
  /** Publishes of the same event that wait for what becomes of this one. */
  readonly followers: Item[];
}

interface Landed {
  readonly position: number;
  readonly hash: string | undefined;
  readonly atMs: number;
}

/**
 * Ids that callers chose, of one partition and as far as this process has to do with them: those that are on their way, and for
 * a while those that came to be written after their caller was told that nobody knows. A caller who then repeats what it
 * published is answered with the first one.
 */
export class Repeats {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #open = new Map<string, Open>();
  readonly #landed = new Map<string, Landed>();

  constructor(clock: Clock, windowMs: number) {
    this.#clock = clock;
    this.#windowMs = windowMs;
  }

  /** Whether the event is taken care of: nothing is to be sent for it, for now. */
  takes(item: Item): boolean {
    const { mark, hash } = item.draft;
    if (mark === undefined) return false;
    const landed = this.#landed.get(mark);
    const open = this.#open.get(mark);
    if (open) {
      // It may be there already.
      item.call.sent ||= open.item.call.sent;
      open.followers.push(item);
      return true;
    }
    if (landed && this.#clock.monotonic() - landed.atMs < this.#windowMs) {
      answer(item, landed.position, hash === landed.hash);
      return true;
    }
    this.#open.set(mark, { item, followers: [] });
    return false;
  }

  /** The event is there. */
  landed({ draft: { mark, hash }, call }: Item, position: number, wasAnswered: boolean): void {
    const open = mark === undefined ? undefined : this.#open.get(mark);
    if (!open || open.item.call !== call || mark === undefined) return;
    this.#open.delete(mark);
    for (const follower of open.followers) answer(follower, position, follower.draft.hash === hash);
    if (!wasAnswered) return;
    const nowMs = this.#clock.monotonic();
    this.#landed.delete(mark);
    this.#landed.set(mark, { position, hash, atMs: nowMs });
    for (const [old, { atMs }] of this.#landed) {
      if (nowMs - atMs < this.#windowMs) break;
      this.#landed.delete(old);
    }
  }

  /** The event will not be sent any more: those that waited for it are on their own. */
  ended({ draft: { mark }, call }: Item): readonly Item[] {
    const open = mark === undefined ? undefined : this.#open.get(mark);
    if (!open || open.item.call !== call || mark === undefined) return [];
    this.#open.delete(mark);
    return open.followers;
  }
}

function answer({ call, index, draft }: Item, position: number, isSame: boolean): void {
  if (isSame) call.stored(index, position, true);
  else call.failed(idConflict(draft, index));
}
