// node_modules as the lock file says, and not installed again while they are.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

import { withLock } from "./lock.mjs";
import { npm } from "./npm.mjs";
import { LaunchError, saying } from "./say.mjs";

/**
 * Runs `npm ci` in a folder unless the stamp inside its node_modules, written after the last success, holds the lock
 * file's hash. npm ci removes node_modules first, and the stamp with it, so an interrupted install is never trusted.
 * Install scripts stay off: nothing here needs one, and npm would make one up (node-gyp) for a package that ships its
 * binaries beside a binding.gyp.
 *
 * @param {{ root: string, folder: string, node: string }} place
 */
export async function ensureModules({ root, folder, node }) {
  if (isCurrent(folder)) return;
  await withLock(join(root, ".node", "lock"), async () => {
    if (isCurrent(folder)) return;
    const where = relative(root, folder);
    await saying(`installing the packages${where === "" ? "" : ` of ${where}`} (npm ci)`, () =>
      npm(["ci", "--include=dev", "--include=optional", "--ignore-scripts", "--no-audit", "--no-fund"], folder, node),
    );
    writeFileSync(stampFile(folder), lockHash(folder));
  });
}

/** @param {string} folder */
function isCurrent(folder) {
  return existsSync(stampFile(folder)) && readFileSync(stampFile(folder), "utf8") === lockHash(folder);
}

/** @param {string} folder */
function stampFile(folder) {
  return join(folder, "node_modules", ".installed-from");
}

/** @param {string} folder */
function lockHash(folder) {
  const file = join(folder, "package-lock.json");
  if (!existsSync(file)) throw new LaunchError(`There is no ${file}; it belongs to the repository.`);
  return createHash("sha256").update(`${process.platform}-${process.arch}\n`).update(readFileSync(file)).digest("hex");
}
