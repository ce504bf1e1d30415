import type { Call } from "../broker/call.ts";
import type { Lane } from "./lane.ts";
import type { Draft } from "./wire.ts";

/** How far one event of a publish is. */
export type ItemState =
  | "waiting" // in the queue of its lane
  | "flying" // sent, without an answer yet
  | "lost" // sent on a connection that is gone, or without an answer for too long
  | "stored"
  | "refused";

/** One event on its way to a partition. */
export class Item {
  readonly call: Call;
  readonly index: number;
  readonly draft: Draft;
  readonly lane: Lane;
  /** What the server tells duplicates by. */
  readonly messageId: string;
  /** What tells our own message from another one with this id; only where the caller chose the id. */
  readonly by: string | undefined;
  state: ItemState = "waiting";
  /** When it was first sent, by the monotonic clock. From then on it may be there. */
  sentAtMs: number | undefined = undefined;
  /** Which sending of it is looked for. */
  token = 0;
  sequence = 0;
  duplicate = false;
  problem: Error | undefined = undefined;

  constructor(call: Call, index: number, draft: Draft, lane: Lane, messageId: string, by: string | undefined) {
    this.call = call;
    this.index = index;
    this.draft = draft;
    this.lane = lane;
    this.messageId = messageId;
    this.by = by;
  }
}
