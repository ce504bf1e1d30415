import { TidingsError } from "../../errors/tidings-error.ts";
import { sleep } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import { type Catalog, checkPlace } from "./catalog.ts";
import type { Connection } from "./connection.ts";
import { backOff, type Connections } from "./connections.ts";
import { describeFailure, failureKind, passes, toCallError, toTidingsError, unknownOutcome } from "./failure.ts";
import { argumentsOf, type Call, eventsOf, type Group, settle, streamsOf, takeCalls } from "./group.ts";
import type { Keys } from "./keys.ts";
import type { Settings } from "./options.ts";
import { appendScript } from "./scripts/append.ts";
import { fenceScript } from "./scripts/fence.ts";
import type { StoreWatch } from "./store-watch.ts";

/** What a committer works with. */
export interface CommitterParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly keys: Keys;
  readonly connections: Connections;
  readonly catalog: Catalog;
  readonly watch: StoreWatch;
  readonly deduplicationWindowMs: number;
  /** What members know this one by. */
  readonly me: string;
  /** Called after each group that was applied, with the topics that it touched. */
  readonly committed: (topics: ReadonlySet<string>) => void;
}

/** How many groups may be under way: while the server syncs one, the next is on its way. Answers are kept for twice as many. */
const groupsMax = 2;
/** What a server needs for a group whatever is in it, its sync above all, that is worth no more groups, in milliseconds. */
const dearMs = 2;
/** About what a server needs for an event, in milliseconds. */
const eventMs = 0.02;
/** So few are not divided. */
const dividedMin = 64;
/** How long the server remembers what became of a writer's last groups. */
const rememberMs = 24 * 60 * 60 * 1000;
/** How long the farewell may take, in milliseconds. */
const leaveMs = 1000;
/** More topics than this are told of as "something". */
const topicsToldMax = 32;

/**
 * Gathers publishes into groups and has the server append them, in order: one script, one sync each. The server keeps number
 * and answer of the last groups of each writer, so that after a lost connection it can be told what took effect; what did not
 * is sent again, and what is still on its way from before is refused.
 */
export class Committer {
  readonly #parts: CommitterParts;
  readonly #writerKey: string;
  #queue: Call[] = [];
  /** Groups that were sent and are not settled, in order. */
  #sent: Group[] = [];
  #connection: Connection | undefined;
  #epoch = "";
  /** Whether the server knows the epoch, on the connection at hand. */
  #fenced = false;
  /** Number of the last group that was applied. */
  #applied = 0;
  #running = false;
  #tries = 0;
  #commits = 0;
  /** Whether a group takes the server long whatever is in it. */
  #isDear = false;
  #trouble: string | undefined;
  #wake: () => void = () => undefined;
  #idle: (() => void)[] = [];
  /** By stream, the position behind the last event that was acknowledged. */
  readonly #acknowledged = new Map<string, number>();

  constructor(parts: CommitterParts) {
    this.#parts = parts;
    this.#writerKey = parts.keys.writer(parts.me);
  }

