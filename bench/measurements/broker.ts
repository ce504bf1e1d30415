import type { EndToEndResult } from "../children/end-to-end.ts";
import type { LatencyResult } from "../children/latency.ts";
import type { PublishResult } from "../children/publish.ts";
import { type Line, lineOf } from "../lib/line.ts";
import type { Measurement, Run } from "../lib/run.ts";
import { lanes } from "./broker-lanes.ts";
import { inTurns, type MeasuredBroker, oursOn, positionsOf, same, settingsOf } from "./broker-turns.ts";

const consuming = "at least once, zod on publish and consume";

/**
 * tidings on a broker against the broker's plain client that does the same: publishing, publishing and handling, latency, and handlers
 * that wait; publishing and handling also against @nestjs/microservices.
 */
export function onBroker(broker: MeasuredBroker): Measurement {
  return {
    name: broker.name,
    needs: { tidings: broker.server },
    async run(run) {
      return [
        await publishing(run, broker, { inFlight: 500, batch: 1 }),
        await publishing(run, broker, { inFlight: 2, batch: 500 }),
        ...(await endToEnd(run, broker)),
        ...(await latency(run, broker)),
        await lanes(run, broker),
      ];
    },
  };
}

interface Flow {
  readonly inFlight: number;
  readonly batch: number;
}

async function publishing(run: Run, broker: MeasuredBroker, flow: Flow): Promise<Line> {
  const events = run.size(100_000, 1000);
  const tasks = same(["tidings", "raw"], { events, warmup: Math.ceil(events / 4), ...flow });
  const what = flow.batch === 1 ? "publish" : "publish-batched";
  const results = await inTurns<PublishResult>(run, broker, { what, child: "publish", tasks });
  const rates = (peer: string) => (results[peer] ?? []).map(({ eventsPerSecond }) => eventsPerSecond);
  return lineOf({
    name: `${broker.name}-${what}`,
    unit: "events/s",
    better: "higher",
    values: rates("tidings"),
    settings: { ...settingsOf(broker), events, ...flow, validation: "zod on publish" },
    peer: { name: "raw", values: rates("raw") },
  });
}

async function endToEnd(run: Run, broker: MeasuredBroker): Promise<Line[]> {
  const ours = oursOn(broker);
  const events = run.size(100_000, 1000);
  // It is slower by so much that fewer events last as long.
  const fewer = run.size(20_000, 500);
  const flow = { inFlight: 500, batch: 1 };
  const task = (count: number) => ({ events: count, warmup: Math.ceil(count / 4), ...flow });
  const withNestjs = run.options.without.includes("nestjs") ? {} : { nestjs: task(fewer) };
  const tasks = { ...same([...ours, "raw"], task(events)), ...withNestjs };
  const results = await inTurns<EndToEndResult>(run, broker, { what: "end-to-end", child: "end-to-end", tasks });
  const rates = (peer: string) => (results[peer] ?? []).map(({ eventsPerSecond }) => eventsPerSecond);
  const settings = { ...settingsOf(broker), events, ...flow, consuming };
  const unit = { unit: "events/s", better: "higher" } as const;
  const lines = ours.map((which) =>
    lineOf({
      ...unit,
      name: `${broker.name}-end-to-end${which === "stored" ? "-stored" : ""}`,
      values: rates(which),
      settings: { ...settings, positions: positionsOf[which], peerConsuming: "at least once" },
      peer: { name: "raw", values: rates("raw") },
    }),
  );
  if (!results["nestjs"]) return lines;
  const [which = "stored"] = ours;
  const { isDurable, does } = broker.nestjs;
  const theirs = { peerDoes: does, peerEvents: fewer, peerValidation: "none" };
  const nestjs = lineOf({
    ...unit,
    name: `${broker.name}-end-to-end-${isDurable ? "vs-nestjs" : "nestjs"}`,
    values: rates(which),
    settings: { ...settings, positions: positionsOf[which], ...theirs },
    peer: { name: "nestjs", values: rates("nestjs") },
  });
  return [...lines, nestjs];
}

async function latency(run: Run, broker: MeasuredBroker): Promise<Line[]> {
  const ours = oursOn(broker);
  const events = run.size(4000, 250);
  const perSecond = 500;
  const tasks = same([...ours, "raw"], { events, warmup: run.size(1000, 50), perSecond });
  const results = await inTurns<LatencyResult>(run, broker, { what: "latency", child: "latency", tasks });
  const settings = { ...settingsOf(broker), events, perSecond, consuming, from: "the call of publish", to: "the call of the handler" }; // prettier-ignore
  return (["p50", "p99"] as const).flatMap((percent) =>
    ours.map((which) => {
      const of = (peer: string) => (results[peer] ?? []).map((each) => each[`${percent}Ms`]);
      return lineOf({
        name: `${broker.name}-latency-${percent}${which === "stored" ? "-stored" : ""}`,
        unit: "ms",
        better: "lower",
        values: of(which),
        settings: { ...settings, positions: positionsOf[which] },
        peer: { name: "raw", values: of("raw") },
      });
    }),
  );
}
