import { type Context, dependency, type DependencyOptions, service, type ServiceOptions } from "tidings";
import type { BreakerDocument } from "../../../src/delivery/guards/breaker-document.ts";
import { collections } from "../../../src/delivery/records.ts";
import { type Bench, drive, Happened } from "../support.ts";

/** Something outside that is up or down, and counts who calls it. */
export interface Outside {
  up: boolean;
  readonly calls: { readonly at: number; readonly key: string; readonly n: number; readonly ok: boolean }[];
}

export const outside = (): Outside => ({ up: true, calls: [] });

/** Calls the outside, and notes it. */
export function callIt(it: Outside, data: { key: string; n: number }, ctx: Context): void {
  it.calls.push({ at: ctx.now(), key: data.key, n: data.n, ok: it.up });
  if (!it.up) throw new Error("connection refused");
}

/** A dependency whose breaker opens after three failures for a second, unless said otherwise. */
export function api(options: DependencyOptions = { breaker: { failures: 3, openMs: 1000, openMsMax: 4000 } }) {
  return dependency("bank-api", options);
}

/** A service of which the handler calls a dependency. */
export function payer(
  it: Outside,
  bank: ReturnType<typeof api>,
  options: ServiceOptions & { declared?: boolean } = {},
) {
  const { declared = true, ...rest } = options;
  return service("payer", { retry: { immediateMs: [0], delayedMs: [200, 400], jitter: "none" }, ...rest }).on(
    Happened,
    ({ data }, ctx) => ctx.call(bank, () => callIt(it, data, ctx)),
    declared ? { uses: [bank] } : {},
  );
}

/** The breaker as the store has it. */
export async function stored({ app, clock }: Bench, name = "bank-api"): Promise<BreakerDocument> {
  const [document] = (await drive(clock, app.engine.state?.get(collections.breakers, [name]) as never)) as {
    value: string;
  }[];
  return JSON.parse((document as { value: string }).value) as BreakerDocument;
}

/** Each key's numbers came in order, and each of them at last. */
export function succeededInOrder({ calls }: Outside, key: string): readonly number[] {
  return calls.filter((call) => call.ok && call.key === key).map(({ n }) => n);
}
