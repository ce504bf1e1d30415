// Compares what an image holds with what was promised before the power failed, and with itself.
import { check } from "../../src/testing/check/check.ts";
import type { InvariantId } from "../../src/testing/check/violation.ts";
import type { Content, Entry, Log } from "./content.ts";
import type { Findings } from "./findings.ts";
import { historyOf } from "./history.ts";
import { type Known, placeOf } from "./known.ts";
import { remembers, runsSql, subscriptions } from "./workload/app.ts";
import { idOf, moveBy, textBy } from "./workload/events.ts";

const countsAsLost: ReadonlySet<InvariantId> = new Set(["I1", "I7"]);

/** Everything that holds whenever the power fails; and with `healed`, when everything was handled afterwards. */
export function checkContent(findings: Findings, content: Content, known: Known, healed = false): void {
  const positions = Object.values(subscriptions).reduce((sum, partitions) => sum + partitions, 0);
  if (known.started && content.positions.size !== positions)
    findings.addLost(
      `${positions - content.positions.size} positions of subscriptions, which were stored at the start`,
    );
  const { violations } = check(historyOf(content, known, healed));
  for (const { invariant, message, event, topic } of violations) {
    // Before the first acknowledgement there is little to see.
    if (invariant === "VACUOUS") continue;
    if (invariant === "I1") findings.addLost(`the acknowledged event ${event} of ${topic} (I1)`);
    else if (countsAsLost.has(invariant)) findings.addLost(`${invariant}: ${message}`);
    else findings.add(`${invariant}: ${message}`);
  }
  for (const log of content.logs) checkLog(findings, log, known);
  checkScratch(findings, content, known);
  checkCalls(findings, content);
  checkSeen(findings, content, known);
  const handled = handledOf(content);
  checkEffects(findings, content, handled);
  checkCounts(findings, "counter", content, handled("counter/orders", "orders"));
  checkCounts(findings, "auditor", content, handled("auditor/effects", "effects"));
  checkTotals(findings, content);
  checkBank(findings, content, known);
  checkAtMostOnce(findings, content, known);
}

/** As many events as the bounds say; and nothing is removed that nobody wanted to be. */
function checkLog(findings: Findings, { topic, partition, first, next, entries }: Log, known: Known): void {
  const place = `${topic}/${partition}`;
  if (first > (topic === "scratch" ? known.retaining : 0))
    findings.addLost(`${place} begins at ${first}, and nobody asked for the removal of what was before`);
  findings.same(`the number of events in ${place}`, entries.length, next - first);
}

/** The topic of which the beginning is removed: what is there is whole, and what was told is there unless it was removed. */
function checkScratch(findings: Findings, { logs }: Content, known: Known): void {
  const there = new Map<string, Set<number>>();
  const [log] = logs.filter(({ topic }) => topic === "scratch");
  for (const [index, { position, data, text }] of (log?.entries ?? []).entries()) {
    const { by, n } = data;
    if (position !== (log?.first ?? 0) + index) findings.add(`scratch has a hole before ${position}`);
    if (n > (known.tried.get(`scratch/${by}`) ?? -1))
      findings.add(`scratch holds ${idOf(data)}, which nobody has tried to publish yet`);
    if (text !== textBy(by, n)) findings.add(`scratch holds other bytes than ${idOf(data)} has`);
    there.set(by, (there.get(by) ?? new Set()).add(n));
  }
  for (const { by, n } of known.acknowledged.get("scratch") ?? []) {
    const numbers = there.get(by) ?? new Set();
    // What was removed is older than everything of its publisher that is left.
    const removed = (log?.first ?? 0) > 0 && ![...numbers].some((other) => other <= n);
    if (!numbers.has(n) && !removed) findings.addLost(`the acknowledged event ${by}-${n} of scratch`);
  }
}

/** A publisher's calls commit in their order, whatever keys they have: what is there is a beginning of all. */
function checkCalls(findings: Findings, { logs }: Content): void {
  for (const topic of ["orders", "moves"]) {
    const there = new Map<string, Set<number>>();
    for (const { data } of logs.filter((log) => log.topic === topic).flatMap(({ entries }) => entries))
      there.set(data.by, (there.get(data.by) ?? new Set()).add(data.n));
    for (const [by, numbers] of there) {
      const last = Math.max(...numbers);
      for (let n = 0; n < last; n++)
        if (!numbers.has(n))
          findings.add(`${topic} holds ${by}-${last} and not ${by}-${n}, which was published before`);
    }
  }
}

/** What a handler was given is on the disk, at the place where it saw it. */
function checkSeen(findings: Findings, { logs, remembered }: Content, known: Known): void {
  const ids = new Map(
    logs.flatMap(({ topic, partition, entries }) =>
      entries.map(({ position, id }) => [placeOf(topic, partition, position), id] as const),
    ),
  );
  for (const [place, id] of known.seen)
    if (ids.get(place) !== id) findings.addLost(`the event ${id} that a handler was given as ${place}`);
  for (const key of known.remembered)
    if (!remembered.has(key)) findings.addLost(`the result that ctx.once remembered of ${key}`);
}

type HandledOf = (subscription: string, topic: string) => readonly Entry[];

