import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Incomplete, readTrace } from "../../scripts/power-cut/trace.ts";

const places = { disk: "/d", marks: "/m" };
const hex = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
const fd = (number: number, path: string): string => `${number}<${hex(path)}>`;
const read = (...lines: readonly string[]) => readTrace(lines.join("\n"), places);

describe("reading a trace", () => {
  it("knows creations, writes, shortenings, syncs, removals and marks, each at its place", () => {
    const steps = read(
      `7 openat(AT_FDCWD<${hex("/")}>, "${hex("/d/f")}", O_RDWR|O_CREAT, 0644) = ${fd(3, "/d/f")}`,
      `7 pwrite64(${fd(3, "/d/f")}, "${hex("ab")}", 2, 8) = 2`,
      `7 write(${fd(9, "/m")}, "${hex('"a, b) = c"')}", 11) = 11`,
      `7 ftruncate(${fd(3, "/d/f")}, 4) = 0`,
      `7 fsync(${fd(3, "/d/f")}) = 0`,
      `7 fdatasync(${fd(4, "/d")}) = 0`,
      `7 rename("${hex("/d/f")}", "${hex("/d/g")}") = 0`,
      `7 unlink("${hex("/d/g")}") = 0`,
    );
    assert.deepEqual(
      steps.map(({ call }) => call),
      [
        { kind: "create", name: "f" },
        { kind: "write", name: "f", offset: 8, data: Buffer.from("ab") },
        { kind: "mark", text: '"a, b) = c"' },
        { kind: "truncate", name: "f", size: 4 },
        { kind: "sync", name: "f" },
        { kind: "sync-folder" },
        { kind: "rename", name: "f", to: "g" },
        { kind: "unlink", name: "g" },
      ],
    );
    assert.deepEqual(
      steps.map(({ begun, ended }) => [begun, ended]),
      [1, 2, 3, 4, 5, 6, 7, 8].map((at) => [at, at]),
    );
  });

  it("puts the halves of a call together and knows when it began and ended", () => {
    const steps = read(
      `7 fsync(${fd(3, "/d/f")} <unfinished ...>`,
      `8 pwrite64(${fd(3, "/d/f")}, "${hex("x")}", 1, 0 <unfinished ...>`,
      "7 <... fsync resumed>) = 0",
      "8 <... pwrite64 resumed>) = 1",
    );
    assert.deepEqual(
      steps.map(({ call: { kind }, begun, ended }) => [kind, begun, ended]),
      [
        ["sync", 1, 3],
        ["write", 2, 4],
      ],
    );
  });

  it("takes only what was written of a write that was cut short, and nothing of a failed call", () => {
    const steps = read(
      `7 pwrite64(${fd(3, "/d/f")}, "${hex("abcd")}", 4, 0) = 3`,
      `7 pwrite64(${fd(3, "/d/f")}, "${hex("abcd")}", 4, 0) = -1 ENOSPC (No space left on device)`,
      `7 fsync(${fd(3, "/d/f")}) = -1 EIO (Input/output error)`,
    );
    assert.deepEqual(
      steps.map(({ call }) => call),
      [{ kind: "write", name: "f", offset: 0, data: Buffer.from("abc") }],
    );
  });

  it("refuses a trace in which a process died amid a change, and bears one that died amid a sync", () => {
    const write = `7 pwrite64(${fd(3, "/d/f")}, "${hex("x")}", 1, 0 <unfinished ...>`;
    assert.throws(() => read(write, "7 +++ killed by SIGKILL +++"), Incomplete);
    assert.throws(() => read(`7 unlink("${hex("/d/f")}" <unfinished ...>`), Incomplete);
    assert.deepEqual(read(`7 fsync(${fd(3, "/d/f")} <unfinished ...>`, "7 +++ killed by SIGKILL +++"), []);
    assert.deepEqual(read(`7 pwrite64(${fd(3, "/other")}, "${hex("x")}", 1, 0 <unfinished ...>`), []);
  });

  it("leaves out other files, shared memory and files that have lost their name", () => {
    const steps = read(
      `7 pwrite64(${fd(3, "/other")}, "${hex("x")}", 1, 0) = 1`,
      `7 pwrite64(${fd(3, "/d/f-shm")}, "${hex("x")}", 1, 0) = 1`,
      `7 fsync(${fd(3, "/d/f (deleted)")}) = 0`,
      "7 +++ exited with 0 +++",
      "7 --- SIGCHLD {si_signo=SIGCHLD} ---",
    );
    assert.deepEqual(steps, []);
  });

  it("refuses a call that it does not understand, and a string that was cut", () => {
    assert.throws(() => read(`7 fallocate(${fd(3, "/d/f")}, 0, 0, 4096) = 0`), /does not understand: fallocate/);
    assert.throws(() => read(`7 pwrite64(${fd(3, "/d/f")}, "${hex("x")}"..., 9, 0) = 9`), /cut short/);
  });
});
