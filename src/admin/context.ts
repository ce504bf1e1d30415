import { TidingsError } from "../errors/tidings-error.ts";
import type { Contract } from "../event/contract.ts";
import type { EventLimits } from "../event/limits.ts";
import type { Logger } from "../delivery/log.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import type { Leases } from "../ports/leases.ts";
import type { State } from "../ports/state.ts";

/** What every operation works with. */
export interface AdminContext {
  readonly engine: Engine;
  readonly platform: Platform;
  /** Who asks: stands in the story of what was paused, redriven or discarded. */
  readonly by: string;
  /** Name under which partitions are taken that nobody owns; never a member's. */
  readonly memberId: string;
  /** CloudEvents source of events that are published without one. */
  readonly source: string;
  readonly limits: EventLimits;
  readonly log: Logger;
  /** How long to wait for the owner of a partition, in milliseconds. */
  readonly timeoutMs: number;
  /** Frees leases of processes that are known to be dead, so that nobody waits for them to expire. */
  readonly freeDead: () => Promise<unknown>;
  /** The contract by which a service handles a type, where the application is at hand. */
  readonly contractOf?: ContractOf;
}

/** Finds the contract by which a service handles a type. */
export type ContractOf = (service: string, type: string) => Contract | undefined;

/** The ports of an engine that can be a store. */
export interface Store {
  readonly state: State;
  readonly leases: Leases;
  readonly transact: NonNullable<Engine["transact"]>;
}

/** The store of an engine. Throws TIDINGS_UNSUPPORTED when it is none. */
export function storeOf(engine: Engine): Store {
  const { state, leases } = engine;
  const transact = engine.transact?.bind(engine);
  if (state && leases && transact) return { state, leases, transact };
  throw new TidingsError(
    "TIDINGS_UNSUPPORTED",
    `The engine "${engine.name}" keeps no subscriptions; memory, sqlite and postgres do.`,
  );
}

/** The documents of a collection in key order, a page at a time. */
export async function* scanAll<Value>(
  state: State,
  collection: string,
  scan: { readonly prefix?: string; readonly after?: string } = {},
): AsyncGenerator<readonly [key: string, value: Value]> {
  let { after } = scan;
  for (;;) {
    const page = await state.scan(collection, {
      limit: pageMax,
      ...(scan.prefix === undefined ? {} : { prefix: scan.prefix }),
      ...(after === undefined ? {} : { after }),
    });
    for (const { key, value } of page) yield [key, JSON.parse(value) as Value];
    if (page.length < pageMax) return;
    after = page[page.length - 1]?.key;
  }
}

const pageMax = 500;
