import type { EndToEndResult } from "../children/end-to-end.ts";
import type { Spent } from "../lib/meter.ts";
import { type Line, lineOf } from "../lib/line.ts";
import { alternate, keys, type Measurement, type Run } from "../lib/run.ts";
import { onPostgres } from "../lib/settings.ts";
import { among, bare, type Contestant, queues } from "./postgres-peers.ts";

const base = { unit: "events/s", better: "higher" } as const;
const needs = { tidings: "postgres" } as const;

interface Flow {
  readonly inFlight: number;
  readonly batch: number;
}

/** Lets tidings and its peers do the same work in turns; answers with the results by name. */
function compare(run: Run, what: string, flow: Flow, peers: readonly Contestant[], sizes: Sizes) {
  const task = (peer: string, events: number) => () =>
    run.inFreshDatabase<EndToEndResult>("end-to-end", { peer, events, warmup: Math.ceil(events / 4), ...flow, keys });
  return alternate(run, what, {
    tidings: task("tidings", sizes.ours),
    ...Object.fromEntries(
      peers.map(({ name, peer }) => [name, task(peer, name === "bare" ? sizes.ours : sizes.theirs)]),
    ),
  });
}

/** How many events; fewer for peers that are slower by so much that they last as long. */
interface Sizes {
  readonly ours: number;
  readonly theirs: number;
}

type Results = Readonly<Record<string, readonly EndToEndResult[]>>;

const numbers = (results: Results, name: string, of: (result: EndToEndResult) => number): number[] =>
  (results[name] ?? []).map(of);

/** A line for each peer, or one without. */
function linesOf(
  name: string,
  results: Results,
  peers: readonly Contestant[],
  settings: Line["settings"],
  sizes: Sizes,
): Line[] {
  const rate = ({ eventsPerSecond }: EndToEndResult): number => eventsPerSecond;
  const line = { ...base, name, values: numbers(results, "tidings", rate) };
  if (peers.length === 0) return [lineOf({ ...line, settings })];
  return peers.map((peer) => {
    const peerEvents = peer.name === "bare" ? sizes.ours : sizes.theirs;
    return lineOf({
      ...line,
      settings: { ...settings, ...peer.settings, peerEvents },
      peer: { name: peer.name, values: numbers(results, peer.name, rate) },
    });
  });
}

/** Single publishes, 500 of them in flight, against the loop by hand; and what an event costs the process and the server. */
export const endToEnd: Measurement = {
  name: "end-to-end",
  needs,
  async run(run) {
    const sizes = { ours: run.size(400_000, 1000), theirs: 0 };
    const flow = { inFlight: 500, batch: 1 };
    const peers = among(run, [bare]);
    const results = await compare(run, "end-to-end", flow, peers, sizes);
    const settings = { ...onPostgres, keys, ...flow, events: sizes.ours, handler: "does nothing" };
    const costs = { ...settings, ...(peers.length > 0 ? bare.settings : {}) };
    const costLine = (name: string, unit: string, statistic: string, of: (result: EndToEndResult) => number) =>
      lineOf({
        name,
        unit,
        better: "lower",
        values: numbers(results, "tidings", of),
        settings: { ...costs, statistic },
        ...(peers.length > 0 ? { peer: { name: "bare", values: numbers(results, "bare", of) } } : {}),
      });
    return [
      ...linesOf("end-to-end", results, peers, settings, sizes),
      costLine("event-loop-delay", "ms", "p99 of monitorEventLoopDelay, resolution 1 ms", (each) => each.delayP99Ms),
      costLine("cpu-per-event", "us", "CPU time of all threads of the process", (each) => each.cpuMicrosPerEvent),
      // The kernel counts hundredths of a second, and only of a server on this machine.
      ...[
        costLine("server-cpu-per-event", "us", "CPU time of the server's sessions", (each) =>
          perEvent(each, sizes.ours, "serverCpuMicros"),
        ),
      ].filter(({ value, ratio = 1 }) => value > 0 && Number.isFinite(ratio)),
      costLine("statements", "per 1000 events", "statements that the client sends", (each) =>
        perEvent(each, sizes.ours, "statements", 1000),
      ),
      costLine("wal-per-event", "bytes", walStatistic, (each) => perEvent(each, sizes.ours, "walBytes")),
    ];
  },
};

const walStatistic =
  "growth of the whole server's WAL; tidings compresses chunks of events, and these repeat themselves more than most";

const perEvent = ({ spent }: EndToEndResult, events: number, what: keyof Spent, times = 1): number =>
  ((spent?.[what] ?? Number.NaN) / events) * times;

/** Calls with 500 events each, two of them in flight. */
export const batched: Measurement = {
  name: "batched",
  needs,
  async run(run) {
    const sizes = { ours: run.size(400_000, 1000), theirs: run.size(30_000, 500) };
    const flow = { inFlight: 2, batch: 500 };
    const peers = among(run, [bare, ...queues]);
    const results = await compare(run, "batched", flow, peers, sizes);
    const settings = { ...onPostgres, keys, ...flow, events: sizes.ours, handler: "does nothing" };
    return [
      ...linesOf("end-to-end-batched", results, peers, settings, sizes),
      ...peers.flatMap(({ name, settings: theirs }) => [
        lineOf({
          name: "statements-batched",
          unit: "per 1000 events",
          better: "lower",
          values: numbers(results, "tidings", (each) => perEvent(each, sizes.ours, "statements", 1000)),
          settings: { ...settings, ...theirs },
          peer: {
            name,
            values: numbers(results, name, (each) =>
              perEvent(each, name === "bare" ? sizes.ours : sizes.theirs, "statements", 1000),
            ),
          },
        }),
        lineOf({
          name: "wal-per-event-batched",
          unit: "bytes",
          better: "lower",
          values: numbers(results, "tidings", (each) => perEvent(each, sizes.ours, "walBytes")),
          settings: { ...settings, ...theirs, statistic: walStatistic },
          peer: {
            name,
            values: numbers(results, name, (each) =>
              perEvent(each, name === "bare" ? sizes.ours : sizes.theirs, "walBytes"),
            ),
          },
        }),
      ]),
    ];
  },
};

/** Calls with one event each, 50 and 500 of them in flight, against those who have no group commit. */
export const singles: Measurement = {
  name: "singles",
  needs,
  async run(run) {
    const lines: Line[] = [];
    for (const inFlight of [50, 500]) {
      const sizes = { ours: run.size(50_000, 500), theirs: run.size(3000, 200) };
      const flow = { inFlight, batch: 1 };
      const peers = among(run, queues);
      const results = await compare(run, `singles, ${inFlight} in flight`, flow, peers, sizes);
      const settings = { ...onPostgres, keys, ...flow, events: sizes.ours, handler: "does nothing" };
      lines.push(...linesOf(`end-to-end-singles-${inFlight}`, results, peers, settings, sizes));
    }
    return lines;
  },
};