/** Events that the store counts as handled: settled by the position, and not waiting behind a held key. */
function handledOf({ logs, positions, held }: Content): HandledOf {
  return (subscription, topic) =>
    logs
      .filter((log) => log.topic === topic)
      .flatMap(({ partition, entries }) => {
        const at = positions.get(`${subscription}/${String(partition).padStart(5, "0")}`);
        if (!at) return [];
        return entries.filter(
          ({ position, id }) =>
            (position < at.low || at.finished.some(([from, to]) => position >= from && position <= to)) &&
            held.get(subscription)?.has(id) !== true,
        );
      });
}

/** All of a delivery or nothing: its effect, its SQL and what it remembers go with its position. */
function checkEffects(findings: Findings, { logs, sql, remembered }: Content, handled: HandledOf): void {
  const orders = new Map(handled("counter/orders", "orders").map((entry) => [entry.id, entry]));
  const effects = logs.filter(({ topic }) => topic === "effects").flatMap(({ entries }) => entries);
  for (const { causationid = "", text, data } of effects) {
    const cause = orders.get(causationid);
    if (!cause) findings.add(`the effect of ${idOf(data)} is there, and the order is not handled`);
    else if (cause.text !== text) findings.add(`the effect of ${idOf(data)} is not what its handler published`);
  }
  const inSql = new Set<string>();
  for (const { data } of orders.values()) {
    if (runsSql(data)) inSql.add(idOf(data));
    if (remembers(data) && !remembered.has(idOf(data)))
      findings.add(`${idOf(data)} is handled, and what it was to remember is not there`);
  }
  for (const id of inSql) if (!sql.has(id)) findings.add(`${id} is handled, and its SQL did not run`);
  for (const id of sql) if (!inSql.has(id)) findings.add(`SQL ran for ${id}, which is not handled`);
}

/** The documents of a service count exactly what it has handled. */
function checkCounts(
  findings: Findings,
  service: "counter" | "auditor",
  { counts }: Content,
  handled: readonly Entry[],
): void {
  const expected = new Map<string, { count: number; last: Record<string, number> }>();
  for (const { data } of handled) {
    const { count, last } = expected.get(data.key) ?? { count: 0, last: {} };
    last[data.by] = Math.max(last[data.by] ?? -1, data.n);
    expected.set(data.key, { count: count + 1, last });
  }
  findings.same(`the number of documents of ${service}`, counts[service].size, expected.size);
  for (const [key, { count, last, reordered }] of counts[service]) {
    const { count: wanted = 0, last: lastWanted = {} } = expected.get(key) ?? {};
    findings.same(`the count of ${service} for ${key}`, count, wanted);
    findings.same(`the last events of ${service} for ${key}`, sorted(last), sorted(lastWanted));
    findings.same(`how often ${service} saw ${key} out of order`, reordered, 0);
  }
}

const sorted = (record: Readonly<Record<string, number>>) =>
  Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));

/** The counters of each position add up to what it has passed, and nothing became a dead letter. */
function checkTotals(findings: Findings, { totals, positions }: Content): void {
  for (const { subscription, deadLetters } of totals)
    findings.same(`the number of dead letters of ${subscription}`, deadLetters, 0);
  for (const [name, { start, low, finished, counts }] of positions) {
    const settled = low - start + finished.reduce((sum, [from, to]) => sum + to - from + 1, 0);
    const sum = Object.values(counts).reduce((all, count) => all + count, 0);
    findings.same(`the sum of the counts at ${name}`, sum, settled);
  }
}

/** Documents, timers and events of a move are there together, and nothing of the money is lost. */
function checkBank(findings: Findings, { logs, accounts, timers }: Content, known: Known): void {
  const balances = new Map<string, { balance: number; touched: number }>();
  const add = (account: string, amount: number): void => {
    const { balance, touched } = balances.get(account) ?? { balance: 0, touched: 0 };
    balances.set(account, { balance: balance + amount, touched: touched + 1 });
  };
  const moved = new Map<string, string>();
  for (const { data } of logs.filter(({ topic }) => topic === "moves").flatMap(({ entries }) => entries)) {
    const { from, to, amount } = moveBy(data.by, data.n);
    add(from, -amount);
    add(to, amount);
    moved.set(idOf(data), JSON.stringify(amount));
  }
  findings.same("the number of accounts", accounts.size, balances.size);
  for (const [key, { account, version }] of accounts) {
    const { balance, touched } = balances.get(key) ?? { balance: 0, touched: 0 };
    findings.same(`the account ${key}`, [account.balance, account.touched, version], [balance, touched, touched]);
  }
  for (const [key, version] of known.accounts) {
    const found = accounts.get(key)?.version ?? 0;
    if (found < version) findings.addLost(`version ${version} of the account ${key}, which is at ${found}`);
  }
  findings.same("the number of timers", timers.size, moved.size);
  for (const [id, amount] of moved) findings.same(`the timer of the move ${id}`, timers.get(id), amount);
}

/** What ran at most once counts as begun, so that it never runs again. */
function checkAtMostOnce(findings: Findings, content: Content, known: Known): void {
  const handled = handledOf(content);
  const settled = new Set(
    ["orders", "moves"].flatMap((topic) =>
      handled(`once/${topic}`, topic).map(({ partition, position }) => placeOf(topic, partition, position)),
    ),
  );
  for (const place of known.ran)
    if (!settled.has(place)) findings.addLost(`that the handler of ${place}, which runs at most once, has run`);
}
