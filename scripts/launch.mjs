#!/usr/bin/env node
// The one door to every command of this repository: node scripts/launch.mjs FILE [ARGUMENT...]
//
// It must run on Node 20, so nothing here or in scripts/launch/ may import what only a newer Node has. Everything it
// says goes to the standard error, so that a command's standard output is the command's alone.
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { ensureModules } from "./launch/modules.mjs";
import { ensureNode } from "./launch/node.mjs";
import { run } from "./launch/run.mjs";
import { fail, LaunchError } from "./launch/say.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * The folders whose packages a command needs: the repository's own, and that of the nearest folder between the
 * command and the root with a lock file of its own (bench/ keeps what it compares with apart like this).
 *
 * @param {string} file
 */
function packageFolders(file) {
  for (let folder = dirname(file); folder.startsWith(root) && folder !== root; folder = dirname(folder)) {
    if (existsSync(join(folder, "package-lock.json"))) return [root, folder];
  }
  return [root];
}

/** @param {string[]} argv */
async function main([command, ...args]) {
  if (command === undefined) throw new LaunchError("Name the file to run: node scripts/launch.mjs FILE [ARGUMENT...]");
  const file = resolve(command);
  if (!existsSync(file)) throw new LaunchError(`There is no file ${command} to run.`);
  const node = await ensureNode(root);
  for (const folder of packageFolders(file)) await ensureModules({ root, folder, node });
  return run({ node, file, args });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = fail(error);
}
