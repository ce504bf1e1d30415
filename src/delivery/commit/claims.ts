import { type Clock, sleep } from "../../platform/clock.ts";
import type { Engine } from "../../ports/engine.ts";
import type { DocumentWrite, Fence } from "../../ports/transaction.ts";
import { type ClaimDocument, collections } from "../records.ts";

/** What a claim of one partition works with. */
export interface ClaimOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly key: string;
  readonly fence: Fence;
  /** Most positions that may be claimed ahead of the low position. */
  readonly aheadMax: number;
  readonly low: () => number;
  /** A claim that was asked for is written: go on dispatching. */
  readonly onCovered: () => void;
}

/**
 * Says in the store which positions may be running, before they run, so that a process that comes after a
 * crash knows whom to suspect. Claims need only survive the process: they go along with commits, and where
 * there is none in time they are written without a sync. They reach ahead of what has been published, so that an
 * event that arrives at an idle subscription waits for no write.
 */
export interface Claims {
  /** Whether `position` is claimed; if not, the claim is extended and `onCovered` called. */
  covers(position: number): boolean;
  /** The extension that should go along with a commit, if one is due. */
  due(): DocumentWrite | undefined;
  /** The last write that `due` gave is committed. */
  written(): void;
  /** Writes how often a delivery has failed, before it runs again. */
  noteFailures(position: number, failures: number): Promise<void>;
  /** Forgets the failures of a delivery that has ended. */
  forgetFailures(position: number): void;
  /** Claims one position for a run alone, with its stalls so far. */
  solo(position: number, stalls: number): Promise<void>;
  /** Nothing runs any more. */
  clear(): Promise<void>;
}

const aheadMin = 256;
const againMs = 50;

export function createClaims(options: ClaimOptions): Claims {
  const { engine, fence, key } = options;
  let to = -1;
  let dueTo = -1;
  let ahead = aheadMin;
  let writing = false;
  const failures = new Map<number, number>();

  const writeOf = (document: ClaimDocument): DocumentWrite => ({
    collection: collections.claims,
    key,
    value: JSON.stringify(document),
  });
  const current = (claimTo: number): ClaimDocument => ({
    to: claimTo,
    ...(failures.size > 0 ? { failures: Object.fromEntries(failures) } : {}),
  });

  async function write(documents: readonly DocumentWrite[]): Promise<void> {
    await engine.transact?.({ fences: [fence], documents, durable: false });
  }

  /** Never rejects. */
  async function extend(position: number): Promise<void> {
    if (writing) return;
    writing = true;
    ahead = Math.min(options.aheadMax, Math.max(aheadMin, ahead * 2));
    const target = Math.max(position + 1, options.low() + ahead);
    try {
      await write([writeOf(current(target))]);
      to = Math.max(to, target);
    } catch {
      // The partition is lost or the storage in trouble: commits will tell. Ask again in a while.
      await sleep(options.clock, againMs);
    }
    writing = false;
    options.onCovered();
  }

  return {
    covers(position) {
      if (position < to) return true;
      void extend(position);
      return false;
    },
    due() {
      const low = options.low();
      if (to - low >= ahead / 2) return undefined;
      dueTo = low + ahead;
      return writeOf(current(dueTo));
    },
    written() {
      to = Math.max(to, dueTo);
    },
    async noteFailures(position, count) {
      failures.set(position, count);
      await write([writeOf(current(Math.max(to, position + 1)))]).catch(() => undefined);
    },
    forgetFailures(position) {
      if (failures.size > 0) failures.delete(position);
    },
    solo: (position, stalls) => write([writeOf({ to: position + 1, solo: { position, stalls } })]),
    clear: () => write([{ collection: collections.claims, key, value: null }]),
  };
}
