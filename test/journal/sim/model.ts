// What the commands of a log come to, written apart from the replica of the journal, so that both are not wrong in the same way.
import type { StoredRecord } from "../../../src/event/record.ts";

/** Bookkeeping of a lease. */
interface Held {
  owner: string;
  token: number;
  endMs: number;
}

/** A document after an entry. */
export interface Version {
  readonly position: number;
  /** Undefined when it is not there. */
  readonly value: string | undefined;
  readonly version: number | undefined;
}

interface Lease {
  readonly name: string;
  readonly owner: string;
  readonly token: number;
}

interface Write {
  readonly op: "write";
  readonly fences: readonly { readonly lease: string; readonly token: number }[];
  readonly checks: readonly { readonly key: string; readonly version: number }[];
  readonly documents: readonly { readonly key: string; readonly value: string | null }[];
}

type Command =
  | Write
  | {
      readonly op: "acquire";
      readonly requests: readonly { readonly name: string; readonly owner: string; readonly ttlMs: number }[];
    }
  | { readonly op: "renew"; readonly leases: readonly Lease[]; readonly ttlMs: number }
  | { readonly op: "release"; readonly leases: readonly Lease[] };

interface Written {
  readonly v: number;
  readonly by: string;
  readonly n: number;
  readonly command: Command;
}

export class Model {
  /** What came of each command that counts, by position. */
  readonly results = new Map<number, unknown>();
  /** By key, how a document went. */
  readonly histories = new Map<string, Version[]>();
  readonly #documents = new Map<string, { value: string; version: number }>();
  readonly #leases = new Map<string, Held>();
  readonly #last = new Map<string, number>();
  readonly #ahead = new Map<string, number>();
  #tokens = 0;
  #timeMs = 0;

  constructor(entries: readonly StoredRecord[], appendTimes: "engine" | "publisher") {
    for (const entry of entries) this.#take(entry, appendTimes);
  }

  /** Keys and what stands under them, in the order of the keys. */
  get documents(): readonly (readonly [string, string, number])[] {
    return [...this.#documents]
      .map(([key, { value, version }]) => [key, value, version] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
  }

  #take({ position, appendedAtMs, data }: StoredRecord, appendTimes: "engine" | "publisher"): void {
    const { by, n, command } = JSON.parse(String(data)) as Partial<Written>;
    if (appendTimes === "engine") this.#timeMs = Math.max(this.#timeMs, appendedAtMs);
    else if (by !== undefined) this.#hear(by, appendedAtMs);
    if (by === undefined || n === undefined || !command) return;
    if (n <= (this.#last.get(by) ?? 0)) return;
    this.#last.set(by, n);
    this.results.set(position, this.#apply(position, command));
  }

  /** A clock that is wrong by more than half a minute counts by how far it goes. */
  #hear(by: string, saidMs: number): void {
    const told = saidMs + (this.#ahead.get(by) ?? 0);
    if (this.#timeMs !== 0 && Math.abs(told - this.#timeMs) > 30_000) this.#ahead.set(by, this.#timeMs - saidMs);
    else this.#timeMs = Math.max(this.#timeMs, told);
  }

  // oxlint-disable-next-line typescript/consistent-return -- each kind has its case
  #apply(position: number, command: Command): unknown {
    switch (command.op) {
      case "write":
        return this.#write(position, command);
      case "acquire":
        return command.requests.map(({ name, owner, ttlMs }) => {
          const held = this.#leases.get(name);
          if (held && held.owner !== owner && held.endMs > this.#timeMs) return undefined;
          const token = held?.owner === owner ? held.token : ++this.#tokens;
          this.#leases.set(name, { owner, token, endMs: this.#timeMs + ttlMs });
          return [name, owner, token, this.#timeMs + ttlMs];
        });
      case "renew":
        return command.leases.map((lease) => {
          const held = this.#heldBy(lease);
          if (held) held.endMs = this.#timeMs + command.ttlMs;
          return held && [lease.name, held.owner, held.token, held.endMs];
        });
      case "release":
        for (const lease of command.leases) if (this.#heldBy(lease)) this.#leases.delete(lease.name);
        return [];
    }
  }

  #heldBy({ name, owner, token }: Lease): Held | undefined {
    const held = this.#leases.get(name);
    return held?.owner === owner && held.token === token ? held : undefined;
  }

  #write(position: number, { fences, checks, documents }: Write): string {
    for (const [index, { lease, token }] of fences.entries())
      if (this.#leases.get(lease)?.token !== token) return `fence ${index}`;
    for (const [index, { key, version }] of checks.entries())
      if ((this.#documents.get(key)?.version ?? 0) !== version) return `check ${index}`;
    for (const { key, value } of documents) {
      const version = (this.#documents.get(key)?.version ?? 0) + 1;
      if (value === null) this.#documents.delete(key);
      else this.#documents.set(key, { value, version });
      const history = this.histories.get(key) ?? [];
      this.histories.set(key, history);
      history.push({ position, value: value ?? undefined, version: value === null ? undefined : version });
    }
    return "committed";
  }
}
