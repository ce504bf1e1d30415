// Style as a test. What oxlint can hold it holds (.oxlintrc.json: files of src at most 400 lines, functions at most 70,
// no cycles of value imports, clocks and timers by name); the rest is here.
import assert from "node:assert/strict";
import { posix } from "node:path";
import { describe, it } from "node:test";

import { Visitor } from "oxc-parser";

import { lineOf, read, type Source, sourcesIn, tracked } from "./tidy/sources.ts";

// The rooms of src/ and what each may import besides itself; types count too. A room imports only what stands left of
// it: errors, lib, platform <- event <- ports <- membership <- delivery, outbox, journal <- admin <- app <- cli.
const ground = ["errors", "lib", "platform"];
const ports = [...ground, "event", "ports"];
const core = [...ports, "membership", "delivery", "outbox", "journal", "admin", "app"];
const rooms: Record<string, readonly string[]> = {
  errors: [],
  lib: ["errors"],
  platform: ["errors", "lib"],
  event: ground,
  ports: [...ground, "event"],
  membership: ports,
  delivery: [...ports, "membership"],
  outbox: [...ports, "membership"],
  journal: ports,
  admin: [...ports, "membership", "delivery", "outbox"],
  app: [...ports, "membership", "delivery", "outbox", "journal", "admin"],
  // `tidings test` runs the simulator of the test kit.
  cli: [...core, "testing"],
  // What several engines truly share. An engine never imports a sibling, nor anything above the ports.
  "engines/sql": ports,
  "engines/broker": [...ports, "engines/sql"],
  "engines/*": [...ports, "engines/sql", "engines/broker"],
  conformance: [...ports, "membership"],
  testing: [...core, "conformance", "engines/memory"],
  // The package's main entry.
  "index.ts": [...core, "engines/*"],
};
/** The one file that may load engines, by the scheme of a URL, and only by `import()`. */
const engineLoader = "src/app/engines.ts";

/** Rooms that run anywhere JavaScript does. */
const neutral = ["errors", "event", "ports"];

/** What only src/platform/ may touch. */
const clocks = {
  calls: ["setTimeout", "setInterval", "setImmediate", "Date"],
  members:
    /^(Date\.now|performance\.\w+|process\.hrtime|AbortSignal\.timeout|Math\.random|(web)?crypto\.(random|getRandom)\w*)$/,
  modules: /^node:(timers|perf_hooks)/,
  fromCrypto: /^(random|getRandom|webcrypto)/,
};

/** Closing a second descriptor of the database file drops SQLite's lock on it; these open nothing. */
const fsAllowedToSqlite =
  /^(FSWatcher|Stats|constants|watch|(exists|access|stat|statfs|realpath|mkdir|readdir)(Sync)?|(access|stat|statfs|realpath|mkdir|readdir)Promise)$/;

const rootDocuments = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];
const readmeLinesMax = 120;

const sources = sourcesIn("src");
const code = ["src", "test", "examples", "scripts", "bench"].flatMap((folder) => sourcesIn(folder));
const tests = sourcesIn("test");

