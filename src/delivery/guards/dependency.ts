import { TidingsError } from "../../errors/tidings-error.ts";
import { checkName } from "../../event/names.ts";
import { checkOptions } from "../../lib/options.ts";

/**
 * What trips a circuit breaker and how long it stays open. Each process counts what it sees itself; the first that reaches
 * a threshold opens the breaker for all.
 */
export interface BreakerOptions {
  /** Trips after so many failures in a row; 5, unless `ratio` is given. */
  readonly failures?: number;
  /** Trips when more than this share of the calls of a window have failed: above 0, at most 1. */
  readonly ratio?: number;
  /** Least calls of a window before `ratio` means anything; 10. */
  readonly minimum?: number;
  /** Length of the window for `ratio`, in milliseconds; 10 s. */
  readonly windowMs?: number;
  /** How long it stays open before a probe, in milliseconds; 30 s. Doubles each time that the probe fails. */
  readonly openMs?: number;
  /** The longest that it stays open before the next probe, in milliseconds; 5 min. */
  readonly openMsMax?: number;
  /**
   * Whether an error counts as a failure. By default every error does, apart from those that tell of the event and not
   * of the dependency: TerminalError, ConflictError, PauseError, validation.
   */
  readonly counts?: (error: unknown) => boolean;
}

/**
 * How often something may begin, all processes together: at most `perSecond` times the length of any window, and `burst`,
 * and one slice (a tenth of a second's worth, at least one).
 */
export interface RateOptions {
  /** Above 0; 0.5 means every two seconds. */
  readonly perSecond: number;
  /** How many may begin at once after a quiet time, at least 1; as many as a second gives unless said. */
  readonly burst?: number;
}

/** What `dependency()` takes. */
export interface DependencyOptions {
  /** When it is not called for a while; false: it is always called. */
  readonly breaker?: BreakerOptions | false;
  /** How often it is called; absent: as often as anybody likes. */
  readonly rate?: RateOptions;
}

/** Something outside that handlers call, by a name that all processes on the store share. */
export interface Dependency {
  readonly name: string;
  readonly breaker: BreakerOptions | undefined;
  readonly rate: RateOptions | undefined;
}

/**
 * Declares something outside that handlers depend on. Call it by `ctx.call(dependency, …)`, and name it in `uses` of the
 * handlers or services that do: while its breaker is open, or its rate is used up, their deliveries are not started.
 * Throws TIDINGS_INVALID_NAME, TIDINGS_INVALID_OPTION.
 *
 * @example
 * const bank = dependency("bank-api", { breaker: { failures: 5, openMs: 30_000 }, rate: { perSecond: 50 } });
 * service("payments").on(OrderPlaced, (order, ctx) => ctx.call(bank, (signal) => charge(order, signal)), { uses: [bank] });
 */
export function dependency(name: string, options: DependencyOptions = {}): Dependency {
  checkName("dependency", name);
  const where = `dependency("${name}")`;
  checkOptions(where, options, ["breaker", "rate"]);
  const { breaker = {}, rate } = options;
  if (breaker !== false) checkBreaker(`${where}.breaker`, breaker);
  if (rate !== undefined) checkRate(`${where}.rate`, rate);
  if (breaker === false && rate === undefined)
    throw new TidingsError("TIDINGS_INVALID_OPTION", `${where} has neither breaker nor rate, so it does nothing.`);
  return Object.freeze({ name, breaker: breaker === false ? undefined : breaker, rate });
}

/** Refuses thresholds that cannot be meant. Throws TIDINGS_INVALID_OPTION. */
export function checkBreaker(where: string, options: BreakerOptions): void {
  checkOptions(where, options, ["failures", "ratio", "minimum", "windowMs", "openMs", "openMsMax", "counts"]);
  const { failures, ratio, minimum, windowMs, openMs, openMsMax, counts } = options;
  for (const [name, value] of Object.entries({ failures, minimum, windowMs, openMs, openMsMax })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1))
      throw invalid(where, name, "must be a whole number of at least 1");
  }
  if (ratio !== undefined && !(typeof ratio === "number" && ratio > 0 && ratio <= 1))
    throw invalid(where, "ratio", "must be a share above 0 and at most 1, such as 0.5");
  if (ratio === undefined && (minimum !== undefined || windowMs !== undefined))
    throw invalid(where, minimum === undefined ? "windowMs" : "minimum", "means nothing without ratio");
  if (openMsMax !== undefined && openMsMax < (openMs ?? openMsDefault))
    throw invalid(where, "openMsMax", `must be at least openMs, which is ${openMs ?? openMsDefault}`);
  if (counts !== undefined && typeof counts !== "function")
    throw invalid(where, "counts", "must be a function of an error");
}

/** Refuses rates that cannot be meant. Throws TIDINGS_INVALID_OPTION. */
export function checkRate(where: string, options: RateOptions): void {
  checkOptions(where, options, ["perSecond", "burst"]);
  const { perSecond, burst } = options;
  if (!(Number.isFinite(perSecond) && perSecond > 0)) throw invalid(where, "perSecond", "must be a number above 0");
  if (burst !== undefined && !(Number.isFinite(burst) && burst >= 1))
    throw invalid(where, "burst", "must be a number of at least 1");
}

/** Refuses what is no list of dependencies. Throws TIDINGS_INVALID_OPTION. */
export function checkUses(where: string, uses: unknown): void {
  if (uses === undefined) return;
  const isDependency = (value: unknown): boolean =>
    typeof value === "object" && value !== null && "name" in value && ("breaker" in value || "rate" in value);
  if (!Array.isArray(uses) || !uses.every(isDependency))
    throw invalid(where, "uses", "must be a list of what dependency(…) returns");
}

/** How long a breaker stays open unless said otherwise, in milliseconds. */
export const openMsDefault = 30_000;

/** Words for what trips a breaker. */
export function tripsOf({ failures, ratio, minimum = 10, windowMs = 10_000 }: BreakerOptions): string {
  const inRow = failures ?? (ratio === undefined ? 5 : undefined);
  const parts = [];
  if (inRow !== undefined) parts.push(inRow === 1 ? "1 failure" : `${inRow} failures in a row`);
  if (ratio !== undefined)
    parts.push(`more than ${Math.round(ratio * 100)} % of at least ${minimum} calls in ${windowMs} ms`);
  return parts.join(", or ");
}

function invalid(where: string, name: string, rule: string): TidingsError {
  return new TidingsError("TIDINGS_INVALID_OPTION", `The option ${name} of ${where} ${rule}.`);
}
