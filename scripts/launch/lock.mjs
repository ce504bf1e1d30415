// A lock between processes: a file that names its owner. The owner touches it while it works, so that a lock whose
// owner was killed, or whose number a later process got, is recognised and taken over.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { say } from "./say.mjs";

const beatMs = 2_000;
const staleMs = 60_000;
const pollMs = 100;

/**
 * Runs the work while holding the lock; waits for another holder first.
 *
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(path, work) {
  mkdirSync(dirname(path), { recursive: true });
  const mine = await acquire(path);
  const beat = setInterval(() => touch(path), beatMs);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    // Another start may have taken the lock over while this process was stopped; then it is not ours to remove.
    if (read(path) === mine) rmSync(path, { force: true });
  }
}

/** @param {string} path */
async function acquire(path) {
  const mine = `${process.pid} ${Date.now()}`;
  // Linking a finished file makes the lock appear with its content or not at all.
  const draft = `${path}.${process.pid}`;
  for (let told = false; ;) {
    writeFileSync(draft, mine);
    try {
      linkSync(draft, path);
      return mine;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    } finally {
      rmSync(draft, { force: true });
    }
    const owner = read(path);
    if (owner === undefined) continue;
    if (isStale(path, owner)) {
      takeAway(path, owner);
      continue;
    }
    if (!told) say(`waiting for another start (process ${owner.split(" ")[0]}) to finish …`);
    told = true;
    await sleep(pollMs);
  }
}

/**
 * Only one of several waiters can rename the file. One that caught a fresh lock instead of the stale one it saw puts
 * it back.
 *
 * @param {string} path
 * @param {string} owner
 */
function takeAway(path, owner) {
  const away = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, away);
    if (read(away) === owner) say(`taking over the lock of process ${owner.split(" ")[0]}, which is gone`);
    else linkSync(away, path);
  } catch {
    // Somebody else was faster; the next round sees what is there now.
  } finally {
    rmSync(away, { force: true });
  }
}

/**
 * @param {string} path
 * @param {string} owner
 */
function isStale(path, owner) {
  try {
    if (Date.now() - statSync(path).mtimeMs > staleMs) return true;
    process.kill(Number(owner.split(" ")[0]), 0);
    return false;
  } catch (error) {
    // EPERM: it lives and is somebody else's. ENOENT: the lock was given back just now.
    return /** @type {NodeJS.ErrnoException} */ (error).code === "ESRCH";
  }
}

/** @param {string} path */
function touch(path) {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {
    // Taken over; the end of the work notices.
  }
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
