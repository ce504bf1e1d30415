import type { Call } from "../broker/call.ts";
import type { Draft } from "./wire.ts";

/** Who waits for an event: a publish, and which of its events it is. */
export class Owner {
  readonly call: Call;
  readonly index: number;

  constructor(call: Call, index: number) {
    this.call = call;
    this.index = index;
  }
}

/** One event on its way to a partition. */
export class Item {
  readonly draft: Draft;
  /** Its place among the events that were sent to its partition; its message says it, see `Known.markOf`. */
  number = 0;
  /** Whether somebody waits for its position, so that it has to be read back. */
  readonly placed: boolean;
  /** More than one when it was published again under its id before it was known to be there. */
  readonly owners: Owner[];
  /** Whether it may be there, and is not known to. */
  isFlying = false;
  /** An offset that the stream had before it was sent: it can only stand behind that. Undefined when none was known. */
  floor: number | undefined;

  constructor(draft: Draft, placed: boolean, owner: Owner) {
    this.draft = draft;
    this.placed = placed;
    this.owners = [owner];
  }

  /** Whether nobody waits for it any more. */
  get over(): boolean {
    return this.owners.every(({ call }) => call.over);
  }

  /** It is there; -1 when its position is not known. */
  stored(position: number): void {
    let isRepeat = false;
    for (const { call, index } of this.owners) {
      call.stored(index, position, isRepeat);
      isRepeat = true;
    }
  }

  failed(error: Error): void {
    for (const { call } of this.owners) call.failed(error);
  }

  dropped(): void {
    for (const { call } of this.owners) call.dropped();
  }
}
