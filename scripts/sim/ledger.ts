// What must hold of the workload in the end: the two traces of each service agree, in order, and the money adds up.
import type { InvariantId, SimulationEnd, Violation } from "tidings/testing";
import { type Done, done, type Work, work } from "./contracts.ts";
import { accounts, type Place, seen } from "./services.ts";

const textOf = (places: readonly Place[]): string => places.map((place) => place.join(":")).join(" ");

/** Services of which operators may repeat events. */
const movable = ["loose", "noted", "inbox"];
/** Services in which an event of a key may pass one that failed: at most once, what fails is a dead letter on its own. */
const unordered = ["loose", "noted", "most", "inbox"];

export async function checkLedger(end: SimulationEnd, services: readonly string[]): Promise<readonly Violation[]> {
  const found: Violation[] = [];
  const add: Add = (invariant, subscription, key, message) =>
    void found.push({ invariant, subscription, key, message });
  const told = new Map<string, Place[]>();
  for (const { data } of await end.log(done.name)) {
    const { service, key, partition, position } = data as Done;
    const id = `${service} ${key}`;
    told.set(id, [...(told.get(id) ?? []), [partition, position]]);
  }
  const restored = restoredIn(end);
  for (const service of services) {
    if (service === "audit") continue;
    if (service === "swift") {
      await checkHot(end, told, add);
      continue;
    }
    const lists = await end.state<readonly Place[]>(service, seen);
    const keys = new Set([...lists.keys(), ...[...told.keys()].filter((id) => id.startsWith(`${service} `)).map((id) => id.slice(service.length + 1))]); // prettier-ignore
    for (const key of keys) {
      const kept = lists.get(key) ?? [];
      const sent = told.get(`${service} ${key}`) ?? [];
      if (textOf(kept) !== textOf(sent))
        add("I6", service, key, `${service} kept ${textOf(kept)} for ${key} and told of ${textOf(sent)}.`);
      if (!movable.includes(service) && new Set(kept.map(String)).size !== kept.length)
        add("I8", service, key, `${service} handled an event of ${key} twice: ${textOf(kept)}.`);
      const inTurn = kept.filter((place) => !restored.has(`${service} ${place.join(":")}`));
      if (
        !unordered.includes(service) &&
        inTurn.some(([, position], i) => i > 0 && position < (inTurn[i - 1] as Place)[1])
      )
        // prettier-ignore
        add("I9", service, key, `${service} handled events of ${key} out of order: ${textOf(kept)}.`);
    }
  }
  if (services.includes("inbox")) checkInbox(end, add);
  if (services.includes("audit")) await checkAudit(end, told, add);
  await checkMoney(end, told, add);
  checkOnce(end, add);
  return found;
}

/** Service and place of events that an operator has discarded and taken back: they have lost their turn. */
function restoredIn({ history }: SimulationEnd): ReadonlySet<string> {
  const restored = new Set<string>();
  for (const { subscription, topic, restored: events = [] } of history.subscriptions ?? [])
    for (const { event, topic: its, partition, position } of history.log)
      if (its === topic && events.includes(event))
        restored.add(`${subscription.slice(0, subscription.indexOf("/"))} ${partition}:${position}`);
  return restored;
}

type Add = (invariant: InvariantId, subscription: string, key: string, message: string) => void;

/** An inbox lets an event through once in each run, also when it stands in the topic twice. */
function checkInbox({ history }: SimulationEnd, add: Add): void {
  const through = new Set<string>();
  // By run, because a seek may move one partition and end without an answer: whether there was one says nothing here.
  for (const { subscription, event, key, run = 1 } of history.effects ?? []) {
    if (subscription !== `inbox/${work.name}`) continue;
    const identity = event.replace(/ \(2\)$/, "");
    const id = `${run} ${identity}`;
    if (through.has(id)) add("I8", "inbox", key ?? "", `The inbox let ${identity} through twice in run ${run}.`);
    through.add(id);
  }
}

/** The document that all keys write has counted each of its events once. */
async function checkHot(end: SimulationEnd, told: ReadonlyMap<string, Place[]>, add: Add): Promise<void> {
  const counted = (await end.state<number>("swift", "hot")).get("all") ?? 0;
  const all = [...told].filter(([id]) => id.startsWith("swift ")).flatMap(([, places]) => places.map(String));
  const numbers = new Map((await end.log(work.name)).map(({ data, partition, position }) => [`${partition},${position}`, (data as Work).n])); // prettier-ignore
  const expected = all.filter((place) => (numbers.get(place) ?? 1) % 3 === 0).length;
  if (counted !== expected)
    add(
      "I8",
      "swift",
      "",
      `The hot document has counted ${counted}, and ${expected} events that write it were handled.`,
    );
}

/** The auditor has heard of everything, once and in order, except of what it has given up. */
async function checkAudit(end: SimulationEnd, told: ReadonlyMap<string, Place[]>, add: Add): Promise<void> {
  const heard = await end.state<readonly Place[]>("audit", seen);
  const gaveUp = (end.history.deadLetters ?? []).some(({ subscription }) => subscription.startsWith("audit/"));
  for (const [id, sent] of told) {
    const kept = heard.get(id) ?? [];
    if (textOf(kept) === textOf(sent)) continue;
    if (!gaveUp) add("I8", "audit", id, `The auditor heard ${textOf(kept)} of ${id}, and ${textOf(sent)} was told.`);
  }
}

/** Each account has what the handled transfers make of it, and all together nothing. */
async function checkMoney(end: SimulationEnd, told: ReadonlyMap<string, Place[]>, add: Add): Promise<void> {
  const transfers = new Map<string, Work>();
  for (const { data, partition, position } of await end.log(work.name))
    transfers.set(`${partition}:${position}`, data as Work);
  const expected = new Map<string, number>();
  const book = (account: string, amount: number): void =>
    void expected.set(account, (expected.get(account) ?? 0) + amount);
  for (const [id, places] of told) {
    if (!id.startsWith("ledger ")) continue;
    for (const place of places) {
      const { key, to, amount } = transfers.get(place.join(":")) as Work;
      book(key, -amount);
      book(to, amount);
    }
  }
  const kept = await end.state<number>("ledger", accounts);
  let sum = 0;
  for (const amount of kept.values()) sum += amount;
  if (sum !== 0) add("I8", "ledger", "", `The accounts add up to ${sum}.`);
  for (const account of new Set([...expected.keys(), ...kept.keys()])) {
    const [has, should] = [kept.get(account) ?? 0, expected.get(account) ?? 0];
    if (has !== should)
      add("I8", "ledger", account, `The account ${account} has ${has}, and its transfers make ${should}.`);
  }
}

/** At most once means that no handler ever sees an event again, unless an operator says so. */
function checkOnce({ history, outside }: SimulationEnd, add: Add): void {
  const redriven = new Set<string>();
  for (const { event, redrives = 0 } of history.deadLetters ?? []) if (redrives > 0) redriven.add(event);
  for (const { topic, event, key, partition, position } of history.log) {
    const times = topic === work.name ? (outside.get(`began most ${partition}:${position}`) ?? 0) : 0;
    if (times > 1 && !redriven.has(event))
      add("I8", "most", key ?? "", `${event} was handed to the handler of "most" ${times} times.`);
  }
}
