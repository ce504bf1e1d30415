import type { DocumentWrite, TimerWrite } from "../../ports/transaction.ts";
import type { Call } from "./call.ts";
import { nameOf } from "./group.ts";

/** How a document is written: the numbers that the commit function knows. */
export const documentKind = { remove: 0, makeNew: 1, change: 2, either: 3 } as const;

/** All writes of a call to one document, as one. */
export interface FoldedDocument {
  readonly collection: string;
  readonly key: string;
  kind: (typeof documentKind)[keyof typeof documentKind];
  /** How much the version rises; for a new document, its version. */
  step: number;
  value: string;
}

/** All writes of a call to one timer, as one. */
export interface FoldedTimer {
  readonly queue: string;
  readonly key: string;
  /** Null cancels. */
  readonly dueAtMs: number | null;
  readonly payload: string;
  /** Cancels only this setting. */
  readonly version: number | undefined;
}

/** The writes of a call to documents, one or two by document: what is removed first and set again begins anew. */
export function foldDocuments({ documents, checks }: Call): FoldedDocument[] {
  const versions = new Map(checks.map(({ collection, key, version }) => [nameOf("d", collection, key), version]));
  const folded = new Map<string, { remove: boolean; set: FoldedDocument | undefined; first: DocumentWrite }>();
  for (const write of documents) {
    const name = nameOf("d", write.collection, write.key);
    const at = folded.get(name) ?? { remove: false, set: undefined, first: write };
    folded.set(name, at);
    if (write.value === null) {
      at.remove = true;
      at.set = undefined;
    } else if (at.set) {
      at.set.step++;
      at.set.value = write.value;
    } else {
      const kind = at.remove ? documentKind.makeNew : kindOf(versions.get(name));
      at.set = { collection: write.collection, key: write.key, kind, step: 1, value: write.value };
    }
  }
  const all: FoldedDocument[] = [];
  for (const { remove, set, first } of folded.values()) {
    if (remove) all.push({ collection: first.collection, key: first.key, kind: documentKind.remove, step: 0, value: "" }); // prettier-ignore
    if (set) all.push(set);
  }
  return all;
}

/** A checked document is known to be there or not, and locked where it is. */
function kindOf(version: number | undefined): FoldedDocument["kind"] {
  if (version === undefined) return documentKind.either;
  return version === 0 ? documentKind.makeNew : documentKind.change;
}

/** The writes of a call to timers: the last one that sets or cancels without a version stands for all before it. */
export function foldTimers(timers: readonly TimerWrite[]): FoldedTimer[] {
  const folded = new Map<string, FoldedTimer[]>();
  for (const { queue, key, dueAtMs, payload = "", version } of timers) {
    const name = nameOf("t", queue, key);
    const write = { queue, key, dueAtMs, payload, version: dueAtMs === null ? version : undefined };
    const before = folded.get(name) ?? [];
    // Nobody knows the version of what is set here, so that its cancelling by version means an earlier setting.
    if (write.version === undefined) folded.set(name, [write]);
    else if (before.length === 0 || before.some((one) => one.version !== undefined))
      folded.set(name, [...before, write]);
  }
  return [...folded.values()].flat();
}
