import type { Lease, LeaseRequest } from "../ports/leases.ts";
import type { Document, Scan } from "../ports/state.ts";
import type { Check, Conflict, Fence, Outcome } from "../ports/transaction.ts";
import type { Command, Written } from "./command.ts";
import { TimerBook } from "./timer-book.ts";

/** What a command came to: the outcome of a write, or the leases by request. */
export type Result = Outcome | readonly (Lease | undefined)[];

/** A lease that somebody holds, or held when it expired: what is released is forgotten. */
interface LeaseData {
  readonly owner: string;
  readonly token: number;
  expiresAtMs: number;
}

/** Nobody comes back to a lease that expired a day ago. */
const forgottenAfterMs = 24 * 60 * 60 * 1000;
const leasesMax = 1000;
/** So many members are known, those that have written last. */
const membersMax = 500;
/** A clock that differs by so much is wrong, was set, or stood still; or nobody was there for as long. */
const farMs = 30_000;

/** What is known of a member: the number of its last command, and what must be added to its clock for the time here. */
interface Member {
  readonly n: number;
  readonly aheadMs?: number;
}

type Dump = {
  readonly documents: Readonly<Record<string, readonly (readonly [key: string, version: number, value: string])[]>>;
  readonly leases: readonly (readonly [name: string, owner: string, token: number, expiresAtMs: number])[];
  readonly tokens: number;
  readonly timers: ReturnType<TimerBook["dump"]>;
  /** Absent in snapshots of old: then it begins anew. */
  readonly timeMs?: number;
  readonly members?: readonly (readonly [by: string, member: Member])[];
};

/**
 * The documents and leases that the commands of a journal come to. Two replicas that have applied the same commands are the same, so
 * whether a write was made or refused is the same for everybody.
 */
export class Replica {
  readonly #collections = new Map<string, Map<string, Document>>();
  readonly #leases = new Map<string, LeaseData>();
  #timers = new TimerBook();
  /** One counter for the tokens of all leases: none goes back, though leases are forgotten. */
  #tokens = 0;
  #timeMs = 0;
  /** Those that have written last at the end. */
  readonly #members = new Map<string, Member>();
  #chars = 0;

  /** What time it is here. Whether a lease is over goes by it, for all the same. */
  get timeMs(): number {
    return this.#timeMs;
  }

  /** Characters of all documents. */
  get chars(): number {
    return this.#chars;
  }

  /** Something was appended at an instant, by a clock that all share. */
  passed(atMs: number): void {
    this.#timeMs = Math.max(this.#timeMs, atMs);
  }

