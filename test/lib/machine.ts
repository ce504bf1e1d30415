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

/** A small disk of its own; undefined where none can be mounted, and then the test is skipped with the reason. */
export function smallDisk(t: TestContext, megabytes: number): string | undefined {
  const above = mkdtempSync(join(tmpdir(), "tidings-disk-"));
  const place = join(above, "disk");
  mkdirSync(place);
  t.after(() => {
    // What is still open keeps the disk busy; it goes when that does.
    spawnSync("umount", ["-l", place]);
    rmSync(above, { recursive: true, force: true });
  });
  const options = ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", place];
  const { status, stderr } = spawnSync("mount", options, { encoding: "utf8" });
  if (status === 0) return place;
  t.skip(missing(`no small disk can be mounted here: ${stderr?.trim() || "mount is missing or needs root"}`));
  return undefined;
}
