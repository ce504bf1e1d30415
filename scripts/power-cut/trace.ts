// Reads what strace wrote: `strace -f -y -xx`, whose lines are "PID call(arguments) = result" and, where another
// process came in between, two halves of it.
import type { Call, Step } from "./step.ts";

/** Calls that change a disk or say something. Those that none of our programs makes are there so that one is noticed. */
export const tracedCalls = [
  "openat", "open", "creat", "write", "pwrite64", "writev", "pwritev", "pwritev2", "truncate", "ftruncate", "fallocate",
  "fsync", "fdatasync", "sync_file_range", "syncfs", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat",
  "copy_file_range", "sendfile",
]; // prettier-ignore

/** Where the recorded program works. */
export interface Places {
  /** The folder that is on the disk whose power fails. */
  readonly disk: string;
  /** The file in which processes say what they know. */
  readonly marks: string;
}

/** A line of the trace, put together from its halves. */
interface Line {
  readonly begun: number;
  readonly ended: number;
  readonly text: string;
}

/** A trace that does not say what was done: nobody is to blame, and another recording will do. */
export class Incomplete extends Error {}

/**
 * The steps of a run, in the order in which they began. Throws when the disk was changed in a way that is not understood,
 * and Incomplete when a process died amid a change, so that nobody knows whether it was made.
 */
export function readTrace(trace: string, places: Places): Step[] {
  const namespace = new Set<string>();
  const steps: Step[] = [];
  for (const { begun, ended, text } of linesOf(trace)) {
    if (ended === Number.POSITIVE_INFINITY) {
      if (changes(text, places)) throw new Incomplete(`A process died amid ${text.slice(0, 60)}.`);
      continue;
    }
    for (const call of callsOf(text, places, namespace)) {
      steps.push({ begun, ended, call });
      follow(namespace, call);
    }
  }
  return steps.toSorted((a, b) => a.begun - b.begun);
}

/** In the order of their ends, so that a file is known as soon as another process may use it. */
function* linesOf(trace: string): Generator<Line> {
  const halves = new Map<string, { readonly begun: number; readonly text: string }>();
  let place = 0;
  for (const line of lines(trace)) {
    const gap = line.indexOf(" ");
    const pid = line.slice(0, gap);
    const text = line.slice(gap).trimStart();
    const at = ++place;
    if (text.startsWith("+++") || text.startsWith("---")) continue;
    if (text.endsWith("<unfinished ...>")) {
      halves.set(pid, { begun: at, text: text.slice(0, -"<unfinished ...>".length) });
    } else if (text.startsWith("<... ")) {
      const half = halves.get(pid);
      halves.delete(pid);
      // What was being done when the tracing of a process began is none of ours.
      if (half) yield { begun: half.begun, ended: at, text: half.text + text.slice(text.indexOf(">") + 1) };
    } else {
      yield { begun: at, ended: at, text };
    }
  }
  for (const { begun, text } of halves.values()) yield { begun, ended: Number.POSITIVE_INFINITY, text };
}

/** Whether a call that was never answered would have changed the disk: a sync would not. */
function changes(text: string, places: Places): boolean {
  if (/^(unlink|rename)/.test(text)) return stringsOf(text).some((path) => nameIn(places.disk, String(path)));
  return !/^(open|f(data)?sync)/.test(text) && nameIn(places.disk, pathOfDescriptor(text)) !== undefined;
}

function* lines(trace: string): Generator<string> {
  for (let from = 0; from < trace.length;) {
    const end = trace.indexOf("\n", from);
    const to = end < 0 ? trace.length : end;
    if (to > from) yield trace.slice(from, to);
    from = to + 1;
  }
}

