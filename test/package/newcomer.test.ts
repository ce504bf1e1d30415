// The way of a newcomer: pack, install the tarball in an empty folder, paste the README's program, run it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

const root = join(import.meta.dirname, "../..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const program = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";

describe("the packed package", () => {
  let folder = "";

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "tidings-newcomer-"));
    execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "pipe" });
    const [tarball] = execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], {
      cwd: root,
      encoding: "utf8",
    })
      .trim()
      .split("\n")
      .slice(-1);
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "newcomer", private: true, type: "module" }));
    execFileSync(
      "npm",
      ["install", "--no-audit", "--no-fund", "--silent", join(folder, tarball as string), "zod@4.6.7"],
      { cwd: folder, stdio: "pipe" },
    );
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it("runs the README's program on a file", () => {
    writeFileSync(join(folder, "shop.ts"), program);
    const { stdout, stderr, status } = spawnSync(process.execPath, ["shop.ts"], {
      cwd: folder,
      encoding: "utf8",
      env: plainEnv(),
    });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /thank you for order 42/);
  });

  it("brings the command line", () => {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ["node_modules/tidings/dist/cli/main.js", "sub", "ls", "--json", "--url", "sqlite:shop.db"],
      { cwd: folder, encoding: "utf8", env: plainEnv() },
    );
    assert.equal(status, 0, stderr);
    assert.match(stdout, /payments\/orders/);
  });

  for (const [module, moduleResolution] of [
    ["node16", "node16"],
    ["esnext", "bundler"],
  ] as const) {
    it(`type-checks the README's program under moduleResolution ${moduleResolution}`, () => {
      const place = join(folder, moduleResolution);
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, "shop.ts"), program);
      symlinkSync(join(root, "node_modules/@types"), join(place, "types"));
      const options = [
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "false",
        "--target",
        "es2023",
        "--module",
        module,
        "--moduleResolution",
        moduleResolution,
      ];
      const { stdout, status } = spawnSync(
        process.execPath,
        [
          join(root, "node_modules/typescript/bin/tsc"),
          ...options,
          "--types",
          "node",
          "--typeRoots",
          "types",
          "shop.ts",
        ],
        { cwd: place, encoding: "utf8", env: plainEnv() },
      );
      assert.equal(status, 0, stdout);
    });
  }

  it("has few direct dependencies, no native code and no install script", () => {
    const { dependencies, scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      dependencies: object;
      scripts: Record<string, string>;
    };
    assert.ok(Object.keys(dependencies).length <= 20);
    for (const name of ["preinstall", "install", "postinstall"]) assert.equal(scripts[name], undefined);
    const tree = execFileSync("npm", ["ls", "--all", "--parseable", "--omit=dev"], { cwd: folder, encoding: "utf8" })
      .trim()
      .split("\n");
    for (const place of tree.slice(1)) {
      const { scripts: theirs = {} } = JSON.parse(readFileSync(join(place, "package.json"), "utf8")) as {
        scripts?: Record<string, string>;
      };
      for (const name of ["preinstall", "install", "postinstall"])
        assert.equal(theirs[name], undefined, `${place} has a script "${name}"`);
    }
  });
});

/** The environment without the conditions by which this repository runs its own sources. */
function plainEnv(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return env;
}
