// strace, and running something under it.
import { spawn } from "node:child_process";
import { constants } from "node:os";

import { execute, executeAloud } from "../services/execute.ts";
import { tracedCalls } from "./trace.ts";

/** Why the harness cannot run here, in a sentence that says what to do. */
export class Unable extends Error {}

/** Sees to it that strace is there and may trace. Installs Debian's package where that is possible. Throws Unable. */
export async function ensureStrace(): Promise<void> {
  const why = await straceFails();
  if (why === undefined) return;
  if (!why.missing) throw new Unable(`strace may not trace here (${why.words}): allow ptrace and run this again.`);
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new Unable('strace is missing: install it ("sudo apt-get install strace") and run this again.');
  }
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
  const options = ["-q", "-o", "DPkg::Lock::Timeout=300"];
  try {
    await executeAloud("apt-get", [...options, "update"], env);
    await executeAloud("apt-get", [...options, "install", "-y", "--no-install-recommends", "strace"], env);
  } catch (error) {
    throw new Unable(`strace is missing and could not be installed: ${(error as Error).message}`);
  }
  const still = await straceFails();
  if (still) throw new Unable(`strace was installed and does not work: ${still.words}`);
}

/** Why strace cannot be used now; undefined when it can. */
export async function straceFails(): Promise<{ readonly missing: boolean; readonly words: string } | undefined> {
  try {
    await execute("strace", ["-f", "-o", "/dev/null", "-e", "trace=none", "true"]);
    return undefined;
  } catch (error) {
    const words = (error as Error).message;
    return { missing: words.includes("ENOENT"), words };
  }
}

/** Runs a command with its disk calls written to a file; its own status must be 0. */
export function recordCalls(output: string, command: readonly string[]): Promise<void> {
  const options = ["-f", "-y", "-xx", "-a", "0", "-s", String(16 * 1024 * 1024), "-o", output];
  const child = spawn("strace", [...options, "-e", `trace=${tracedCalls.join(",")}`, "--seccomp-bpf", ...command], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const status = signal === null ? code : 128 + constants.signals[signal];
      if (status === 0) resolve();
      else reject(new Error(`The recorded run ended with status ${status}.\n${said.trim()}`));
    });
  });
}
