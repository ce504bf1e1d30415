import type { Engine } from "../ports/engine.ts";

/** How members of a group hear of each other sooner than by a heartbeat. May fail or stay silent: heartbeats find out by themselves. */
export interface MembershipHint {
  /** Calls the listener soon after a member joined, left or released partitions. */
  watch(listener: () => void): () => void;
  /** Tells the others that this member did. */
  touch(): Promise<void>;
}

/** Where members leave their hints. */
const collection = "$membership";

/** Hints by a document per group, for engines that have state; undefined for others. */
export function stateHint(engine: Engine, group: string): MembershipHint | undefined {
  const { state } = engine;
  const transact = engine.transact?.bind(engine);
  if (!state || !transact) return undefined;
  return {
    watch: (listener) => state.watch(collection, listener),
    async touch() {
      await transact({ documents: [{ collection, key: group, value: "" }], durable: false });
    },
  };
}
