import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** Why a test is skipped, for `{ skip }`. Where `CI` says so nothing may be missing: a skip would hide that nothing was tested. */
export function missing(why: string): string {
  if (process.env["CI"] === "true") throw new Error(`The tests need it here, and .ci/run sees to it: ${why}`);
  return why;
}

/** Why a test that needs these programs cannot run; false when it can. */
export function without(...programs: readonly string[]): string | false {
  const absent = programs.filter((program) => spawnSync(program, ["--version"]).error !== undefined);
  return absent.length > 0 && missing(`${absent.join(", ")} is not installed`);
}

/** strace, and that it may trace here. */
export function withoutStrace(): string | false {
  const traces = (): boolean => spawnSync("strace", ["-e", "trace=none", "true"]).status === 0;
  return without("strace") || (!traces() && missing("strace may not trace here"));
}

export const withoutRoot = (): string | false => process.getuid?.() !== 0 && missing("it takes root");

/** A package that is an optional peer of ours. */
export function withoutPackage(name: string): string | false {
  try {
    createRequire(import.meta.url).resolve(name);
    return false;
  } catch {
    return missing(`${name} is not installed`);
  }
}

/** Whether a small disk can be mounted here. */
export function withoutSmallDisk(): string | false {
  const above = mkdtempSync(join(tmpdir(), "tidings-disk-"));
  try {
    const problem = mountAt(above, 1);
    if (problem === undefined) spawnSync("umount", ["-l", above]);
    return problem !== undefined && missing(`no small disk can be mounted here: ${problem}`);
  } finally {
    rmSync(above, { recursive: true, force: true });
  }
}

/** A small disk of its own, for tests that `withoutSmallDisk` does not skip. */
export function smallDisk(t: TestContext, megabytes: number): string {
  const above = mkdtempSync(join(tmpdir(), "tidings-disk-"));
  const place = join(above, "disk");
  mkdirSync(place);
  t.after(() => {
    // What is still open keeps the disk busy; it goes when that does.
    spawnSync("umount", ["-l", place]);
    rmSync(above, { recursive: true, force: true });
  });
  const problem = mountAt(place, megabytes);
  if (problem !== undefined) throw new Error(problem);
  return place;
}

/** Undefined when it is mounted, else why it is not. */
function mountAt(place: string, megabytes: number): string | undefined {
  const options = ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", place];
  const { status, stderr } = spawnSync("mount", options, { encoding: "utf8" });
  return status === 0 ? undefined : stderr?.trim() || "mount is missing or needs root";
}