  submit(call: Call): void {
    this.#queue.push(call);
    if (this.#running) return this.#wake();
    this.#running = true;
    // What is published in one turn of the event loop goes together.
    this.#parts.platform.clock.soon(() => void this.#run());
  }

  /** Resolves when every call that was submitted is answered. */
  drained(): Promise<void> {
    return this.#running ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve();
  }

  /** Has the server forget this writer; it would by itself after a day. */
  async leave(): Promise<void> {
    if (!this.#connection?.alive) return;
    const left = this.#connection.send(["DEL", this.#writerKey]).catch(() => undefined);
    // A connection that is half open never answers.
    await Promise.race([left, sleep(this.#parts.platform.clock, leaveMs)]);
  }

  /** Groups that were applied. */
  commits(): number {
    return this.#commits;
  }

  /** Why nothing can be written now. */
  trouble(): string | undefined {
    return this.#trouble;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0 || this.#sent.length > 0) {
      try {
        if (this.#sent.some(({ refusal, lostAtMs }) => refusal !== undefined || lostAtMs !== undefined)) {
          // Answers come in order: what was sent behind is refused as well, or lost.
          if (this.#sent.some(isUnderWay)) await this.#signal();
          else if (this.#sent.some(({ lostAtMs }) => lostAtMs !== undefined)) await this.#recover();
          else await this.#rewind();
        } else if (this.#sent.length >= groupsMax || this.#queue.length === 0) await this.#signal();
        else {
          // Whoever was answered just now may have more to write: it goes along, instead of after a sync of what is there alone.
          if (this.#commits > 0) await new Promise<void>((resolve) => this.#parts.platform.clock.soon(resolve));
          await this.#sendNext();
        }
      } catch (error) {
        await this.#failed(error);
      }
    }
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Resolves when there is something to do. */
  #signal(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  async #sendNext(): Promise<void> {
    const { connection } = await this.#ready();
    const { settings, catalog } = this.#parts;
    const taken = takeCalls(this.#queue, settings, this.#share());
    const topics = new Set<string>();
    for (const { drafts } of taken) for (const { topic } of drafts) topics.add(topic);
    await catalog.load(topics, connection);
    this.#queue = this.#queue.slice(taken.length);
    const calls = taken.filter((call) => this.#isPlaced(call));
    if (calls.length === 0) return;
    const number = this.#applied + this.#sent.length + 1;
    const group: Group = { number, calls, streams: streamsOf(calls), sentAtMs: this.#parts.platform.clock.monotonic() };
    this.#sent.push(group);
    void this.#send(connection, group, topics);
  }

  /**
   * How many events a group should have: half of all that are there, so that the server works on these while the others are made
   * or told of, unless its syncs are what takes the time.
   */
  #share(): number {
    if (this.#isDear) return Infinity;
    const there = this.#sent.reduce((sum, { calls }) => sum + eventsOf(calls), eventsOf(this.#queue));
    return Math.max(dividedMin, Math.ceil(there / 2));
  }

  #isPlaced(call: Call): boolean {
    try {
      for (const { topic, partition } of call.drafts) checkPlace(this.#parts.catalog.get(topic), topic, partition);
      return true;
    } catch (error) {
      call.reject(error as Error);
      return false;
    }
  }

  async #send(connection: Connection, group: Group, topics: ReadonlySet<string>): Promise<void> {
    const { keys, settings, watch, deduplicationWindowMs, me } = this.#parts;
    const news = topics.size > topicsToldMax ? `${me} *` : [me, ...topics].join(" ");
    try {
      const answer = await connection.send<string>([
        "EVALSHA", appendScript.sha, String(group.streams.length + 2), keys.meta, this.#writerKey, ...group.streams,
        watch.store, this.#epoch, String(group.number), String(Math.max(1, Math.ceil(deduplicationWindowMs))),
        settings.notify ? keys.channel : "", news, ...argumentsOf(group),
      ]); // prettier-ignore
      if (answer.startsWith("+")) this.#applies(group, answer);
      else group.refusal = answer;
    } catch (error) {
      if (failureKind(error) === "lost") group.lostAtMs = this.#parts.platform.clock.monotonic();
      else group.refusal = error;
    }
    this.#wake();
  }

  #applies(group: Group, answer: string): void {
    const tookMs = this.#parts.platform.clock.monotonic() - group.sentAtMs;
    this.#isDear = tookMs > dearMs + eventMs * eventsOf(group.calls);
    this.#sent = this.#sent.filter((one) => one !== group);
    this.#applied = group.number;
    this.#commits++;
    this.#tries = 0;
    this.#trouble = undefined;
    const { watch, committed } = this.#parts;
    const firsts = answer.slice(1).split(";", 1)[0]?.split(",") ?? [];
    // Members have positions behind these: an event there would be skipped, so that it is not acknowledged.
    if (group.streams.some((stream, index) => isBefore(firsts[index], this.#acknowledged.get(stream)))) {
      const replaced = watch.stop("it was set back to an earlier state");
      for (const call of group.calls) call.reject(replaced);
      return;
    }
    for (const [stream, next] of settle(group, answer)) {
      this.#acknowledged.set(stream, next);
      watch.seen(stream, next);
    }
    committed(new Set(group.calls.flatMap(({ drafts }) => drafts.map(({ topic }) => topic))));
  }

  /** A connection on which nothing from before can come in between. */
  async #ready(): Promise<{ connection: Connection }> {
    this.#parts.watch.throwIfReplaced();
    if (!this.#connection?.alive || !this.#fenced) await this.#recover();
    return { connection: this.#connection as Connection };
  }

  /** Begins a new epoch, and settles what was under way: it was applied, or never will be. */
  async #recover(): Promise<void> {
    const { connections, platform, keys, watch, settings } = this.#parts;
    this.#fenced = false;
    const connection = await connections.get("writes");
    const epoch = platform.ids.next();
    const [, reply] = await Promise.all([
      connection.load(appendScript),
      connection.run<string | string[]>(fenceScript, [keys.meta, this.#writerKey], [watch.store, epoch, String(rememberMs)]),
    ]); // prettier-ignore
    if (typeof reply === "string") throw watch.another();
    const [last, ...answers] = reply;
    const applied = Number(last);
    [this.#connection, this.#epoch, this.#fenced] = [connection, epoch, true];
    const before = this.#sent;
    const again: Call[] = [];
    for (const group of before) {
      if (group.number <= applied && applied - group.number < answers.length)
        this.#applies(group, answers[group.number % answers.length] as string);
      // The server remembers nothing of this writer: a day of silence, or data that were set back.
      else if (applied < 0 && group.refusal === undefined)
        for (const call of group.calls) call.reject(unknownOutcome(settings.address, "the server has forgotten it"));
      else again.push(...group.calls);
    }
    this.#sent = [];
    this.#applied = Math.max(0, applied);
    this.#queue = [...again, ...this.#queue];
  }

  /** The server has refused the first of the groups that were sent, and with it the others; nothing of them was written. */
  async #rewind(): Promise<void> {
    const [head, ...others] = this.#sent as [Group, ...Group[]];
    const refusal = head.refusal;
    const again = others.flatMap(({ calls }) => calls);
    this.#sent = [];
    const back = (calls: readonly Call[]): void => void (this.#queue = [...calls, ...again, ...this.#queue]);
    if (typeof refusal === "string") {
      back(refusal.startsWith("gone ") ? this.#withoutGone(head, refusal) : head.calls);
      this.#fenced = false;
      if (refusal === "replaced") throw this.#parts.watch.another();
      return;
    }
    const kind = failureKind(refusal);
    if (kind === "unloaded") {
      back(head.calls);
      this.#fenced = false;
    } else if (passes(refusal)) {
      back(head.calls);
      // Another server may stand behind the address by now.
      if (kind === "read-only") this.#connection?.giveUp("it takes no writes");
      throw refusal;
    } else {
      back([]);
      this.#refuse(head, refusal);
    }
  }

  #refuse({ calls }: Group, refusal: unknown): void {
    const { address } = this.#parts.settings;
    const kind = failureKind(refusal);
    let error = toTidingsError(refusal, address);
    if (kind === "full") this.#trouble = error.message;
    // A script that fails in its midst leaves what it has written.
    if (kind === "other") error = unknownOutcome(address, describeFailure(refusal));
    for (const call of calls) call.reject(error);
  }

  /** Refuses the calls that append to a stream that is not there; answers with the others. */
  #withoutGone({ calls, streams }: Group, refusal: string): readonly Call[] {
    const gone = streams[Number(refusal.slice(5))];
    const { address } = this.#parts.settings;
    const isHit = ({ drafts }: Call): boolean => drafts.some(({ stream }) => stream === gone);
    for (const call of calls.filter(isHit))
      call.reject(
        new TidingsError(
          "TIDINGS_FILE_CORRUPT",
          `The stream "${gone}" at ${address} is gone; somebody has removed it.`,
          {
            details: { address, stream: gone ?? "" },
          },
        ),
      );
    return calls.filter((call) => !isHit(call));
  }

  async #failed(error: unknown): Promise<void> {
    const { settings, platform, watch } = this.#parts;
    const replaced = watch.replaced();
    const ours = replaced ?? toCallError(error, settings.address);
    const waits = !replaced && passes(error);
    const before = platform.clock.monotonic() - (waits ? settings.busyTimeoutMs : -1);
    this.#queue = this.#queue.filter((call) => {
      if (call.sinceMs > before) return true;
      call.reject(waits ? lateError(settings, error) : ours);
      return false;
    });
    this.#sent = this.#sent.filter((group) => {
      if (isUnderWay(group) || (group.lostAtMs ?? before) > before) return true;
      for (const call of group.calls) call.reject(unknownOutcome(settings.address, describeFailure(error)));
      return false;
    });
    if (waits && (this.#queue.length > 0 || this.#sent.length > 0)) await backOff(platform, this.#tries++);
  }
}

const isBefore = (first: string | undefined, next = 0): boolean =>
  first !== undefined && first !== "" && Number(first) < next;

const isUnderWay = ({ refusal, lostAtMs }: Group): boolean => refusal === undefined && lostAtMs === undefined;

function lateError({ address, busyTimeoutMs }: Settings, error: unknown): TidingsError {
  const sentence = `Nothing was written to ${address} for ${busyTimeoutMs} ms: ${describeFailure(error)}. Try again.`;
  return new TidingsError("TIDINGS_UNREACHABLE", sentence, { details: { address, waitedMs: busyTimeoutMs } });
}
