// Runs processes, ends them by SIGKILL at random moments and at kill points, starts them again on the same file, and lets
// the last one finish.
import { setTimeout as sleep } from "node:timers/promises";

import { type Dice, dice } from "../../examples/shop/random.ts";
import { type End, type Listener, Member, type Surroundings } from "./member.ts";
import { type Oracle, openOracle } from "./oracle.ts";
import { countMax, type KillPointName, KillPoints } from "./points.ts";

/** A place in which one process after the other runs. */
export interface Slot {
  /** The program, which speaks as `speak.ts` says. */
  readonly program: string;
  /** What each process is told; asked for anew each time. */
  readonly task: () => object;
  /** Kill points that it may come to. */
  readonly points: readonly KillPointName[];
  /** Kill points for the first process, which always gets one of them. */
  readonly firstPoints?: readonly KillPointName[];
  /** How long it lives on average, in milliseconds, where no kill point ends it; 150. */
  readonly lifeMs?: number;
}

export interface Plan extends Partial<Surroundings> {
  /** What runs beside each other. */
  readonly slots: readonly Slot[];
  /** What finishes alone, when all the others have been killed. */
  readonly last: { readonly program: string; readonly task: () => object };
  readonly oracle: string;
  readonly trace: string;
  readonly kills: number;
  readonly seed: number;
  readonly say: (text: string) => void;
  /** Counts the kill points, where several runs are one; made anew unless given. */
  readonly points?: KillPoints;
  /** What processes say besides what the supervisor understands. */
  readonly heard?: (word: string, rest: string) => void;
  /** What was hit in other scenarios of the same run. */
  readonly before?: KillPoints | undefined;
  /**
   * Also stops a process for so long, every so often; the others go on meanwhile. Some stop by themselves just before they
   * write at this point, so that the first thing they do when they come back is to write.
   */
  readonly stops?: { readonly everyMs: number; readonly forMs: number; readonly at: KillPointName };
}

/** What happened. */
export interface Killed {
  /** By kill point, how often a process died there. */
  readonly points: Readonly<Record<string, number>>;
  readonly stops: number;
}

/** Share of the kills that aim at a kill point, and the same while there are points that were hit less than twice. */
const aimedShare = 0.6;
const scarceShare = 0.8;
/** Share of the others that hit a process while it starts. */
const earlyShare = 0.2;
/** Share of the processes that stop by themselves, where processes are stopped. */
const stoppingShare = 0.25;
/** How often it passes the point, at most, before it stops there: soon, while it handles what had waited for it. */
const stopPassesMax = 8;
/** So long a process has to come to its kill point, and to one that takes failures and operators to come to. */
const aimMs = 700;
const rareMs = 2000;
/** Each time in vain it is given as much again, up to this. */
const patientMs = 4000;
const rare = /^(park|resolve|redrive|discard|answer|pause-key)\./;
/** How long a process that was stopped goes on. */
const afterStopMs = 150;
/** How long a process may take to run; a machine that is busy is slow. */
const readyMs = 60_000;
const finishMs = 600_000;

/** A run of kills. */
interface Run extends Surroundings {
  readonly plan: Plan;
  readonly oracle: Oracle;
  readonly chance: Dice;
  readonly points: KillPoints;
  readonly listener: Listener;
  kills: number;
  stops: number;
  /** Set when a process ended otherwise than by a kill. */
  failure: Error | undefined;
  /** The processes that may be stopped now. */
  readonly running: Set<Member>;
  readonly stopped: Set<Member>;
}

/** Resolves when the last process has finished; rejects when one ended otherwise than by our kill. */
export async function runWithKills(plan: Plan): Promise<Killed> {
  const oracle = openOracle(plan.oracle);
  const listener: Listener = {
    acknowledged: (numbers) => oracle.note(numbers),
    said: (word, rest) => plan.heard?.(word, rest),
  };
  const run: Run = {
    plan, oracle, listener, chance: dice(`${plan.seed}/crash`), points: plan.points ?? new KillPoints(plan.slots.flatMap(({ points }) => points), plan.before),
    kills: 0, stops: 0, failure: undefined, running: new Set(), stopped: new Set(), source: plan.source, trace: plan.trace, driver: plan.driver,
  }; // prettier-ignore
  try {
    if (plan.kills > 0)
      await Promise.all([...plan.slots.map((slot) => killAgainAndAgain(run, slot)), stopNowAndThen(run)]);
    if (run.failure) throw run.failure;
    plan.say("the last process finishes");
    await finish(run);
    return { points: run.points.hits(), stops: run.stops };
  } finally {
    oracle.close();
  }
}

const over = ({ kills, plan, failure }: Run): boolean => kills >= plan.kills || failure !== undefined;

async function killAgainAndAgain(run: Run, slot: Slot): Promise<void> {
  let standby = new Member(slot.program, run.listener, run);
  try {
    for (let isFirst = true; !over(run); isFirst = false) {
      const member = standby;
      standby = new Member(slot.program, run.listener, run);
      await killOnce(run, slot, member, isFirst ? slot.firstPoints : undefined);
    }
  } catch (error) {
    run.failure ??= error as Error;
  }
  standby.signal("SIGKILL");
  await standby.ended;
}

