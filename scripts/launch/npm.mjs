// Calling npm from inside an npm script.
import { spawn } from "node:child_process";
import { basename, delimiter, dirname } from "node:path";

import { LaunchError } from "./say.mjs";

/** How to reach the registry: the user's to say, and kept. */
const kept =
  /^npm_config_(registry|userconfig|globalconfig|cache|ca|cafile|cert|key|strict_ssl|proxy|https?_proxy|noproxy|prefer_offline|offline|fetch_.*|maxsockets|\/\/.*|@.*|_.*)$/;

/**
 * The environment for a nested npm. The outer npm hands all its settings down (its prefix, --json, --dry-run, --global,
 * a workspace, a log level), and any of them would change what the inner one does. It writes them in lower case; what
 * is in upper case (NPM_TOKEN, NPM_CONFIG_REGISTRY) is the user's own.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {string} [node] the Node that npm is to run under
 */
export function npmEnvironment(env, node) {
  const clean = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("npm_") || kept.test(name)));
  delete clean.NODE_ENV;
  if (node !== undefined) clean.PATH = `${dirname(node)}${delimiter}${clean.PATH ?? ""}`;
  return clean;
}

/**
 * How to start npm: the npm that started us is a script to run under the chosen Node; without one, the shell's npm finds
 * that Node first on the PATH that npmEnvironment sets.
 *
 * @param {string} node
 * @returns {[command: string, first: string[]]}
 */
export function npmCommand(node) {
  const outer = process.env.npm_execpath;
  return outer !== undefined && basename(outer) === "npm-cli.js" ? [node, [outer]] : ["npm", []];
}

/**
 * Runs npm with its output on the standard error.
 *
 * @param {string[]} args
 * @param {string} cwd
 * @param {string} [node]
 * @returns {Promise<void>}
 */
export function npm(args, cwd, node) {
  const [command, first] = npmCommand(node ?? process.execPath);
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...first, ...args], {
      cwd,
      env: npmEnvironment(process.env, node),
      stdio: ["ignore", 2, 2],
      shell: process.platform === "win32" && command === "npm",
    });
    child.once("error", (error) => reject(new LaunchError(`npm could not be started: ${error.message}`)));
    child.once("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new LaunchError(`npm ${args[0]} ended with ${signal ?? `status ${code}`}; what it said is above.`));
    });
  });
}
