// Compares what an image holds with what was promised before the power failed, and with itself.
import type { Content, Entry, Log } from "./content.ts";
import type { Findings } from "./findings.ts";
import { type Known, placeOf } from "./known.ts";
import { remembers, runsSql, subscriptions } from "./workload/app.ts";
import { callOf, idOf, moveBy, saidBy } from "./workload/events.ts";

/** Everything that holds whenever the power fails. */
export function checkContent(findings: Findings, content: Content, known: Known): void {
  const positions = Object.values(subscriptions).reduce((sum, partitions) => sum + partitions, 0);
  if (known.started && content.positions.size !== positions)
    findings.addLost(
      `${positions - content.positions.size} positions of subscriptions, which were stored at the start`,
    );
  for (const log of content.logs) checkLog(findings, log, known);
  checkPublished(findings, content, known);
  checkSeen(findings, content, known);
  const handled = handledOf(content);
  checkEffects(findings, content, handled);
  checkCounts(findings, "counter", content, handled("counter/orders", "orders"));
  checkCounts(findings, "auditor", content, handled("auditor/effects", "effects"));
  checkTotals(findings, content);
  checkBank(findings, content, known);
  checkAtMostOnce(findings, content, known);
}

/** Dense, and each event exactly as its publisher made it. */
function checkLog(findings: Findings, { topic, partition, first, next, entries }: Log, known: Known): void {
  const place = `${topic}/${partition}`;
  if (first > (topic === "scratch" ? known.retaining : 0)) {
    findings.addLost(`${place} begins at ${first}, and nobody asked for the removal of what was before`);
  }
  findings.same(`the number of events in ${place}`, entries.length, next - first);
  for (const [index, { position, key, data, text }] of entries.entries()) {
    if (position !== first + index) findings.add(`${place} has a hole before ${position}`);
    const expected = saidBy(data.by, data.n);
    if (text !== JSON.stringify(expected) || key !== expected.key)
      findings.add(`${place}/${position} does not hold the bytes that ${idOf(data)} was published with`);
  }
}

/** Nothing acknowledged is lost; of each publisher there is a beginning of what it published, once and in order. */
function checkPublished(findings: Findings, { logs }: Content, known: Known): void {
  for (const topic of ["orders", "moves", "scratch"]) {
    const entries = logs.filter((log) => log.topic === topic).flatMap((log) => log.entries);
    const removed = logs.some((log) => log.topic === topic && log.first > 0);
    const there = new Map<string, Set<number>>();
    for (const { data } of entries) {
      const numbers = there.get(data.by) ?? new Set();
      if (numbers.has(data.n)) findings.add(`${topic} holds ${idOf(data)} twice`);
      there.set(data.by, numbers.add(data.n));
      const tried = known.tried.get(`${topic}/${data.by}`) ?? -1;
      if (data.n > tried) findings.add(`${topic} holds ${idOf(data)}, which nobody has tried to publish yet`);
    }
    for (const { by, n } of known.acknowledged.get(topic) ?? []) {
      // What retention has removed was older than everything of its publisher that is left.
      const gone = removed && !Array.from(there.get(by) ?? []).some((other) => other <= n);
      if (!there.get(by)?.has(n) && !gone) findings.addLost(`the acknowledged event ${by}-${n} of ${topic}`);
    }
    for (const [by, numbers] of there) checkBeginning(findings, topic, by, numbers, removed);
  }
  for (const { topic, partition, entries } of logs) checkOrder(findings, `${topic}/${partition}`, entries);
}

/** Calls of a publisher commit in their order, each with all of its events. */
function checkBeginning(
  findings: Findings,
  topic: string,
  by: string,
  numbers: ReadonlySet<number>,
  removed: boolean,
): void {
  const last = Math.max(...numbers);
  const from = removed ? Math.min(...numbers) : 0;
  for (let n = from; n < last; n++)
    if (!numbers.has(n)) findings.add(`${topic} holds ${by}-${last} and not ${by}-${n}, which was published before`);
  if (topic !== "orders") return;
  for (const n of callOf(last))
    if (!numbers.has(n)) findings.add(`of the call that published ${by}-${last}, ${by}-${n} is missing`);
}

function checkOrder(findings: Findings, place: string, entries: readonly Entry[]): void {
  const last = new Map<string, number>();
  for (const { data } of entries) {
    const lane = `${data.by} ${data.key}`;
    if (data.n < (last.get(lane) ?? -1)) findings.add(`${idOf(data)} stands too late in ${place}`);
    last.set(lane, data.n);
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
  const causes = new Set<string>();
  const last = new Map<string, number>();
  for (const { causationid = "", text, data } of effects) {
    const cause = orders.get(causationid);
    if (!cause) findings.add(`the effect of ${idOf(data)} is there, and the order is not handled`);
    else if (cause.text !== text) findings.add(`the effect of ${idOf(data)} is not what its handler published`);
    if (causes.has(causationid)) findings.add(`the effect of ${idOf(data)} is there twice`);
    causes.add(causationid);
    if (cause && cause.position < (last.get(data.key) ?? -1))
      findings.add(`the effect of ${idOf(data)} stands too late`);
    if (cause) last.set(data.key, cause.position);
  }
  const inSql = new Set<string>();
  for (const { id, data } of orders.values()) {
    if (!causes.has(id)) findings.add(`${idOf(data)} is handled, and its effect is not there`);
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

/** The counters add up, and agree with the positions. */
function checkTotals(findings: Findings, { totals, positions, held }: Content): void {
  for (const each of totals) {
    const {
      subscription,
      total,
      handled,
      held: behind,
      discarded,
      filtered,
      expired,
      skipped,
      unknown,
      pending,
    } = each;
    const sum = handled + behind + discarded + filtered + expired + skipped + unknown + pending;
    findings.same(`the sum of the counts of ${subscription}`, sum, total);
    findings.same(`the count of held events of ${subscription}`, behind, held.get(subscription)?.size ?? 0);
    findings.same(`the number of dead letters of ${subscription}`, each.deadLetters, 0);
  }
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
