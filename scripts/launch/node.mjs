// Which Node runs a command: the one at hand when it is new enough, else an exact one from the npm registry, kept in
// the ignored folder .node/ of the repository and used for nothing else.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import { withLock } from "./lock.mjs";
import { npm } from "./npm.mjs";
import { LaunchError, saying } from "./say.mjs";

const developed = "24.21.0";
const platforms = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"];

/**
 * The path of the Node to use, installed first where there is none. TIDINGS_NODE names another exact version, to try
 * a command on it: `TIDINGS_NODE=22.18.0 npm test`.
 *
 * @param {string} root
 */
export async function ensureNode(root) {
  const asked = process.env.TIDINGS_NODE;
  if (asked === undefined && runsTypeScript(process.versions.node)) return process.execPath;
  if (asked === process.versions.node) return process.execPath;
  const version = asked ?? developed;
  const platform = supportedPlatform();
  const home = join(root, ".node", version);
  const node = join(home, "node_modules", `node-${platform}`, "bin", "node");
  if (existsSync(node)) return node;
  await withLock(join(root, ".node", "lock"), async () => {
    if (!existsSync(node)) await install(`node-${platform}@${version}`, home);
  });
  return node;
}

/**
 * Whether this Node runs TypeScript files and `node:sqlite` without a flag.
 *
 * @param {string} version
 */
export function runsTypeScript(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

function supportedPlatform() {
  const platform = `${process.platform}-${process.arch}`;
  const advice = `install Node 22.18 or newer yourself (24 is what tidings is developed on) and run the command again.`;
  if (!platforms.includes(platform)) {
    throw new LaunchError(`No Node can be brought along for ${platform}: ${advice}`);
  }
  if (process.platform === "linux" && isMusl()) {
    throw new LaunchError(`The Node that could be brought along needs glibc, and this system has musl: ${advice}`);
  }
  return platform;
}

function isMusl() {
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  return report.header.glibcVersionRuntime === undefined;
}

/**
 * Installs beside the final place and moves the whole folder there, so that a killed start leaves nothing half-done.
 *
 * @param {string} name
 * @param {string} home
 */
async function install(name, home) {
  mkdirSync(join(home, ".."), { recursive: true });
  const draft = mkdtempSync(`${home}.draft-`);
  try {
    await saying(`this needs Node 22.18 or newer and runs on ${process.versions.node}; installing ${name} once`, () =>
      npm(["install", "--prefix", draft, "--no-save", "--no-package-lock", "--ignore-scripts", "--force", name], draft),
    );
    rmSync(home, { recursive: true, force: true });
    // A temporary folder is its owner's alone; tests start this Node as other users, too.
    chmodSync(draft, 0o755);
    renameSync(draft, home);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
