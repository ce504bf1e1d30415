import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";

import { npmEnvironment } from "../../scripts/launch/npm.mjs";
import { runsTypeScript } from "../../scripts/launch/node.mjs";

const repository = resolve(import.meta.dirname, "../..");

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A copy of the launcher in a folder of its own, with an npm that notes its calls instead of installing. */
function copy(parent: string) {
  const root = mkdtempSync(join(parent, "copy-"));
  cpSync(join(repository, "scripts/launch.mjs"), join(root, "scripts/launch.mjs"));
  cpSync(join(repository, "scripts/launch"), join(root, "scripts/launch"), { recursive: true });
  writeFileSync(join(root, "package.json"), '{ "type": "module" }');
  writeFileSync(join(root, "package-lock.json"), '{ "lockfileVersion": 3 }');
  const bin = join(root, "bin");
  mkdirSync(bin);
  // Two installs at once would find each other's mark.
  const npm = `#!/bin/sh
echo "$1" >> "${root}/npm-calls"
echo "npm speaks on stdout"
mkdir "${root}/busy" || { echo clash >> "${root}/npm-calls"; exit 1; }
sleep 0.4
rm -rf node_modules && mkdir node_modules
rmdir "${root}/busy"
exit \${NPM_STATUS:-0}
`;
  writeFileSync(join(bin, "npm"), npm);
  chmodSync(join(bin, "npm"), 0o755);
  const calls = () =>
    existsSync(join(root, "npm-calls")) ? readFileSync(join(root, "npm-calls"), "utf8").trim().split("\n") : [];
  return { root, bin, calls };
}

type Copy = ReturnType<typeof copy>;

