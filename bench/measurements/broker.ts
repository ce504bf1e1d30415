import type { EndToEndResult } from "../children/end-to-end.ts";
import type { LatencyResult } from "../children/latency.ts";
import type { PublishResult } from "../children/publish.ts";
import { type Facts, type Line, lineOf } from "../lib/line.ts";
import { payloadBytes } from "../lib/payload.ts";
import { alternate, keys, type Measurement, type Run, type ServerName } from "../lib/run.ts";
import type { PeerName } from "../peers/peer.ts";

/** A broker, and how it is used on both sides. */
export interface MeasuredBroker {
  readonly name: string;
  readonly server: ServerName;
  readonly raw: PeerName;
  /** How long what is acknowledged lasts, for both. */
  readonly durability: string;
  /** What the plain client does. */
  readonly rawDoes: string;
}

const consuming = "at least once, zod on publish and consume";
const positions = "in a journal on the broker";
const inStore = "in a store beside the broker (sqlite, synchronous=FULL)";

let runs = 0;

/** tidings on a broker against the broker's plain client that does the same: publishing, publishing and handling, and latency. */
export function onBroker(broker: MeasuredBroker): Measurement {
  return {
    name: broker.name,
    needs: { tidings: broker.server },
    async run(run) {
      return [
        ...(await publishing(run, broker, { inFlight: 500, batch: 1 })),
        ...(await publishing(run, broker, { inFlight: 2, batch: 500 })),
        ...(await endToEnd(run, broker)),
        ...(await latency(run, broker)),
      ];
    },
  };
}

/** Lets tidings and the plain client do a task in turns. */
function compare<Result>(
  run: Run,
  { name, server, raw }: MeasuredBroker,
  what: string,
  child: string,
  task: Record<string, unknown>,
) {
  const of =
    (peer: PeerName, store = false) =>
    () => {
      const prefix = `bench-${process.pid}-${(runs += 1)}`;
      return run.inFreshFolder<Result>(child, { peer, url: run.urls[server], prefix, keys, store, ...task });
    };
  return alternate<Result>(run, `${name} ${what}`, {
    tidings: of("tidings-on-broker"),
    raw: of(raw),
    ...(child === "publish" ? {} : { stored: of("tidings-on-broker", true) }),
  });
}

const settingsOf = ({ durability, rawDoes }: MeasuredBroker): Facts => ({
  durability,
  payloadBytes,
  keys,
  processes: 1,
  partitions: 4,
  peerDoes: rawDoes,
});

interface Flow {
  readonly inFlight: number;
  readonly batch: number;
}

async function publishing(run: Run, broker: MeasuredBroker, flow: Flow): Promise<Line[]> {
  const events = run.size(100_000, 1000);
  const task = { events, warmup: Math.ceil(events / 4), ...flow };
  const what = flow.batch === 1 ? "publish" : "publish-batched";
  const results = await compare<PublishResult>(run, broker, what, "publish", task);
  const rates = (peer: string) => (results[peer] ?? []).map(({ eventsPerSecond }) => eventsPerSecond);
  return [
    lineOf({
      name: `${broker.name}-${what}`,
      unit: "events/s",
      better: "higher",
      values: rates("tidings"),
      settings: { ...settingsOf(broker), events, ...flow, validation: "zod on publish" },
      peer: { name: "raw", values: rates("raw") },
    }),
  ];
}

async function endToEnd(run: Run, broker: MeasuredBroker): Promise<Line[]> {
  const events = run.size(100_000, 1000);
  const flow = { inFlight: 500, batch: 1 };
  const task = { events, warmup: Math.ceil(events / 4), ...flow };
  const results = await compare<EndToEndResult>(run, broker, "end-to-end", "end-to-end", task);
  const rates = (peer: string) => (results[peer] ?? []).map(({ eventsPerSecond }) => eventsPerSecond);
  const settings = { ...settingsOf(broker), events, ...flow, consuming, peerConsuming: "at least once, acknowledged to the broker" }; // prettier-ignore
  const line = { unit: "events/s", better: "higher", peer: { name: "raw", values: rates("raw") } } as const;
  return [
    lineOf({ ...line, name: `${broker.name}-end-to-end`, values: rates("tidings"), settings: { ...settings, positions } }),
    lineOf({ ...line, name: `${broker.name}-end-to-end-stored`, values: rates("stored"), settings: { ...settings, positions: inStore } }),
  ]; // prettier-ignore
}

async function latency(run: Run, broker: MeasuredBroker): Promise<Line[]> {
  const events = run.size(4000, 250);
  const perSecond = 500;
  const task = { events, warmup: run.size(1000, 50), perSecond };
  const results = await compare<LatencyResult>(run, broker, "latency", "latency", task);
  const settings = { ...settingsOf(broker), events, perSecond, consuming, from: "the call of publish", to: "the call of the handler" }; // prettier-ignore
  return (["p50", "p99"] as const).flatMap((which) => {
    const of = (peer: string) => (results[peer] ?? []).map((each) => each[`${which}Ms`]);
    const line = { unit: "ms", better: "lower", peer: { name: "raw", values: of("raw") } } as const;
    const name = `${broker.name}-latency-${which}`;
    return [
      lineOf({ ...line, name, values: of("tidings"), settings: { ...settings, positions } }),
      lineOf({ ...line, name: `${name}-stored`, values: of("stored"), settings: { ...settings, positions: inStore } }),
    ];
  });
}
