import type { Call } from "../broker/call.ts";
import type { Draft } from "./wire.ts";

/** One event on its way to a partition. */
export interface Item {
  readonly call: Call;
  readonly index: number;
  readonly draft: Draft;
}
