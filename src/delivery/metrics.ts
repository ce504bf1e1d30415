/** Name and value of one measurement, with what it is about. */
export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly kind: "counter" | "gauge" | "histogram";
  readonly attributes: Readonly<Record<string, string>>;
  readonly value: number;
  /** Histograms: how many samples lie at or below each bound, the last without bound. */
  readonly buckets?: readonly { readonly le: number; readonly count: number }[];
  readonly sum?: number;
}

/** A number that only rises. */
export interface Counter {
  add(by?: number): void;
}

/** A distribution of durations in seconds, as OpenTelemetry's messaging conventions have it. */
export interface Histogram {
  record(seconds: number): void;
}

/** All metrics of an application. Counters are looked up once and then only counted. */
export interface Metrics {
  counter(name: string, unit: string, attributes: Readonly<Record<string, string>>): Counter;
  histogram(name: string, unit: string, attributes: Readonly<Record<string, string>>): Histogram;
  /** A value that is asked for when somebody reads the metrics. */
  gauge(name: string, unit: string, attributes: Readonly<Record<string, string>>, read: () => number): () => void;
  read(): readonly Metric[];
}

/** Bounds that OpenTelemetry advises for durations of messaging operations, in seconds. */
const bounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

export function createMetrics(): Metrics {
  const readers = new Map<string, () => Metric>();
  const idOf = (name: string, attributes: Readonly<Record<string, string>>): string =>
    `${name} ${JSON.stringify(attributes)}`;
  const counters = new Map<string, Counter>();
  return {
    counter(name, unit, attributes) {
      const id = idOf(name, attributes);
      const known = counters.get(id);
      if (known) return known;
      let value = 0;
      const counter: Counter = { add: (by = 1) => void (value += by) };
      counters.set(id, counter);
      readers.set(id, () => ({ name, unit, kind: "counter", attributes, value }));
      return counter;
    },
    histogram(name, unit, attributes) {
      const counts = [...bounds, Number.POSITIVE_INFINITY].map(() => 0);
      let sum = 0;
      let total = 0;
      readers.set(idOf(name, attributes), () => {
        let below = 0;
        const buckets = counts.map((count, i) => ({
          le: bounds[i] ?? Number.POSITIVE_INFINITY,
          count: (below += count),
        }));
        return { name, unit, kind: "histogram", attributes, value: total, sum, buckets };
      });
      return {
        record(seconds) {
          let i = 0;
          while (i < bounds.length && seconds > (bounds[i] as number)) i++;
          counts[i] = (counts[i] as number) + 1;
          sum += seconds;
          total += 1;
        },
      };
    },
    gauge(name, unit, attributes, read) {
      const id = idOf(name, attributes);
      readers.set(id, () => ({ name, unit, kind: "gauge", attributes, value: read() }));
      return () => void readers.delete(id);
    },
    read: () => [...readers.values()].map((read) => read()),
  };
}

/** What is counted for each subscription. Names of OpenTelemetry's messaging conventions where they have one. */
export interface SubscriptionMetrics {
  readonly consumed: Counter;
  readonly duration: Histogram;
  readonly failures: Counter;
  readonly retries: Counter;
  readonly held: Counter;
  readonly deadLetters: Counter;
  readonly filtered: Counter;
  readonly expired: Counter;
  readonly conflicts: Counter;
  readonly stalls: Counter;
  readonly duplicates: Counter;
  readonly commits: Counter;
}

/** The metrics of one subscription. */
export function subscriptionMetrics(
  metrics: Metrics,
  system: string,
  topic: string,
  subscription: string,
): SubscriptionMetrics {
  const attributes = {
    "messaging.system": system,
    "messaging.destination.name": topic,
    "messaging.consumer.group.name": subscription,
    "messaging.operation.type": "process",
  };
  const counter = (name: string, unit: string): Counter => metrics.counter(name, unit, attributes);
  return {
    consumed: counter("messaging.client.consumed.messages", "{message}"),
    duration: metrics.histogram("messaging.process.duration", "s", attributes),
    failures: counter("tidings.process.failures", "{failure}"),
    retries: counter("tidings.process.retries", "{retry}"),
    held: counter("tidings.held.events", "{event}"),
    deadLetters: counter("tidings.dead_letters", "{event}"),
    filtered: counter("tidings.filtered.events", "{event}"),
    expired: counter("tidings.expired.events", "{event}"),
    conflicts: counter("tidings.commit.conflicts", "{conflict}"),
    stalls: counter("tidings.process.stalls", "{stall}"),
    duplicates: counter("tidings.inbox.duplicates", "{event}"),
    commits: counter("tidings.commits", "{commit}"),
  };
}