describe("rooms", () => {
  it("import only what stands left of them", () => {
    none(sources, (source) => {
      const from = roomOf(source.path);
      const allowed = rooms[from] ?? rooms[from.replace(/^engines\/.*/, "engines/*")];
      if (allowed === undefined) return [`${source.path} is in no room of the table`];
      return source.imports
        .filter(({ relative, target, kind }) => {
          const to = roomOf(target);
          if (!relative || to === from) return false;
          if (source.path === engineLoader && kind === "dynamic" && to.startsWith("engines/")) return false;
          return (
            !allowed.includes(to) &&
            !(to.startsWith("engines/") && allowed.includes("engines/*") && from === "index.ts")
          );
        })
        .map(({ target, kind }) => `${source.path} imports ${target} (${kind})`);
    });
  });

  it("stay inside src", () => {
    none(sources, ({ path, imports }) =>
      imports
        .filter((found) => found.relative && !found.target.startsWith("src/"))
        .map((found) => `${path}: ${found.target}`),
    );
  });

  it("import the exact file, never a folder's index", () => {
    none(sources, ({ path, imports }) =>
      imports
        .filter((found) => found.relative && (found.target.endsWith("/index.ts") || !found.target.endsWith(".ts")))
        .map((found) => `${path}: ${found.target}`),
    );
  });

  it("have an index.ts only where package.json exports it", () => {
    const { exports } = JSON.parse(read("package.json")) as {
      exports: Record<string, string | Record<string, string>>;
    };
    const named = Object.values(exports).flatMap((entry) => (typeof entry === "string" ? [] : Object.values(entry)));
    none(sources, ({ path }) => (posix.basename(path) === "index.ts" && !named.includes(`./${path}`) ? [path] : []));
  });

  it("that run anywhere import nothing of node", () => {
    none(sources, ({ path, imports }) =>
      neutral.includes(roomOf(path))
        ? imports.filter((found) => found.target.startsWith("node:")).map((found) => `${path}: ${found.target}`)
        : [],
    );
  });

  it("get clocks, timers, chance and ids from platform", () => {
    none(sources, (source) => (roomOf(source.path) === "platform" ? [] : clocksIn(source)));
  });

  it("of sqlite open no file by themselves", () => {
    none(sources, ({ path, imports }) =>
      /^src\/engines\/sql(ite)?\//.test(path)
        ? imports
            .filter(({ target, names }) => /^node:fs\b/.test(target) && !opensNothing(names))
            .map(({ target, names }) => `${path}: ${names.join(", ") || "everything"} from ${target}`)
        : [],
    );
  });

  it("are held by rules that no comment switches off", () => {
    none(sources, (source) =>
      [...source.text.matchAll(/(?:ox|es)lint-disable.*/g)]
        .filter(([text]) => /max-lines|no-cycle|no-restricted/.test(text) || !/ -- \S/.test(text))
        .map((match) => `${lineOf(source, match.index)}: ${match[0]} (a switched-off rule needs " -- reason")`),
    );
  });
});

describe("tests", () => {
  it("have titles that are facts", () => {
    none(tests, (source) => titlesIn(source).filter((title) => /^.*: should\b/i.test(title)));
  });

  it("are never the only ones, and are skipped with a reason", () => {
    none(tests, (source) => {
      const found: string[] = [];
      new Visitor({
        MemberExpression({ object, property, start }) {
          if (property.type !== "Identifier" || object.type !== "Identifier") return;
          const isTest = ["test", "it", "describe", "suite"].includes(object.name);
          if (isTest && ["only", "skip", "todo"].includes(property.name)) found.push(lineOf(source, start));
        },
        CallExpression({ callee, arguments: args, start }) {
          if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return;
          if (callee.property.name === "skip" && args.length === 0) found.push(lineOf(source, start));
        },
        Property({ key, value, start }) {
          if (key.type !== "Identifier" || value.type !== "Literal" || value.value !== true) return;
          if (["skip", "only", "todo"].includes(key.name)) found.push(lineOf(source, start));
        },
      }).visit(source.program);
      return found;
    });
  });
});

describe("tracked files", () => {
  const texts = tracked.filter((path) => /\.(ts|mjs|js|json|md|ya?ml|sh|sql|html|css|txt)$|^\.|^[^.]+$/.test(path));

  it("leave nothing to be done later", () => {
    const later = /\b(T[O]DO|F[I]XME|H[A]CK)\b/;
    none(code, (source) => matches(source, later));
  });

  it("hold no path of one machine and no registry's address", () => {
    // Written so that the patterns do not match themselves.
    const machine = /(?<![\w.}-])[/](work|root)[/]/;
    const registry = /registry[.](npmjs|yarnpkg)|deb[.]debian[.]org|repo1?[.]maven/;
    none(
      texts.map((path) => ({ path, text: read(path) })),
      (file) => (file.path === "LICENSE" ? [] : [...matches(file, machine), ...matches(file, registry)]),
    );
  });

  it("lock packages by hash, not by address", () => {
    for (const path of tracked.filter((file) => posix.basename(file) === "package-lock.json")) {
      assert.doesNotMatch(read(path), /"resolved": "https?:/, path);
    }
  });

  it("put four documents at the root and the others into docs", () => {
    assert.deepEqual(
      tracked.filter((path) => /^[^/]+\.md$/.test(path) && !rootDocuments.includes(path)),
      [],
    );
  });

  it("include a README of at most 120 lines", () => {
    const lines = tracked.includes("README.md") ? read("README.md").trimEnd().split("\n").length : 0;
    assert.ok(lines <= readmeLinesMax, `README.md has ${lines} lines`);
  });

  it("link to files and headings that exist", () => {
    none(
      tracked.filter((path) => path.endsWith(".md")).map((path) => ({ path, text: read(path) })),
      brokenLinks,
    );
  });
});

