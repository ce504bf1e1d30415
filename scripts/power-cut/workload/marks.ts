// What processes say in the course of a recording. A mark stands in the trace at its moment: whatever it promises must be
// on the disk from there on.
import { openSync, writeSync } from "node:fs";

export type Mark =
  /** The application has started: its topics and the positions of its subscriptions are stored. */
  | { readonly kind: "started" }
  /** Publishing events of this publisher, up to this number, has begun. */
  | { readonly kind: "trying"; readonly topic: string; readonly by: string; readonly n: number }
  /** The publisher was told that this event is published. */
  | { readonly kind: "acknowledged"; readonly topic: string; readonly by: string; readonly n: number }
  /** A handler was given this event. */
  | {
      readonly kind: "seen";
      readonly topic: string;
      readonly partition: number;
      readonly position: number;
      readonly id: string;
    }
  /** A handler that runs at most once has begun. */
  | { readonly kind: "ran"; readonly topic: string; readonly partition: number; readonly position: number }
  /** `ctx.once` has answered. */
  | { readonly kind: "remembered"; readonly key: string }
  /** Somebody was told this version of an account, as a document or as a conflict. */
  | { readonly kind: "account"; readonly key: string; readonly version: number }
  /** Removing the events before this position was asked for. */
  | { readonly kind: "retaining"; readonly first: number };

export type Say = (...marks: readonly Mark[]) => void;

/** Says marks in a file that the trace watches, before it returns. */
export function openMarks(path: string): Say {
  const file = openSync(path, "a");
  return (...marks) => void writeSync(file, marks.map((mark) => `${JSON.stringify(mark)}\n`).join(""));
}

const marksOf = new Map<string, readonly Mark[]>();

/** The marks in what was written to the file. Thousands of images share most of them. */
export function readMarks(texts: readonly string[]): Mark[] {
  return texts.flatMap((text) => {
    let marks = marksOf.get(text);
    if (!marks) {
      const lines = text.split("\n").filter(Boolean);
      marksOf.set(text, (marks = lines.map((line) => JSON.parse(line) as Mark)));
    }
    return marks;
  });
}
