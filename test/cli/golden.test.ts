// What each command prints, as text and as JSON, byte for byte. UPDATE_GOLDEN=1 writes the files anew.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";

import { catalog } from "../../src/cli/catalog.ts";
import { buildProgram } from "../../src/cli/program.ts";
import { type GoldenStore, goldenStore } from "./store.ts";
import { normalized, temporaryFile, tidings } from "./support.ts";

const folder = join(import.meta.dirname, "golden");
const { url, path } = temporaryFile();
let store: GoldenStore;

before(async () => {
  store = await goldenStore(url);
});

/** By command, what to run; those that change something only say what they would do. */
const runs: Readonly<Record<string, () => readonly string[]>> = {
  "topic ls": () => [],
  "topic show": () => ["orders"],
  "topic create": () => ["fresh", "--partitions", "3", "--dry-run"],
  publish: () => [
    "-t",
    "orders",
    "--type",
    "shop.order.placed",
    "--key",
    "5",
    "--id",
    "five",
    "--data",
    "{}",
    "--dry-run",
  ],
  tail: () => ["orders", "payments", "--from", "start", "--until", "end"],
  "event get": () => [store.events["2:20"] as string],
  "sub ls": () => [],
  "sub show": () => ["mail"],
  "sub lag": () => [],
  "sub keys": () => [],
  "sub pause": () => ["pay", "--reason", "test", "--until", "2030-01-01T00:00:00Z", "--dry-run"],
  "sub resume": () => ["mail", "--dry-run"],
  "sub seek": () => ["mail", "--to", "start", "--dry-run"],
  "breaker ls": () => [],
  "breaker open": () => ["books/payments", "--reason", "test", "--until", "2030-01-01T00:00:00Z", "--dry-run"],
  "breaker close": () => ["books/payments", "--reason", "test", "--dry-run"],
  "outbox ls": () => [],
  "outbox retry": () => ["0/0000000000000000"],
  "outbox discard": () => ["0/0000000000000000", "--yes"],
  "dlq ls": () => [],
  "dlq groups": () => [],
  "dlq show": () => [store.deadLetter],
  "dlq edit": () => [store.deadLetter, "--patch", '[{"op":"replace","path":"/total","value":1}]', "--dry-run"],
  "dlq redrive": () => ["--sub", "pay", "--dry-run"],
  "dlq redrives": () => [],
  "dlq redrive-show": () => [store.redrive],
  "dlq redrive-pause": () => [store.redrive, "--dry-run"],
  "dlq redrive-resume": () => [store.redrive, "--dry-run"],
  "dlq redrive-cancel": () => [store.redrive, "--dry-run"],
  "dlq discard": () => ["--all", "--dry-run"],
  "dlq undo": () => ["--all", "--dry-run"],
  doctor: () => [],
  "engine adopt": () => ["--yes"],
  "engine info": () => [],
  "engine verify": () => [],
  "test crash": () => [join(import.meta.dirname, "../../examples/testing/payments.crash.ts")],
  "test sim": () => ["--app", "examples/testing/simulation.ts", "--seed", "42", "--faults", "crash,pause", "--dry-run"],
  explain: () => ["disk-full"],
  version: () => [],
};

describe("the output of every command", () => {
  it("is held by a golden file", () => {
    assert.deepEqual(Object.keys(runs).sort(), catalog.map((entry) => entry.path.join(" ")).sort());
  });

  for (const [name, args] of Object.entries(runs)) {
    it(`of \`tidings ${name}\` is as its golden file says`, async () => {
      const words = [...name.split(" "), ...args()];
      const [text, json] = await Promise.all([tidings(words, { url }), tidings([...words, "--json"], { url })]);
      assert.equal(json.status, text.status);
      for (const line of json.stdout.trim().split("\n").filter(Boolean))
        assert.doesNotThrow(() => JSON.parse(line), line);
      const shown = [
        `$ tidings ${name}\n${text.stdout}${text.stderr}=> ${text.status}\n`,
        `$ tidings ${name} --json\n${json.stdout}=> ${json.status}\n`,
      ].join("\n");
      compare(name, normalized(shown, path));
    });

    it(`of \`tidings ${name} --help\` begins with examples`, async () => {
      const words = name.split(" ");
      const program = await buildProgram([...words, "--help"]);
      const command = words.reduce((found, word) => found.commands.find((each) => each.name() === word)!, program);
      let shown = "";
      command.configureOutput({ writeOut: (text) => void (shown += text) }).outputHelp();
      assert.match(shown, /^Examples:\n {2}tidings /);
      assert.match(shown, new RegExp(`^Usage: tidings ${name} \\[options\\]`, "m"));
    });
  }
});

function compare(name: string, shown: string): void {
  const file = join(folder, `${name.replaceAll(" ", "-")}.txt`);
  if (process.env["UPDATE_GOLDEN"]) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, shown);
  }
  assert.ok(existsSync(file), `there is no ${file}: run with UPDATE_GOLDEN=1 and look at what it says`);
  assert.equal(shown, readFileSync(file, "utf8"));
}