/** Fails with everything that was found, so that one run shows all there is to mend. */
function none<T>(items: readonly T[], faults: (item: T) => readonly string[]): void {
  assert.deepEqual(items.flatMap(faults), []);
}

function roomOf(path: string): string {
  const [, first = "", second = ""] = path.split("/");
  return first === "engines" ? `engines/${second}` : first;
}

function opensNothing(names: readonly string[]): boolean {
  return names.length > 0 && names.every((name) => fsAllowedToSqlite.test(name));
}

function clocksIn(source: Source): string[] {
  const found = source.imports
    .filter(({ target, names }) => {
      const chance =
        target === "node:crypto" && (names.length === 0 || names.some((name) => clocks.fromCrypto.test(name)));
      return clocks.modules.test(target) || chance;
    })
    .map(({ target, names }) => `${source.path}: ${names.join(", ") || "everything"} from ${target}`);
  const add = (start: number, what: string) => found.push(`${lineOf(source, start)}: ${what}`);
  new Visitor({
    NewExpression({ callee, arguments: args, start }) {
      if (callee.type === "Identifier" && callee.name === "Date" && args.length === 0) add(start, "new Date()");
    },
    CallExpression({ callee, start }) {
      if (callee.type === "Identifier" && clocks.calls.includes(callee.name)) add(start, `${callee.name}()`);
    },
    MemberExpression({ object, property, start }) {
      if (property.type !== "Identifier") return;
      const owner = object.type === "MemberExpression" ? object.property : object;
      const name = owner.type === "Identifier" ? `${owner.name}.${property.name}` : "";
      if (
        clocks.members.test(name) ||
        (name.startsWith("globalThis.") && clocks.calls.slice(0, 3).includes(property.name))
      ) {
        add(start, name);
      }
    },
  }).visit(source.program);
  return found;
}

function titlesIn(source: Source): string[] {
  const found: string[] = [];
  new Visitor({
    CallExpression({ callee, arguments: [title], start }) {
      const name = callee.type === "MemberExpression" ? callee.property : callee;
      if (name.type !== "Identifier" || !["test", "it", "describe", "suite"].includes(name.name)) return;
      const text =
        title?.type === "TemplateLiteral" ? title.quasis[0]?.value.cooked : title?.type === "Literal" && title.value;
      if (typeof text === "string") found.push(`${lineOf(source, start)}: ${text}`);
    },
  }).visit(source.program);
  return found;
}

function matches(file: { path: string; text: string }, pattern: RegExp): string[] {
  return file.text
    .split("\n")
    .flatMap((line, at) => (pattern.test(line) ? [`${file.path}:${at + 1}: ${line.trim().slice(0, 120)}`] : []));
}

function brokenLinks({ path, text }: { path: string; text: string }): string[] {
  const prose = text.replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, "").replaceAll(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z][a-z+.-]*:/i.test(target))
    .filter((target) => {
      const [file = "", anchor] = target.split("#");
      const reached = file === "" ? path : posix.join(posix.dirname(path), file).replace(/\/$/, "");
      if (!tracked.some((known) => known === reached || known.startsWith(`${reached}/`))) return true;
      return anchor !== undefined && anchor !== "" && reached.endsWith(".md") && !anchorsOf(read(reached)).has(anchor);
    })
    .map((target) => `${path}: ${target}`);
}

/** Headings as GitHub turns them into anchors. */
function anchorsOf(text: string): Set<string> {
  const headings = text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/^#{1,6}\s+(.*?)\s*#*$/gm);
  const anchors = new Set([...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id = ""]) => id));
  for (const [, heading = ""] of headings) {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = plain.replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, "").replaceAll(" ", "-");
    for (let n = 0; ; n += 1) {
      const numbered = n === 0 ? anchor : `${anchor}-${n}`;
      if (anchors.has(numbered)) continue;
      anchors.add(numbered);
      break;
    }
  }
  return anchors;
}
