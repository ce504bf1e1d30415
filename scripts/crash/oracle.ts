// What was acknowledged, written down outside of the process that is killed, and synced before anybody may rely on it.
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from "node:fs";

export interface Oracle {
  /** Notes numbers of acknowledged publishes; they are on disk when it returns. */
  note(numbers: readonly number[]): void;
  close(): void;
}

export function openOracle(path: string): Oracle {
  const file = openSync(path, "a");
  return {
    note(numbers) {
      if (numbers.length === 0) return;
      writeSync(file, numbers.map((number) => `${number}\n`).join(""));
      fdatasyncSync(file);
    },
    close: () => closeSync(file),
  };
}

/** Everything that the oracle knows. */
export function readOracle(path: string): ReadonlySet<number> {
  return new Set(readFileSync(path, "utf8").split("\n").filter(Boolean).map(Number));
}
