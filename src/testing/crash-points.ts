import type { Contract } from "../event/contract.ts";
import { collections, type HeldEventDocument, positionKey, type PositionDocument } from "../delivery/records.ts";
import type { Service } from "../delivery/service.ts";
import type { Transaction } from "../ports/transaction.ts";
import type { HandlerRun } from "./handlers.ts";

/**
 * Where the process dies: when a handler is about to run; when it has ended and its unit of work is about to be committed;
 * when that is committed and the process has not learnt of it.
 */
export type CrashPoint = "before-handler" | "before-commit" | "after-commit";

/** Options of `kit.crash`. */
export interface CrashOptions {
  /** Not now, but the next time a handler gets there. */
  readonly at?: CrashPoint;
  /** With `at`: only a handler of this service. */
  readonly service?: string;
  /** With `at`: only a handler of this event. */
  readonly event?: Contract;
  /** With `at`: so many times; 1. */
  readonly times?: number;
  /** What runs afterwards; the same services unless given. */
  readonly services?: readonly Service[];
}

/** A crash that waits for its point. */
export interface ArmedCrash {
  readonly at: CrashPoint;
  readonly service: string | undefined;
  readonly type: string | undefined;
  times: number;
  readonly services: readonly Service[] | undefined;
}

/** The crashes that wait. Each question answers with the crash that happens now, once. */
export interface CrashPoints {
  arm(options: CrashOptions & { readonly at: CrashPoint }): void;
  handlerBegins(run: HandlerRun): ArmedCrash | undefined;
  /** Remembers that the commit of this handler is where one of them happens. */
  handlerEnded(run: HandlerRun): void;
  commits(transaction: Transaction): ArmedCrash | undefined;
  /** What ended without being committed will run again. */
  processDied(): void;
}

/** Makes an empty set of crash points. */
export function createCrashPoints(): CrashPoints {
  const armed: ArmedCrash[] = [];
  const held = createHeldEvents();
  let ended: { readonly crash: ArmedCrash; readonly run: HandlerRun }[] = [];

  function use(crash: ArmedCrash): ArmedCrash {
    crash.times -= 1;
    if (crash.times <= 0) armed.splice(armed.indexOf(crash), 1);
    return crash;
  }

  const find = (run: HandlerRun, here: (at: CrashPoint) => boolean): ArmedCrash | undefined =>
    armed.find(
      ({ at, service, type }) =>
        here(at) && (service === undefined || service === run.service) && (type === undefined || type === run.type),
    );

  return {
    arm({ at, service, event, times = 1, services }) {
      armed.push({ at, service, type: event?.type, times, services });
    },
    handlerBegins(run) {
      const crash = find(run, (at) => at === "before-handler");
      return crash && use(crash);
    },
    handlerEnded(run) {
      const crash = find(run, (at) => at !== "before-handler");
      if (crash) ended.push({ crash, run });
    },
    commits(transaction) {
      const found = ended.find(({ run }) =>
        held.has(run) ? held.removedBy(transaction, run) : settles(transaction, run),
      );
      held.note(transaction);
      if (!found) return undefined;
      ended = [];
      return use(found.crash);
    },
    processDied() {
      ended = [];
    },
  };
}

/** Whether a transaction is a commit of a partition at all, and not a claim, a registration or an operator's. */
export function isCommit({ documents, fences }: Transaction): boolean {
  return Boolean(fences?.length) && Boolean(documents?.some(({ collection }) => collection === collections.positions));
}

/** Whether the transaction settles the position of this run. */
function settles(transaction: Transaction, run: HandlerRun): boolean {
  const key = positionKey(run.subscription, run.partition);
  const write = transaction.documents?.find((one) => one.collection === collections.positions && one.key === key);
  if (!write?.value) return false;
  const { low, finished } = JSON.parse(write.value) as PositionDocument;
  return run.positions.every(
    (position) => position < low || finished.some(([from, to]) => from <= position && position <= to),
  );
}

/** The held events that commits have written, by what they are kept as. */
interface HeldEvents {
  note(transaction: Transaction): void;
  /** Whether the run is one of a held event, of which the position was settled long before. */
  has(run: HandlerRun): boolean;
  /** Whether the transaction removes it. */
  removedBy(transaction: Transaction, run: HandlerRun): boolean;
}

function createHeldEvents(): HeldEvents {
  /** Place of each event by its document. */
  const places = new Map<string, string>();
  const prefix = collections.heldEvents("");
  const placeOf = (run: HandlerRun): string => `${run.subscription} ${run.partition} ${run.positions[0] ?? -1}`;
  return {
    note({ documents = [] }) {
      for (const { collection, key, value } of documents) {
        if (!collection.startsWith(prefix)) continue;
        const document = `${collection} ${key}`;
        if (value === null) places.delete(document);
        else {
          const { position } = JSON.parse(value) as HeldEventDocument;
          places.set(document, `${collection.slice(prefix.length)} ${Number(key.split("/")[0])} ${position}`);
        }
      }
    },
    has: (run) => [...places.values()].includes(placeOf(run)),
    removedBy: ({ documents = [] }, run) =>
      documents.some(
        ({ collection, key, value }) => value === null && places.get(`${collection} ${key}`) === placeOf(run),
      ),
  };
}