function start({ root, bin }: Copy, program: string, args: readonly string[] = [], extra: NodeJS.ProcessEnv = {}) {
  const file = join(root, "command.ts");
  writeFileSync(file, program);
  const { TIDINGS_NODE: _, ...env } = npmEnvironment(process.env);
  const path = [bin, dirname(process.execPath), env.PATH].join(delimiter);
  const child = spawn(process.execPath, [join(root, "scripts/launch.mjs"), file, ...args], {
    env: { ...env, PATH: path, ...extra },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ended>((done) => child.once("close", (code) => done({ code, stdout, stderr })));
  return { child, ended, saidReady: () => new Promise((ready) => child.stdout.once("data", ready)) };
}

describe("the launcher", () => {
  let parent: string;
  before(() => {
    parent = mkdtempSync(join(tmpdir(), "tidings-launch-"));
  });
  after(() => rmSync(parent, { recursive: true, force: true }));

  it("knows which Node runs TypeScript without a flag", () => {
    const yes = ["22.18.0", "22.22.3", "23.6.0", "24.0.0", "26.10.0"];
    const no = ["18.20.8", "20.20.2", "22.17.9", "23.5.0"];
    assert.deepEqual([...yes, ...no].filter(runsTypeScript), yes);
  });

  it("passes on arguments, the exit status and a standard output that is the command's alone", async () => {
    const program = "const args: string[] = process.argv.slice(2); console.log(JSON.stringify(args)); process.exit(7);";
    const { code, stdout, stderr } = await start(copy(parent), program, ["--json", "a b"]).ended;
    assert.equal(code, 7);
    assert.equal(stdout, '["--json","a b"]\n');
    assert.match(stderr, /installing the packages/);
    assert.match(stderr, /npm speaks on stdout/);
  });

  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    it(`answers 128 + n when ${signal} ends the command`, async () => {
      const run = start(copy(parent), 'console.log("ready"); setInterval(() => {}, 1000);');
      await run.saidReady();
      run.child.kill(signal);
      assert.equal((await run.ended).code, status);
    });

    it(`lets the command take ${signal} its own way`, async () => {
      const program = `process.on("${signal}", () => { console.log("took it"); process.exit(5); });
        console.log("ready"); setInterval(() => {}, 1000);`;
      const run = start(copy(parent), program);
      await run.saidReady();
      run.child.kill(signal);
      const { code, stdout } = await run.ended;
      assert.deepEqual({ code, stdout }, { code: 5, stdout: "ready\ntook it\n" });
    });
  }

  it("answers 137 when the command is killed", async () => {
    assert.equal((await start(copy(parent), 'process.kill(process.pid, "SIGKILL");').ended).code, 137);
  });

  it("starts the command with the sources' condition, no warning about node:sqlite, and its Node first on the PATH", async () => {
    const program = `import { DatabaseSync } from "node:sqlite";
      import { delimiter, dirname } from "node:path";
      new DatabaseSync(":memory:").close();
      console.log(process.execArgv.join(" "), process.env.PATH?.split(delimiter)[0] === dirname(process.execPath));`;
    const { stdout, stderr } = await start(copy(parent), program).ended;
    assert.equal(stdout, "--conditions=tidings-source --disable-warning=ExperimentalWarning true\n");
    assert.doesNotMatch(stderr, /Warning/);
  });

  it("installs once when several start at the same time", async () => {
    const shared = copy(parent);
    const all = await Promise.all([1, 2, 3, 4].map(() => start(shared, "console.log(1)").ended));
    assert.deepEqual(
      all.map(({ code }) => code),
      [0, 0, 0, 0],
    );
    assert.deepEqual(shared.calls(), ["ci"]);
  });

  it("installs again when the lock file has changed, and only then", async () => {
    const place = copy(parent);
    await start(place, "").ended;
    utimesSync(join(place.root, "package-lock.json"), new Date(), new Date());
    await start(place, "").ended;
    assert.deepEqual(place.calls(), ["ci"]);
    writeFileSync(join(place.root, "package-lock.json"), '{ "lockfileVersion": 3, "changed": true }');
    await start(place, "").ended;
    assert.deepEqual(place.calls(), ["ci", "ci"]);
  });

  it("gives up with npm's status in a sentence, runs nothing, and tries again the next time", async () => {
    const place = copy(parent);
    const { code, stdout, stderr } = await start(place, "console.log(1)", [], { NPM_STATUS: "3" }).ended;
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.match(stderr, /npm ci ended with status 3/);
    assert.equal((await start(place, "").ended).code, 0);
  });

  it("takes over the lock of a process that is gone", async () => {
    const place = copy(parent);
    const gone = spawn(process.execPath, ["-e", ""]);
    await new Promise((done) => gone.once("exit", done));
    mkdirSync(join(place.root, ".node"));
    writeFileSync(join(place.root, ".node/lock"), `${gone.pid} 1`);
    const all = await Promise.all([1, 2, 3].map(() => start(place, "").ended));
    assert.deepEqual(
      all.map(({ code }) => code),
      [0, 0, 0],
    );
    assert.match(all.map(({ stderr }) => stderr).join(), /taking over the lock/);
    assert.deepEqual(place.calls(), ["ci"]);
    assert.equal(existsSync(join(place.root, ".node/lock")), false);
  });

  it("takes over a lock that a living process no longer touches", async () => {
    const place = copy(parent);
    mkdirSync(join(place.root, ".node"));
    const lock = join(place.root, ".node/lock");
    writeFileSync(lock, `${process.pid} 1`);
    utimesSync(lock, new Date(0), new Date(0));
    assert.equal((await start(place, "").ended).code, 0);
  });

  it("waits for a lock that is held, and says so", async () => {
    const place = copy(parent);
    mkdirSync(join(place.root, ".node"));
    const lock = join(place.root, ".node/lock");
    writeFileSync(lock, `${process.pid} 1`);
    const run = start(place, "console.log(1)");
    await new Promise((told) => run.child.stderr.once("data", told));
    assert.deepEqual(place.calls(), []);
    rmSync(lock);
    const { code, stderr } = await run.ended;
    assert.equal(code, 0);
    assert.match(stderr, new RegExp(`waiting for another start \\(process ${process.pid}\\)`));
  });

  it("leaves node_modules alone that carry the lock file's stamp", async () => {
    const place = copy(parent);
    mkdirSync(join(place.root, "node_modules"));
    const hash = createHash("sha256").update(`${process.platform}-${process.arch}\n`);
    writeFileSync(
      join(place.root, "node_modules/.installed-from"),
      hash.update(readFileSync(join(place.root, "package-lock.json"))).digest("hex"),
    );
    await start(place, "").ended;
    assert.deepEqual(place.calls(), []);
  });

  it("keeps the user's registry settings for the nested npm and drops what the outer one was told", () => {
    const kept = {
      PATH: "/bin",
      npm_config_registry: "r",
      npm_config_cafile: "c",
      npm_config_userconfig: "u",
      NPM_TOKEN: "t",
      HOME: "h",
    };
    const dropped = {
      npm_config_dry_run: "true",
      npm_config_prefix: "p",
      npm_lifecycle_event: "test",
      NODE_ENV: "production",
    };
    assert.deepEqual(npmEnvironment({ ...kept, ...dropped }), kept);
  });

  it("names what is wrong when there is nothing to run", async () => {
    const { root } = copy(parent);
    const child = spawn(process.execPath, [join(root, "scripts/launch.mjs"), "nowhere.ts"]);
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const code = await new Promise((done) => child.once("close", done));
    assert.deepEqual({ code, stderr }, { code: 1, stderr: "tidings: There is no file nowhere.ts to run.\n" });
  });

  it("holds nothing that Node 20 cannot load", () => {
    const files = [
      "launch.mjs",
      "launch/lock.mjs",
      "launch/modules.mjs",
      "launch/node.mjs",
      "launch/npm.mjs",
      "launch/run.mjs",
      "launch/say.mjs",
    ];
    for (const file of files) {
      const text = readFileSync(join(repository, "scripts", file), "utf8");
      assert.doesNotMatch(
        text,
        /"node:sqlite"|\.ts";|\bawait using\b|\bimport\.meta\.(dirname|filename)\b|\bglob(Sync)?\(/,
        file,
      );
    }
  });
});
