import type { LanesResult } from "../children/lanes.ts";
import { type Line, lineOf } from "../lib/line.ts";
import type { Run } from "../lib/run.ts";
import { inTurns, type MeasuredBroker, oursOn, positionsOf, settingsOf } from "./broker-turns.ts";

/** As a service has it unless it says otherwise. */
const lanesAtOnce = 64;
const handlerMs = 5;

/** Handlers that wait: one for each key in tidings, one for each partition with the plain client. Both keep the order of a key. */
export async function lanes(run: Run, broker: MeasuredBroker): Promise<Line> {
  const [ours = "stored"] = oursOn(broker);
  const events = run.size(40_000, 1000);
  // The plain client is slower by so much that fewer events last as long.
  const fewer = run.size(4000, 200);
  const task = (count: number) => ({ events: count, warmup: Math.ceil(count / 4), handlerMs });
  const tasks = { [ours]: task(events), raw: task(fewer) };
  const results = await inTurns<LanesResult>(run, broker, { what: "lanes", child: "lanes", tasks });
  const rates = (contestant: string) => (results[contestant] ?? []).map(({ eventsPerSecond }) => eventsPerSecond);
  return lineOf({
    name: `${broker.name}-lanes`,
    unit: "events/s",
    better: "higher",
    values: rates(ours),
    settings: {
      ...settingsOf(broker),
      events,
      peerEvents: fewer,
      handler: `waits for ${handlerMs} ms`,
      concurrency: `${lanesAtOnce}, one for each key`,
      peerConcurrency: "one for each partition",
      backlog: "all of it is published before the first one is handled",
      order: "of each key, checked",
      positions: positionsOf[ours],
    },
    peer: { name: "raw", values: rates("raw") },
  });
}