async function killOnce(
  run: Run,
  slot: Slot,
  member: Member,
  firstPoints: readonly KillPointName[] | undefined,
): Promise<void> {
  const { chance, points, running, stopped, plan } = run;
  if (plan.stops && firstPoints === undefined && chance.next() < stoppingShare)
    await stopItself(run, slot, member, plan.stops);
  else {
    const aimed =
      firstPoints !== undefined || chance.next() < (points.anyScarce(slot.points) ? scarceShare : aimedShare);
    const aim = aimed ? points.next(firstPoints ?? slot.points, (among) => chance.pick(among)) : undefined;
    const early = aim === undefined && chance.next() < earlyShare;
    member.begin({ ...slot.task(), last: false, point: aim ? `${aim}:${passesOf(run, aim)}` : "" });
    if (!early) await runs(member);
    running.add(member);
    await Promise.race([sleep(aim ? patienceMs(run, aim) : lifeMs(chance, early, slot)), member.ended]);
    running.delete(member);
  }
  // What was stopped has to come back first.
  while (stopped.has(member)) await sleep(20);
  member.signal("SIGKILL");
  const end = await member.ended;
  if (member.hit) points.hit(member.hit as KillPointName);
  // A process that was through before the kill reached it is no fault.
  if (end.signal !== "SIGKILL" && end.code !== 0) throw endedByItself("A process", end);
  if (over(run) || end.signal !== "SIGKILL") return;
  run.kills++;
  run.plan.say(`kill ${run.kills} of ${run.plan.kills}${member.hit ? ` at ${member.hit}` : ""}`);
}

/** Resolves when it runs, is gone, or is too slow to wait for. */
function runs(member: Member): Promise<void> {
  return Promise.race([member.ready, sleep(readyMs, undefined, { ref: false })]);
}

/** How often a process passes the point before it dies there; one that nobody came to dies the first time. */
function passesOf({ chance, points }: Run, aim: KillPointName): number {
  return points.inVain(aim) > 1 ? 1 : chance.between(1, countMax(aim));
}

/** `next` has counted the aim at hand. */
function patienceMs({ points }: Run, aim: KillPointName): number {
  return Math.min(patientMs, (rare.test(aim) ? rareMs : aimMs) * Math.max(1, points.inVain(aim)));
}

/** Lets a process stop just before it writes, long enough that it owns nothing any more, and then go on for a moment. */
async function stopItself(
  run: Run,
  slot: Slot,
  member: Member,
  { at, forMs }: NonNullable<Plan["stops"]>,
): Promise<void> {
  member.begin({ ...slot.task(), last: false, point: `${at}:${run.chance.between(1, stopPassesMax)}:stop` });
  // It may come there before it says that it runs.
  const stands = member.stopped.then(() => true);
  await Promise.race([stands, runs(member)]);
  if (!(await Promise.race([stands, sleep(aimMs, false), member.ended.then(() => false)]))) return;
  run.stops++;
  // Twice as long: others shall not only be able to take over what it owns, they shall have done so.
  await sleep(forMs * 2);
  member.signal("SIGCONT");
  await sleep(afterStopMs);
}

/** Most live shortly, some for long. */
function lifeMs(chance: Dice, early: boolean, { lifeMs: mean = 150 }: Slot): number {
  if (early) return chance.next() * 60;
  return chance.next() < 0.1 ? mean * (1 + chance.next() * 4) : chance.next() * mean * 1.6;
}

async function stopNowAndThen(run: Run): Promise<void> {
  const { stops } = run.plan;
  if (!stops) return;
  for (;;) {
    await waitUnlessOver(run, stops.everyMs);
    if (over(run)) return;
    if (run.running.size === 0) continue;
    const member = run.chance.pick([...run.running]);
    run.stopped.add(member);
    member.signal("SIGSTOP");
    run.stops++;
    await sleep(stops.forMs);
    member.signal("SIGCONT");
    // It has a moment to do what it must not do any more.
    await sleep(afterStopMs);
    run.stopped.delete(member);
  }
}

async function waitUnlessOver(run: Run, ms: number): Promise<void> {
  for (const until = performance.now() + ms; performance.now() < until && !over(run);) await sleep(20);
}

async function finish(run: Run): Promise<void> {
  const { program, task } = run.plan.last;
  const member = new Member(program, run.listener, run);
  member.begin({ ...task(), last: true, point: "" });
  const timer = setTimeout(() => member.signal("SIGKILL"), finishMs);
  const end = await member.ended;
  clearTimeout(timer);
  if (end.code !== 0) throw endedByItself("The last process", end);
}

function endedByItself(who: string, { code, signal, complaint }: End): Error {
  return new Error(`${who} ended by itself with ${signal ?? code}.\n${complaint}`);
}
