import type { Call } from "../broker/call.ts";
import type { Draft } from "./wire.ts";

/** Who waits for an event: a publish, and which of its events it is. */
export interface Owner {
  readonly call: Call;
  readonly index: number;
}

/** One event on its way to a partition. */
export class Item {
  readonly draft: Draft;
  /** What it is known by when it is read back. */
  readonly token: string;
  /** More than one when it was published again under its id before it was known to be there. */
  readonly owners: Owner[];
  /** Whether it may be there, and is not known to. */
  isFlying = false;

  constructor(draft: Draft, token: string, owner: Owner) {
    this.draft = draft;
    this.token = token;
    this.owners = [owner];
  }

  /** Whether nobody waits for it any more. */
  get over(): boolean {
    return this.owners.every(({ call }) => call.over);
  }

  stored(position: number): void {
    for (const [n, { call, index }] of this.owners.entries()) call.stored(index, position, n > 0);
  }

  failed(error: Error): void {
    for (const { call } of this.owners) call.failed(error);
  }

  dropped(): void {
    for (const { call } of this.owners) call.dropped();
  }
}
