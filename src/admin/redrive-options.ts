import { TidingsError } from "../errors/tidings-error.ts";
import type { RedriveFilter, RedrivePace } from "../delivery/redrive/documents.ts";
import { checkOptions } from "../lib/options.ts";
import { checkFilter } from "./dead-letter-filter.ts";

/** How to redrive what a filter selects. */
export interface RedriveOptions {
  /** Sizes of the first batches, the last one for all that follow; 1, 10, 100, 1000 unless given. */
  readonly ramp?: readonly number[];
  /** Most events in a second; as fast as they are handled unless given. */
  readonly perSecond?: number;
  /** So many go first and must all succeed, else the redrive aborts. */
  readonly canary?: number;
  /** At most so many are covered, the oldest. */
  readonly max?: number;
  /**
   * Stops when more than this share of the known outcomes (from `minimum` on, 20), or more than this number, have failed
   * again. A share of 0.02 is 2 %.
   */
  readonly abort?: { readonly share?: number; readonly count?: number; readonly minimum?: number };
  /** How long the outcomes of a batch are waited for before the next one begins, in milliseconds; a minute. */
  readonly batchTimeoutMs?: number;
  /** For whoever looks later. */
  readonly reason?: string;
  /** Needed when the filter selects everything there is. */
  readonly everything?: boolean;
}

const optionNames = ["ramp", "perSecond", "canary", "max", "abort", "batchTimeoutMs", "reason", "everything"];

/** Refuses what cannot work. Throws TIDINGS_INVALID_OPTION. */
export function checkRedrive(filter: RedriveFilter, options: RedriveOptions): void {
  checkFilter("the filter of a redrive", filter);
  for (const name of ["state", "redrive"])
    if (name in filter) throw invalid(name, "is not taken by a redrive: it covers open dead letters");
  checkOptions("a redrive", options, optionNames);
  const { ramp, perSecond, canary, max, abort, batchTimeoutMs } = options;
  if (ramp !== undefined && !(Array.isArray(ramp) && ramp.length > 0 && ramp.every((size) => isWhole(size))))
    throw invalid("ramp", "takes a list of whole numbers of at least 1, such as [1, 10, 100]");
  if (perSecond !== undefined && !(Number.isFinite(perSecond) && perSecond > 0))
    throw invalid("perSecond", "takes a number above 0");
  if (canary !== undefined && !isWhole(canary)) throw invalid("canary", "takes a whole number of at least 1");
  if (max !== undefined && !isWhole(max)) throw invalid("max", "takes a whole number of at least 1");
  if (batchTimeoutMs !== undefined && !isWhole(batchTimeoutMs))
    throw invalid("batchTimeoutMs", "takes whole milliseconds of at least 1");
  if (abort === undefined) return;
  checkOptions("the abort rule of a redrive", abort, ["share", "count", "minimum"]);
  const { share, count, minimum } = abort;
  if (share === undefined && count === undefined) throw invalid("abort", "takes a share, a count, or both");
  if (share !== undefined && !(share >= 0 && share < 1))
    throw invalid("abort.share", "takes a number from 0 to below 1");
  if (count !== undefined && !isWhole(count, 0)) throw invalid("abort.count", "takes a whole number of at least 0");
  if (minimum !== undefined && !isWhole(minimum)) throw invalid("abort.minimum", "takes a whole number of at least 1");
}

const isWhole = (value: unknown, least = 1): boolean => Number.isSafeInteger(value) && (value as number) >= least;

function invalid(option: string, problem: string): TidingsError {
  return new TidingsError("TIDINGS_INVALID_OPTION", `The option ${option} ${problem}.`, { details: { option } });
}

/** Sizes of batches where nobody says others: a fault shows at one event, not at a thousand. */
const rampDefault: readonly number[] = [1, 10, 100, 1000];
const batchTimeoutDefaultMs = 60_000;
const minimumDefault = 20;

/** How an operation goes, with nothing left open. */
export function paceOf({ ramp, perSecond, canary, abort, batchTimeoutMs }: RedriveOptions): RedrivePace {
  return {
    ramp: ramp ?? rampDefault,
    batchTimeoutMs: batchTimeoutMs ?? batchTimeoutDefaultMs,
    ...(perSecond === undefined ? {} : { perSecond }),
    ...(canary === undefined ? {} : { canary }),
    ...(abort === undefined ? {} : { abort: { minimum: minimumDefault, ...abort } }),
  };
}