  /**
   * Something was appended at an instant by a member's own clock. One that is far off counts by how far it goes only, not by what it
   * says: the leases of a member that is an hour ahead, and all others, would last for an hour once it is gone.
   */
  passedAt(by: string, atMs: number): void {
    const { n = 0, aheadMs = 0 } = this.#members.get(by) ?? {};
    const told = atMs + aheadMs;
    if (this.#timeMs === 0 || Math.abs(told - this.#timeMs) <= farMs) return this.passed(told);
    this.#note(by, { n, aheadMs: this.#timeMs - atMs });
  }

  /** Takes note of a command of a member. False when it is there already, or came behind one that was written later: then it counts for nobody. */
  isNew({ by, n }: Written): boolean {
    const member = this.#members.get(by);
    if (member && n <= member.n) return false;
    this.#note(by, { ...member, n });
    return true;
  }

  #note(by: string, member: Member): void {
    this.#members.delete(by);
    this.#members.set(by, member);
    if (this.#members.size <= membersMax) return;
    for (const [oldest] of this.#members) return void this.#members.delete(oldest);
  }

  /** Applies a command. Tells what came of it; `wrote` is called for each collection that changed. */
  // oxlint-disable-next-line typescript/consistent-return -- each kind has its case
  apply(command: Command, wrote: (collection: string) => void): Result {
    const atMs = this.#timeMs;
    switch (command.op) {
      case "write":
        return this.#write(command, wrote);
      case "acquire":
        return command.requests.map((request) => this.#acquire(request, atMs));
      case "renew":
        return command.leases.map((lease) => this.#renew(lease, atMs + command.ttlMs));
      case "release":
        for (const lease of command.leases) if (this.#stillHeld(lease)) this.#leases.delete(lease.name);
        return [];
    }
  }

  get(collection: string, key: string): Document | undefined {
    return this.#collections.get(collection)?.get(key);
  }

  /** In key order; what lies in a journal is little, so it is sorted when it is asked for. */
  scan(collection: string, { prefix = "", after, limit }: Scan): readonly Document[] {
    return this.#keysOf(collection, prefix)
      .filter((key) => after === undefined || key > after)
      .sort()
      .slice(0, Math.max(0, limit))
      .map((key) => this.get(collection, key) as Document);
  }

  count(collection: string, prefix = ""): number {
    return this.#keysOf(collection, prefix).length;
  }

  leases(prefix: string, nowMs: number): readonly Lease[] {
    return [...this.#leases]
      .filter(([name, { expiresAtMs }]) => name.startsWith(prefix) && expiresAtMs > nowMs)
      .map(([name, data]) => leaseOf(name, data))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get timers(): TimerBook {
    return this.#timers;
  }

  /** Whether a write has documents or timers that are not there yet. */
  adds({ documents, timers }: Extract<Command, { op: "write" }>): boolean {
    return (
      documents.some(({ collection, key, value }) => value !== null && !this.get(collection, key)) ||
      timers.some(({ queue, key, dueAtMs }) => dueAtMs !== null && !this.#timers.find(queue, key))
    );
  }

  /** Why a write would be refused as things are. */
  conflictOf({
    fences,
    checks,
  }: {
    readonly fences: readonly Fence[];
    readonly checks: readonly Check[];
  }): Conflict | undefined {
    for (const [index, { lease, token }] of fences.entries())
      if (this.#leases.get(lease)?.token !== token) return { kind: "fence", index };
    for (const [index, check] of checks.entries()) {
      const version = this.get(check.collection, check.key)?.version ?? 0;
      if (version !== check.version) return { kind: "check", index, version };
    }
    return undefined;
  }

  /** All of it as text, from which `restore` makes the same. */
  dump(): string {
    const documents = Object.fromEntries(
      [...this.#collections].map(([collection, all]) => [
        collection,
        [...all.values()].map(({ key, version, value }) => [key, version, value] as const),
      ]),
    );
    const leases = [...this.#leases].map(
      ([name, { owner, token, expiresAtMs }]) => [name, owner, token, expiresAtMs] as const,
    );
    const dump: Dump = { documents, leases, tokens: this.#tokens, timers: this.#timers.dump(), timeMs: this.#timeMs, members: [...this.#members] }; // prettier-ignore
    return JSON.stringify(dump);
  }

  static restore(text: string): Replica {
    const { documents, leases, tokens, timers, timeMs = 0, members = [] } = JSON.parse(text) as Dump;
    const replica = new Replica();
    replica.#tokens = tokens;
    replica.#timeMs = timeMs;
    for (const [by, member] of members) replica.#members.set(by, member);
    replica.#timers = TimerBook.restore(timers);
    for (const [collection, all] of Object.entries(documents))
      replica.#collections.set(
        collection,
        new Map(all.map(([key, version, value]) => [key, Object.freeze({ key, version, value })])),
      );
    for (const all of replica.#collections.values()) for (const document of all.values()) replica.#chars += charsOf(document); // prettier-ignore
    for (const [name, owner, token, expiresAtMs] of leases) replica.#leases.set(name, { owner, token, expiresAtMs });
    return replica;
  }

  #keysOf(collection: string, prefix: string): string[] {
    return [...(this.#collections.get(collection)?.keys() ?? [])].filter((key) => key.startsWith(prefix));
  }

  #write(command: Extract<Command, { op: "write" }>, wrote: (collection: string) => void): Outcome {
    const conflict = this.conflictOf(command);
    if (conflict) return { committed: false, conflict };
    for (const { collection, key, value } of command.documents) {
      this.#set(collection, key, value);
      wrote(collection);
    }
    for (const write of command.timers) this.#timers.write(write);
    return { committed: true, appended: [] };
  }

  #set(collection: string, key: string, value: string | null): void {
    let all = this.#collections.get(collection);
    const before = all?.get(key);
    this.#chars += (value === null ? 0 : charsOf({ key, value })) - (before ? charsOf(before) : 0);
    if (value === null) {
      all?.delete(key);
      if (all?.size === 0) this.#collections.delete(collection);
      return;
    }
    if (!all) this.#collections.set(collection, (all = new Map()));
    all.set(key, Object.freeze({ key, version: (before?.version ?? 0) + 1, value }));
  }

  #acquire({ name, owner, ttlMs }: LeaseRequest, atMs: number): Lease | undefined {
    const data = this.#leases.get(name);
    if (data && data.owner !== owner && data.expiresAtMs > atMs) return undefined;
    const token = data?.owner === owner ? data.token : (this.#tokens += 1);
    const taken = { owner, token, expiresAtMs: atMs + ttlMs };
    this.#leases.set(name, taken);
    if (this.#leases.size > leasesMax) this.#forgetLeases(atMs - forgottenAfterMs);
    return leaseOf(name, taken);
  }

  #forgetLeases(beforeMs: number): void {
    for (const [name, { expiresAtMs }] of this.#leases) if (expiresAtMs < beforeMs) this.#leases.delete(name);
  }

  #renew(lease: Lease, expiresAtMs: number): Lease | undefined {
    const data = this.#stillHeld(lease);
    if (!data) return undefined;
    data.expiresAtMs = expiresAtMs;
    return leaseOf(lease.name, data);
  }

  #stillHeld({ name, owner, token }: Lease): LeaseData | undefined {
    const data = this.#leases.get(name);
    return data?.owner === owner && data.token === token ? data : undefined;
  }
}

/** With something for what stands around it in a snapshot. */
const charsOf = ({ key, value }: Pick<Document, "key" | "value">): number => key.length + value.length + 32;

const leaseOf = (name: string, { owner, token, expiresAtMs }: LeaseData): Lease =>
  Object.freeze({ name, owner, token, expiresAtMs });