/** What a call did; nothing when it failed, or was about something else than the disk and the marks. */
function callsOf(text: string, places: Places, namespace: ReadonlySet<string>): Call[] {
  const call = text.slice(0, text.indexOf("("));
  const result = text.slice(text.lastIndexOf(") = ") + 4);
  if (result.startsWith("-1") || result.startsWith("?")) return [];
  if (call === "openat" || call === "open" || call === "creat") return opened(text, result, places, namespace);
  if (call.startsWith("unlink") || call.startsWith("rename")) return renamed(text, places);
  const path = pathOfDescriptor(text);
  if (path === places.marks) {
    return call === "write" ? [{ kind: "mark", text: String(bytesOf(text)) }] : [];
  }
  const name = nameIn(places.disk, path);
  if (name === undefined) {
    if (path === places.disk && /^f(data)?sync$/.test(call)) return [{ kind: "sync-folder" }];
    if (call === "syncfs") throw unknown(call, text);
    return [];
  }
  if (call === "fsync" || call === "fdatasync") return [{ kind: "sync", name }];
  if (call === "ftruncate") return [{ kind: "truncate", name, size: Number(lastArguments(text, 1)[0]) }];
  if (call === "pwrite64") {
    const data = bytesOf(text).subarray(0, Number.parseInt(result, 10));
    return [{ kind: "write", name, offset: Number(lastArguments(text, 1)[0]), data }];
  }
  throw unknown(call, text);
}

function opened(text: string, result: string, places: Places, namespace: ReadonlySet<string>): Call[] {
  const name = nameIn(places.disk, pathIn(result));
  if (name === undefined) return [];
  const calls: Call[] = [];
  if (text.includes("O_CREAT") && !namespace.has(name)) calls.push({ kind: "create", name });
  if (text.includes("O_TRUNC")) calls.push({ kind: "truncate", name, size: 0 });
  return calls;
}

function renamed(text: string, places: Places): Call[] {
  const [from, to] = stringsOf(text).map((bytes) => nameIn(places.disk, String(bytes)));
  if (from === undefined) return [];
  if (text.startsWith("unlink")) return [{ kind: "unlink", name: from }];
  if (to === undefined) throw unknown("rename", text);
  return [{ kind: "rename", name: from, to }];
}

function follow(namespace: Set<string>, call: Call): void {
  if (call.kind === "create") namespace.add(call.name);
  else if (call.kind === "unlink") namespace.delete(call.name);
  else if (call.kind === "rename") {
    namespace.delete(call.name);
    namespace.add(call.to);
  }
}

/** `23<\x2f\x74>`: the path that strace shows beside a descriptor. */
function pathIn(text: string): string {
  const from = text.indexOf("<");
  const to = text.indexOf(">", from);
  return from < 0 || to < 0 ? "" : String(unhex(text.slice(from + 1, to)));
}

function pathOfDescriptor(text: string): string {
  const open = text.indexOf("(");
  const comma = text.indexOf(">", open);
  return comma < 0 ? "" : pathIn(text.slice(open, comma + 1));
}

/**
 * The file's name when it is one of the recorded folder. The shared memory of SQLite is none of them: it is written through
 * a mapping, never synced, and made anew by whoever opens the file first. Nor is what has lost its name.
 */
function nameIn(folder: string, path: string): string | undefined {
  if (!path.startsWith(`${folder}/`) || /-shm( \(deleted\))?$| \(deleted\)$/.test(path)) return undefined;
  return path.slice(folder.length + 1);
}

/** The bytes of the first string among the arguments. */
function bytesOf(text: string): Buffer {
  const [bytes] = stringsOf(text);
  if (!bytes) throw unknown("a call without its bytes", text);
  return bytes;
}

function stringsOf(text: string): Buffer[] {
  const found: Buffer[] = [];
  for (let from = text.indexOf('"'); from >= 0; from = text.indexOf('"', from)) {
    const to = text.indexOf('"', from + 1);
    if (text.startsWith("...", to + 1)) throw unknown("a string that strace has cut short", text);
    found.push(unhex(text.slice(from + 1, to)));
    from = to + 1;
  }
  return found;
}

function lastArguments(text: string, count: number): string[] {
  const end = text.lastIndexOf(") = ");
  return text
    .slice(text.lastIndexOf('"') + 1, end)
    .split(", ")
    .slice(-count);
}

function unhex(text: string): Buffer {
  return Buffer.from(text.replaceAll("\\x", ""), "hex");
}

function unknown(what: string, text: string): Error {
  return new Error(`The trace holds ${what}, which the recorder does not understand: ${text.slice(0, 300)}`);
}
