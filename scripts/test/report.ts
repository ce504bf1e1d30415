// A compact account of a test run: a line per file, failures in full, what was skipped and why, what took longest.
import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { inspect } from "node:util";

import { root } from "./tool.ts";

interface FileAccount {
  passed: number;
  failed: number;
  skipped: number;
  ms: number;
  said: string;
}

/** What the runner counts for a file. */
interface Counts {
  readonly tests: number;
  readonly passed: number;
  readonly skipped: number;
  readonly todo: number;
}

const slowestShown = 8;

/** Takes the runner's events one by one. */
export class Report {
  passed = 0;
  failed = 0;
  skipped = 0;
  readonly #expected: number;
  readonly #files = new Map<string, FileAccount>();
  readonly #skips: string[] = [];
  #finished = 0;
  /** The names of the tests around the one that runs, per file. */
  readonly #around = new Map<string, string[]>();

  constructor(expected: number) {
    this.#expected = expected;
  }

  take(event: TestEvent): void {
    if (event.type === "test:start") this.#enter(event.data);
    else if (event.type === "test:pass" || event.type === "test:fail") this.#end(event);
    else if (event.type === "test:stdout" || event.type === "test:stderr") {
      this.#file(event.data.file).said += event.data.message;
    } else if (event.type === "test:summary" && event.data.file !== undefined) {
      this.#fileEnded(event.data.file, event.data.duration_ms, event.data.counts);
    }
  }

  /** Prints what only the end knows. */
  close(): void {
    const slowest = [...this.#files].toSorted(([, a], [, b]) => b.ms - a.ms).slice(0, slowestShown);
    if (this.#files.size > slowestShown) {
      console.log("     slowest files:");
      for (const [file, { ms }] of slowest) console.log(`       ${(ms / 1000).toFixed(1).padStart(6)} s  ${file}`);
    }
    if (this.#skips.length > 0) console.log(`     skipped:\n${this.#skips.map((line) => `       ${line}`).join("\n")}`);
  }

  #enter(data: { file?: string | undefined; nesting: number; name: string }): void {
    const around = this.#around.get(data.file ?? "") ?? [];
    around.length = data.nesting;
    around[data.nesting] = data.name;
    this.#around.set(data.file ?? "", around);
  }

  #end(event: Extract<TestEvent, { type: "test:pass" | "test:fail" }>): void {
    const { data } = event;
    const file = this.#file(data.file);
    const title = `${show(data.file)} › ${this.#titles(data).join(" › ")}`;
    // A suite is its tests; it counts by itself only when it failed for a reason of its own.
    if (data.details.type === "suite" && (event.type === "test:pass" || isOfChildren(event.data.details.error))) return;
    if (data.skip !== undefined && data.skip !== false) {
      this.skipped += 1;
      file.skipped += 1;
      this.#skips.push(
        `${title}: ${typeof data.skip === "string" && data.skip !== "" ? data.skip : "no reason given"}`,
      );
    } else if (event.type === "test:pass") {
      this.passed += 1;
      file.passed += 1;
    } else if (!isOfChildren(event.data.details.error)) {
      this.failed += 1;
      file.failed += 1;
      // A file that fails by itself (it does not load, or its process dies) has no summary, only what it printed.
      const wholeFile = data.nesting === 0 && show(data.file).endsWith(data.name);
      console.log(`\nFAIL ${wholeFile ? show(data.file) : title}\n${explain(event.data.details.error)}\n`);
      if (wholeFile) this.#printed(file);
    }
  }

  #titles(data: { file?: string | undefined; nesting: number; name: string }): string[] {
    return [...(this.#around.get(data.file ?? "") ?? []).slice(0, data.nesting), data.name];
  }

  /** The counts are the runner's own: a test that a suite of the sources defines is told under the name of that file. */
  #fileEnded(path: string, ms: number, { tests, passed, skipped, todo }: Counts): void {
    const file = this.#file(path);
    file.ms = ms;
    this.#finished += 1;
    const failures = tests - passed - skipped - todo;
    const skips = skipped > 0 ? `, ${skipped} skipped` : "";
    const failed = failures > 0 ? `, ${failures} failed` : "";
    const place = `${String(this.#finished).padStart(String(this.#expected).length)}/${this.#expected}`;
    const mark = failures > 0 ? "FAIL" : "ok  ";
    console.log(`${mark} ${place} ${show(path)}: ${passed} passed${failed}${skips} (${(ms / 1000).toFixed(1)} s)`);
    if (failures > 0) this.#printed(file);
    file.said = "";
  }

  #printed(file: FileAccount): void {
    if (file.said.trim() !== "") console.log(`     it printed:\n${file.said.trimEnd().replaceAll(/^/gm, "     | ")}`);
    file.said = "";
  }

  #file(path: string | undefined): FileAccount {
    const name = show(path);
    const known = this.#files.get(name) ?? { passed: 0, failed: 0, skipped: 0, ms: 0, said: "" };
    this.#files.set(name, known);
    return known;
  }
}

function show(path: string | undefined): string {
  return path === undefined ? "(no file)" : relative(root, path);
}

/** Whether a suite or test failed only because something inside it did, which has been told already. */
function isOfChildren(error: unknown): boolean {
  return (error as { failureType?: string }).failureType === "subtestsFailed";
}

function explain(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const text = cause instanceof Error ? inspect(cause, { depth: 5 }) : String(cause);
  return text.replaceAll(/\n +at .*\bnode:internal\/.*/g, "").replaceAll(/^/gm, "     ");
}
