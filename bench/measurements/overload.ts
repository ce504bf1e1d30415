import type { OverloadConsumerResult, OverloadConsumerTask } from "../children/overload-consumer.ts";
import type { OverloadPublisherResult, OverloadPublisherTask } from "../children/overload-publisher.ts";
import type { Facts, Line } from "../lib/line.ts";
import { lineOf } from "../lib/line.ts";
import { keys, type Measurement, type Run } from "../lib/run.ts";
import { embedded } from "../lib/settings.ts";
import { median, percentile } from "../lib/stats.ts";

const handlerMs = 5;
const concurrency = 12;
/** Room for the 12 that run, for what is on its way from process to process and to the disk, and a short queue. */
const eventsMax = 36;
/** The share of the saturating load at which everything is well: what the others are compared with. */
const calm = 0.7;
const loads = [calm, 1, 2, 10] as const;
/** By how much the 99th percentile may exceed that of the calm load before it counts as recovered. */
const recoveredBelow = 2;
const windowMs = 250;

/** What one load did. */
interface Loaded {
  readonly goodput: number;
  readonly refusedShare: number;
  readonly handledP50Ms: number;
  readonly handledP99Ms: number;
  readonly acknowledgedP99Ms: number;
  /** From when the order was to be published, and from the call; NaN when none was refused. */
  readonly refusedP99Ms: number;
  readonly refusedFromCallP99Ms: number;
  readonly consumerMiB: number;
  readonly publisherMiB: number;
  /** 99th percentile of each window after the load has ended. */
  readonly afterP99Ms: readonly number[];
}

/** Publishers that are too fast, in another process: what is refused, what is let in, and what becomes of it. */
export const overload: Measurement = {
  name: "overload",
  async run(run) {
    const byLoad = new Map<number, Loaded[]>();
    const peaks: number[] = [];
    for (let repetition = 1; repetition <= run.options.repeat; repetition++) {
      run.say(`overload: saturating load, ${repetition} of ${run.options.repeat}`);
      // Twice what the handlers could do without any cost, and no limit: they are never idle.
      const peak = (await load(run, { perSecond: (2 * concurrency * 1000) / handlerMs, limited: false })).goodput;
      peaks.push(peak);
      for (const share of loads) {
        run.say(`overload: ${share * 100} %, ${repetition} of ${run.options.repeat}`);
        const loaded = await load(run, {
          perSecond: peak * share,
          limited: true,
          afterwards: share > 1 ? peak * calm : 0,
        });
        byLoad.set(share, [...(byLoad.get(share) ?? []), loaded]);
      }
    }
    return linesOf(run, peaks, byLoad);
  },
};

interface LoadOptions {
  readonly perSecond: number;
  readonly limited: boolean;
  /** The rate afterwards; 0 for none. */
  readonly afterwards?: number;
}

async function load(run: Run, { perSecond, limited, afterwards = 0 }: LoadOptions): Promise<Loaded> {
  const warmupMs = run.size(2000, 500);
  const forMs = warmupMs + run.size(8000, 1000);
  const thenForMs = afterwards > 0 ? run.size(6000, 1000) : 0;
  const folder = run.place.fresh();
  try {
    const consumer: Omit<OverloadConsumerTask, "folder"> = {
      handlerMs,
      concurrency,
      eventsMax: limited ? eventsMax : 0,
      drain: limited,
    };
    const publisher: Omit<OverloadPublisherTask, "folder"> = {
      keys,
      seed: 1,
      perSecond,
      forMs,
      thenPerSecond: afterwards,
      thenForMs,
    };
    const [consumed, published] = await Promise.all([
      run.in<OverloadConsumerResult>(folder, "overload-consumer", { ...consumer }),
      run.in<OverloadPublisherResult>(folder, "overload-publisher", { ...publisher }),
    ]);
    return loadedOf(consumed, published, warmupMs);
  } finally {
    run.place.remove(folder);
  }
}

