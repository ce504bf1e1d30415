// A disk whose power fails: what is certainly on it at a moment, and what may or may not be.
import type { Step } from "./step.ts";

/** A change of a file's content that was not synced. */
export type Change =
  | { readonly kind: "write"; readonly offset: number; readonly data: Buffer }
  | { readonly kind: "truncate"; readonly size: number };

/** A file, whatever its names are. */
export interface File {
  /** What is certainly there. */
  readonly synced: Buffer;
  /** In the order in which it was asked for. */
  readonly changes: readonly Change[];
}

/** What is known of a disk at a moment. */
export interface Moment {
  /** By name, every file that it may lead to: first the one that it certainly led to at the last sync of the folder, last the newest. */
  readonly names: ReadonlyMap<string, readonly (File | undefined)[]>;
  /** Texts of the marks so far. */
  readonly marks: readonly string[];
}

interface Pending<Value> {
  readonly value: Value;
  readonly step: Step;
}

interface Inode {
  synced: Buffer;
  pending: Pending<Change>[];
}

type Entry = { readonly name: string; readonly inode: Inode | undefined };

/** Follows the steps of a recording; only forwards. */
export class Disk {
  readonly #events: readonly { readonly at: number; readonly ends: boolean; readonly step: Step }[];
  #next = 0;
  readonly #live = new Map<string, Inode>();
  #durable = new Map<string, Inode>();
  #entries: Pending<Entry>[] = [];
  readonly #marks: string[] = [];
  /** What a sync that has begun will have on the disk when it ends. */
  readonly #covered = new Map<Step, { readonly inode: Inode | undefined; readonly steps: ReadonlySet<Step> }>();
  readonly #ended = new Set<Step>();

  constructor(steps: readonly Step[]) {
    this.#events = steps
      .flatMap((step) => [
        { at: step.begun, ends: false, step },
        ...(Number.isFinite(step.ended) ? [{ at: step.ended, ends: true, step }] : []),
      ])
      .toSorted((a, b) => a.at - b.at || Number(a.ends) - Number(b.ends));
  }

  /** The moment at which everything that stands before `cut` in the trace had happened. */
  at(cut: number): Moment {
    for (let event = this.#events[this.#next]; event && event.at < cut; event = this.#events[++this.#next]) {
      if (event.ends) this.#end(event.step);
      else this.#begin(event.step);
    }
    return this.#moment();
  }

  #begin(step: Step): void {
    const { call } = step;
    switch (call.kind) {
      case "mark":
        this.#marks.push(call.text);
        break;
      case "create":
        this.#enter(step, call.name, { synced: Buffer.alloc(0), pending: [] });
        break;
      case "unlink":
        this.#enter(step, call.name, undefined);
        break;
      case "rename":
        this.#enter(step, call.to, this.#live.get(call.name));
        this.#enter(step, call.name, undefined);
        break;
      case "write":
      case "truncate":
        this.#live.get(call.name)?.pending.push({ value: call, step });
        break;
      case "sync": {
        const inode = this.#live.get(call.name);
        this.#covered.set(step, { inode, steps: this.#finished(inode?.pending ?? []) });
        break;
      }
      case "sync-folder":
        this.#covered.set(step, { inode: undefined, steps: this.#finished(this.#entries) });
    }
  }

  #enter(step: Step, name: string, inode: Inode | undefined): void {
    if (inode) this.#live.set(name, inode);
    else this.#live.delete(name);
    this.#entries.push({ value: { name, inode }, step });
  }

  /** A sync answers for what had ended when it began, and for nothing else. */
  #finished(pending: readonly Pending<unknown>[]): ReadonlySet<Step> {
    return new Set(pending.map(({ step }) => step).filter((step) => this.#ended.has(step)));
  }

  #end(step: Step): void {
    const covered = this.#covered.get(step);
    if (!covered) return void this.#ended.add(step);
    this.#covered.delete(step);
    const { inode, steps } = covered;
    if (step.call.kind === "sync-folder") {
      this.#durable = new Map(this.#durable);
      for (const { value, step: entered } of this.#entries) {
        if (!steps.has(entered)) continue;
        if (value.inode) this.#durable.set(value.name, value.inode);
        else this.#durable.delete(value.name);
      }
      this.#entries = this.#entries.filter((entry) => !steps.has(entry.step));
    } else if (inode) {
      inode.synced = applied(
        inode.synced,
        inode.pending.filter((change) => steps.has(change.step)).map(({ value }) => value),
      );
      inode.pending = inode.pending.filter((change) => !steps.has(change.step));
    }
    for (const done of steps) this.#ended.delete(done);
  }

  #moment(): Moment {
    const files = new Map<Inode, File>();
    const fileOf = (inode: Inode | undefined): File | undefined => {
      if (!inode) return undefined;
      const known = files.get(inode);
      if (known) return known;
      const file = { synced: inode.synced, changes: inode.pending.map(({ value }) => value) };
      files.set(inode, file);
      return file;
    };
    const names = new Map<string, (File | undefined)[]>();
    for (const [name, inode] of this.#durable) names.set(name, [fileOf(inode)]);
    for (const { value } of this.#entries) {
      const versions = names.get(value.name) ?? [undefined];
      versions.push(fileOf(value.inode));
      names.set(value.name, versions);
    }
    return { names, marks: this.#marks.slice() };
  }
}

/** The content with all of the changes, in their order. */
export function applied(content: Buffer, changes: readonly Change[]): Buffer {
  let size = content.length;
  let room = size;
  for (const change of changes) {
    if (change.kind === "write") room = Math.max(room, change.offset + change.data.length);
    else room = Math.max(room, change.size);
  }
  const bytes = Buffer.alloc(room);
  content.copy(bytes);
  for (const change of changes) size = apply(bytes, size, change);
  return bytes.subarray(0, size);
}

/** Changes bytes that have room for it, and answers with the new size. What a file grows by is zeros. */
export function apply(bytes: Buffer, size: number, change: Change): number {
  if (change.kind === "truncate") {
    if (change.size < size) bytes.fill(0, change.size, size);
    return change.size;
  }
  change.data.copy(bytes, change.offset);
  return Math.max(size, change.offset + change.data.length);
}
