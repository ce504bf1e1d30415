// Who is measured against whom on PostgreSQL, and how the peers are set up.
import type { Facts } from "../lib/line.ts";
import type { Run } from "../lib/run.ts";
import type { PeerName } from "../peers/peer.ts";

export interface Contestant {
  readonly peer: PeerName;
  /** How its lines name it. */
  readonly name: string;
  readonly settings: Facts;
}

export const bare: Contestant = {
  peer: "bare-postgres",
  name: "bare",
  settings: {
    peerDurability: "fsync=on, synchronous_commit=on",
    peerValidation: "none",
    peerGuarantee: "position in the statement that appends",
    peerStatements: "group commit on one connection, a row per event, pages of 512",
  },
};

export const queues: readonly Contestant[] = [
  {
    peer: "pg-boss",
    name: "pg-boss",
    settings: {
      peerDurability: "fsync=on, synchronous_commit=on",
      peerValidation: "none",
      peerGuarantee: "at least once, no order",
      peerOptions: "batchSize 500, localConcurrency 2, burstWhenBatchFull, LISTEN/NOTIFY, poll every 0.5 s",
    },
  },
  {
    peer: "graphile-worker",
    name: "graphile-worker",
    settings: {
      peerDurability: "fsync=on, synchronous_commit=on",
      peerValidation: "none",
      peerGuarantee: "at least once, no order",
      peerOptions: "concurrency 24, localQueue.size 500, completeJobBatchDelay 0",
    },
  },
];

/** Those that were not left out. */
export const among = (run: Run, contestants: readonly Contestant[]): readonly Contestant[] =>
  contestants.filter(({ name }) => !run.options.without.includes(name));