function loadedOf(consumed: OverloadConsumerResult, published: OverloadPublisherResult, warmupMs: number): Loaded {
  const { beganMs, changedMs, accepted, refused } = published;
  const fromMs = beganMs + warmupMs;
  const inTime = (atMs: number): boolean => atMs >= fromMs && atMs < changedMs;
  const handledAt = new Map(consumed.handled);
  const measured = accepted.filter(([, dueMs]) => inTime(dueMs));
  const turnedAway = refused.filter(([dueMs]) => inTime(dueMs));
  const handledIn = (list: typeof accepted): number[] =>
    list.map(([n, dueMs]) => (handledAt.get(n) ?? Number.POSITIVE_INFINITY) - dueMs);
  const latencies = handledIn(measured);
  const afterP99Ms: number[] = [];
  const lastMs = accepted.reduce((last, [, dueMs]) => Math.max(last, dueMs), 0);
  for (let at = changedMs; at + windowMs <= lastMs; at += windowMs)
    afterP99Ms.push(percentile(handledIn(accepted.filter(([, dueMs]) => dueMs >= at && dueMs < at + windowMs)), 99));
  return {
    goodput: consumed.handled.filter(([, atMs]) => inTime(atMs)).length / ((changedMs - fromMs) / 1000),
    refusedShare: turnedAway.length / Math.max(1, turnedAway.length + measured.length),
    handledP50Ms: percentile(latencies, 50),
    handledP99Ms: percentile(latencies, 99),
    acknowledgedP99Ms: percentile(
      measured.map(([, , tookMs]) => tookMs),
      99,
    ),
    refusedP99Ms: percentile(
      turnedAway.map(([, tookMs]) => tookMs),
      99,
    ),
    refusedFromCallP99Ms: percentile(
      turnedAway.map(([, , tookMs]) => tookMs),
      99,
    ),
    consumerMiB: consumed.residentMaxMiB,
    publisherMiB: published.residentMaxMiB,
    afterP99Ms,
  };
}

/** From when on all windows are as well as the calm load, in milliseconds after the load has ended. */
function recoveredAfterMs({ afterP99Ms }: Loaded, calmP99Ms: number): number {
  const last = afterP99Ms.findLastIndex((p99Ms) => !(p99Ms <= calmP99Ms * recoveredBelow));
  return (last + 2) * windowMs;
}

function linesOf(run: Run, peaks: readonly number[], byLoad: ReadonlyMap<number, readonly Loaded[]>): readonly Line[] {
  const settings: Facts = {
    ...embedded,
    processes: 2,
    keys,
    handlerMs,
    concurrency,
    eventsMax,
    arrivals: "open loop, Poisson, in a second process; times count from the scheduled arrival",
    measuredMs: run.size(8000, 1000),
    warmupMs: run.size(2000, 500),
    peakPerSecond: Math.round(median(peaks)),
  };
  const values = (share: number, of: (loaded: Loaded) => number): number[] => (byLoad.get(share) ?? []).map(of);
  const line = (name: string, unit: string, share: number, of: (loaded: Loaded) => number, peer?: number): Line =>
    lineOf({
      name: `${name}-${share * 100}`,
      unit,
      better: unit === "events/s" ? "higher" : "lower",
      values: values(share, of),
      settings: {
        ...settings,
        load: share,
        offeredPerSecond: Math.round(median(peaks) * share),
        refusedShare: Number(median(values(share, ({ refusedShare }) => refusedShare)).toFixed(3)),
      },
      ...(peer === undefined ? {} : { peer: { name: `load ${peer * 100} %`, values: values(peer, of) } }),
    });
  const goodputs = loads.map((share) => ({
    ...line("goodput", "events/s", share, ({ goodput }) => goodput),
    peer: "peak without a limit",
    peerValue: Math.round(median(peaks)),
    ratio: Number((median(values(share, ({ goodput }) => goodput)) / median(peaks)).toPrecision(3)),
  }));
  const calmP99Ms = median(values(calm, ({ handledP99Ms }) => handledP99Ms));
  const above = loads.filter((share) => share !== calm);
  return [
    ...goodputs,
    ...loads.map((share) => line("handled-p50", "ms", share, ({ handledP50Ms }) => handledP50Ms)),
    line("handled-p99", "ms", calm, ({ handledP99Ms }) => handledP99Ms),
    ...above.map((share) => line("handled-p99", "ms", share, ({ handledP99Ms }) => handledP99Ms, calm)),
    line("acknowledged-p99", "ms", calm, ({ acknowledgedP99Ms }) => acknowledgedP99Ms),
    ...above.map((share) => line("acknowledged-p99", "ms", share, ({ acknowledgedP99Ms }) => acknowledgedP99Ms, calm)),
    ...[2, 10].map((share) => line("refused-p99", "ms", share, ({ refusedP99Ms }) => refusedP99Ms)),
    ...[2, 10].map((share) => line("refused-from-call-p99", "ms", share, (loaded) => loaded.refusedFromCallP99Ms)),
    ...[2, 10].map((share) => line("recovered-after", "ms", share, (loaded) => recoveredAfterMs(loaded, calmP99Ms))),
    line("memory-consumer", "MiB", 10, ({ consumerMiB }) => consumerMiB, calm),
    line("memory-publisher", "MiB", 10, ({ publisherMiB }) => publisherMiB, calm),
  ];
}
