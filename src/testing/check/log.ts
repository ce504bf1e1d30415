import type { History, LogEntry, Publish } from "./history.ts";
import type { Violation } from "./violation.ts";

/** I1: what was acknowledged can be read, unless retention has removed it. */
export function checkAcknowledged({ publishes, log, firsts }: History): Violation[] {
  const there = new Set(log.map(({ topic, event }) => `${topic} ${event}`));
  const expired = expiredBy(firsts);
  const missing = new Map<string, Violation>();
  for (const publish of publishes) {
    const { answer, event, topic, key } = publish;
    if (answer !== "acknowledged" || there.has(`${topic} ${event}`)) continue;
    const message = `${event} was acknowledged and is not in ${topic}.`;
    if (!expired(publish)) missing.set(`${topic} ${event}`, { invariant: "I1", topic, key, event, message });
  }
  return [...missing.values()];
}

/** Whether retention has removed where an event was said to stand. */
function expiredBy(firsts: History["firsts"] = []): (publish: Publish) => boolean {
  const first = new Map(firsts.map((entry) => [`${entry.topic}/${entry.partition}`, entry.first]));
  return ({ topic, partition, position }) =>
    position !== undefined && position < (first.get(`${topic}/${partition}`) ?? 0);
}

/** I2: nothing is there that nobody published, or that was refused each time; bytes are what they were. */
export function checkPhantoms({ publishes, log, runs = [] }: History): Violation[] {
  const possible = new Map<string, Publish[]>();
  for (const publish of publishes) {
    const known = possible.get(publish.event);
    if (known) known.push(publish);
    else possible.set(publish.event, [publish]);
  }
  const found: Violation[] = [];
  const logged = new Map<string, LogEntry>();
  for (const entry of log) {
    const { event, topic, key, payload } = entry;
    logged.set(event, entry);
    const calls = (possible.get(event) ?? []).filter((publish) => publish.topic === topic);
    const done = calls.filter(({ answer }) => answer !== "refused");
    const place = { invariant: "I2", topic, key, event } as const;
    if (calls.length === 0) found.push({ ...place, message: `${event} is in ${topic}, and nobody published it.` });
    else if (done.length === 0)
      found.push({ ...place, message: `${event} is in ${topic}, and every call that published it was refused.` });
    else if (payload !== undefined && !done.some((publish) => (publish.payload ?? payload) === payload))
      found.push({ ...place, message: `${event} in ${topic} has other bytes than were published.` });
    else if (
      payload !== undefined &&
      done.some((each) => each.answer === "acknowledged" && (each.payload ?? payload) !== payload)
    )
      found.push({ ...place, message: `${event} in ${topic} has other bytes than a publish that was acknowledged.` });
    else if (!done.some((publish) => publish.key === key))
      found.push({ ...place, message: `${event} in ${topic} has another key than it was published with.` });
  }
  for (const { subscription, event, key, payload } of runs) {
    const entry = logged.get(event);
    const place = { invariant: "I2", subscription, key, event } as const;
    if (!entry) found.push({ ...place, message: `${subscription} was given ${event}, which is in no topic.` });
    else if (payload !== undefined && entry.payload !== undefined && payload !== entry.payload)
      found.push({ ...place, message: `${subscription} was given ${event} with other bytes than it has.` });
  }
  return found;
}

/** I3: no position is missing, none comes twice. */
export function checkPositionsRise({ log, firsts = [] }: History): Violation[] {
  const next = new Map(firsts.map(({ topic, partition, first }) => [`${topic}/${partition}`, first]));
  const found: Violation[] = [];
  for (const { topic, partition, position, event, key } of log) {
    const place = `${topic}/${partition}`;
    const expected = next.get(place) ?? 0;
    if (position !== expected) {
      const message = `${place} has position ${position} where ${expected} was expected.`;
      found.push({ invariant: "I3", topic, key, event, message });
    }
    next.set(place, position + 1);
  }
  return found;
}

/** I4: events of one producer and key stand in the order of its calls, and none is missing before one that is there. */
export function checkProducers({ publishes, log, firsts }: History): Violation[] {
  const found: Violation[] = [];
  const expired = expiredBy(firsts);
  const place = new Map<string, number>();
  for (const [index, { topic, event }] of log.entries()) {
    const id = `${topic} ${event}`;
    if (!place.has(id)) place.set(id, index);
  }
  const sequences = new Map<string, Map<number, Publish>>();
  for (const publish of publishes) {
    const { producer, seq, topic, key, answer } = publish;
    if (producer === undefined || seq === undefined) continue;
    const name = `${producer} to ${key ?? "no key"} of ${topic}`;
    const numbers = sequences.get(name) ?? new Map<number, Publish>();
    sequences.set(name, numbers);
    if (!numbers.has(seq) || answer === "acknowledged") numbers.set(seq, publish);
  }
  for (const [name, numbers] of sequences) {
    let last = -1;
    let missing: Publish | undefined;
    for (const publish of [...numbers].sort(([a], [b]) => a - b).map(([, each]) => each)) {
      const { topic, key, event } = publish;
      const at = place.get(`${topic} ${event}`);
      if (at === undefined) {
        if (publish.answer === "acknowledged" && !expired(publish)) missing = publish;
        continue;
      }
      const where = { invariant: "I4", topic, key, event } as const;
      if (missing)
        found.push({ ...where, message: `${event} of ${name} is there, and ${missing.event} before it is not.` });
      if (at < last) found.push({ ...where, message: `${event} of ${name} stands before an earlier one.` });
      last = Math.max(last, at);
      missing = undefined;
    }
  }
  return found;
}

/** I6, of publishes: a batch is there as a whole or not at all. */
export function checkBatches({ publishes, log }: History): Violation[] {
  const there = new Set(log.map(({ topic, event }) => `${topic} ${event}`));
  const batches = new Map<string, { readonly in: Publish[]; readonly out: Publish[] }>();
  for (const publish of publishes) {
    if (publish.batch === undefined) continue;
    const batch = batches.get(publish.batch) ?? { in: [], out: [] };
    batches.set(publish.batch, batch);
    (there.has(`${publish.topic} ${publish.event}`) ? batch.in : batch.out).push(publish);
  }
  const found: Violation[] = [];
  for (const [name, batch] of batches) {
    const [missing] = batch.out;
    if (!missing || batch.in.length === 0) continue;
    const { topic, key, event } = missing;
    const message = `Of the batch ${name}, ${batch.in.length} events are there and ${batch.out.length} are not, such as ${event}.`;
    found.push({ invariant: "I6", topic, key, event, message });
  }
  return found;
}

/** I8, of publishes: an identity that was given by the publisher stands once. */
export function checkUnique({ log }: History): Violation[] {
  const seen = new Set<string>();
  const found: Violation[] = [];
  for (const { topic, key, event } of log) {
    const id = `${topic} ${event}`;
    if (seen.has(id)) found.push({ invariant: "I8", topic, key, event, message: `${event} stands in ${topic} twice.` });
    seen.add(id);
  }
  return found;
}
