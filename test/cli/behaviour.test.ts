import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { before, describe, it } from "node:test";

import { goldenStore } from "./store.ts";
import { ended, start, temporaryFile, tidings } from "./support.ts";

const { url, folder } = temporaryFile();
const escape = "\u001B";
const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

before(async () => {
  await goldenStore(url);
});

describe("exit statuses of the command line", () => {
  const cases: Readonly<Record<string, readonly [readonly string[], number, RegExp]>> = {
    "2 for an unknown command, with the one that was meant": [
      ["tpic", "ls"],
      2,
      /Did you mean topic\?.*\[TIDINGS_USAGE\]$/m,
    ],
    "2 for an unknown option, with the one that was meant": [["tail", "--lmit", "1"], 2, /Did you mean --limit\?/],
    "2 for a value that cannot be read": [["tail", "--from", "yesterday"], 2, /"yesterday" is no place/],
    "2 for a condition that cannot be read": [
      ["tail", "--where", "data.total >"],
      2,
      /at character 13 the end ends too early/,
    ],
    "2 for an unknown scheme": [
      ["topic", "ls", "--url", "sqlit:shop.db"],
      2,
      /did you mean "sqlite:"\?.*TIDINGS_UNKNOWN_ENGINE/,
    ],
    "2 for a file without its scheme": [["topic", "ls", "--url", "shop.db"], 2, /write sqlite:shop\.db/],
    "2 for the memory engine": [["topic", "ls", "--url", "memory:"], 2, /lives inside one process/],
    "2 for a seek without --yes": [
      ["sub", "seek", "mail", "--to", "start"],
      2,
      /--dry-run.*--yes\. \[TIDINGS_CONFIRMATION_NEEDED\]/,
    ],
    "2 for dead letters of which nobody says which": [["dlq", "redrive"], 2, /Which ones\?/],
    "2 for a redrive of everything without --yes": [
      ["dlq", "redrive", "--since", "-10d"],
      2,
      /redrive all 1 dead letter there are.*TIDINGS_CONFIRMATION_NEEDED/,
    ],
    "2 for an abort rule that cannot be read": [
      ["dlq", "redrive", "--all", "--abort", "few"],
      2,
      /--abort takes a whole/,
    ],
    "2 for a patch that is none": [
      ["dlq", "edit", "nothing", "--patch", "[{]"],
      2,
      /--patch is not JSON.*TIDINGS_INVALID_INPUT/,
    ],
    "3 for a redrive of nothing": [["dlq", "redrive", "--key", "none"], 3, /key "none".*TIDINGS_NOTHING_SELECTED/],
    "3 for a redrive that does not exist": [["dlq", "redrive-show", "nothing"], 3, /no redrive nothing.*NOT_FOUND/],
    "5 for a redrive of what another one covers": [
      ["dlq", "redrive", "--sub", "pay"],
      5,
      /by ann.*TIDINGS_REDRIVE_CONFLICT/,
    ],
    "3 for a topic that does not exist": [
      ["topic", "show", "ordrs"],
      3,
      /did you mean "orders"\?.*\[TIDINGS_NOT_FOUND\]/,
    ],
    "3 for a file that does not exist": [["topic", "ls", "--url", "sqlite:/nowhere/x.db"], 3, /TIDINGS_NOT_FOUND/],
    "3 for an event that does not exist": [["event", "get", "nothing"], 3, /TIDINGS_NOT_FOUND/],
    "5 for a topic with another number of partitions": [
      ["topic", "create", "orders", "-p", "9"],
      5,
      /TIDINGS_PARTITIONS_CHANGED/,
    ],
    "5 for a seek over held keys": [["sub", "seek", "pay", "--to", "start", "--yes"], 5, /TIDINGS_HELD_KEYS_OPEN/],
    "5 for a subscription that is not paused": [["sub", "resume", "books"], 5, /TIDINGS_NOT_PAUSABLE/],
    "7 for a lag above the threshold": [
      ["sub", "lag", "--max-age", "1ms"],
      7,
      /mail\/orders \(.*\[TIDINGS_LAG_EXCEEDED\]/,
    ],
    "7 for a doctor that found something": [["doctor"], 7, /^problem: mail\/orders: It is paused/m],
    "8 when some of several are refused": [
      ["dlq", "redrive", "nothing", "nobody"],
      8,
      /2 of 2 were refused\. \[TIDINGS_PARTLY_DONE\]/,
    ],
  };
  for (const [title, [args, status, message]] of Object.entries(cases)) {
    it(`are ${title}`, async () => {
      const result = await tidings(args, { url });
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, message);
    });
  }

  it("are 2 for a wrong value of any option, and the message names the option as it was typed", async () => {
    const redrive = ["dlq", "redrive", "--all", "--yes"];
    const wrong: readonly (readonly [args: readonly string[], option: string, value: string])[] = [
      [redrive, "--abort", "200%"],
      [redrive, "--abort", "99999999999999999999"],
      [redrive, "--batch-timeout", "0s"],
      [redrive, "--ramp", "1,0"],
      [redrive, "--rate", "0"],
      [redrive, "--canary", "1.5"],
      [redrive, "--limit", "99999999999999999999"],
      [["dlq", "ls"], "--since", "yesterday"],
      [["dlq", "ls"], "--group", ""],
      [["dlq", "discard", "--all", "--yes"], "--undo-for", "31d"],
      [["dlq", "ls"], "--timeout", "soon"],
      [["sub", "lag"], "--max-age", "old"],
      [["sub", "seek", "pay"], "--to", "nowhere"],
      [["sub", "pause", "pay", "--reason", "test"], "--until", "2020-01-01"],
      [["breaker", "open", "books/payments", "--reason", "test"], "--until", "later"],
      [["tail"], "--where", "data.total >"],
      [["test", "sim", "--app", "examples/testing/simulation.ts"], "--seed", "x"],
      [["test", "sim", "--app", "examples/testing/simulation.ts"], "--faults", "crsh"],
    ];
    await Promise.all(
      wrong.map(async ([args, option, value]) => {
        const { status, stderr } = await tidings([...args, option, value], { url });
        assert.equal(status, 2, stderr);
        assert.match(stderr, new RegExp(`^error: .*${option}.*\\[TIDINGS_USAGE\\]\\n$`));
      }),
    );
  });

  it("are 2, with the help on stderr, when nothing is asked for", async () => {
    const { status, stdout, stderr } = await tidings([], { url });
    assert.deepEqual([status, stdout], [2, ""]);
    assert.match(stderr, /Usage: tidings/);
  });

  it("are 2 without an engine, and the message names the files there are", async () => {
    const { status, stderr } = await tidings(["topic", "ls"], { cwd: folder });
    assert.equal(status, 2);
    assert.match(stderr, /Give --url sqlite:shop\.db, or set TIDINGS_URL/);
  });

  it("are 2 for a file that is not ours, which stays as it was", async () => {
    const path = join(folder, "notes.db");
    writeFileSync(path, "these are notes, and long enough to be looked at as the head of a file\n".repeat(20));
    const { status, stderr } = await tidings(["topic", "ls"], { url: `sqlite:${path}` });
    assert.equal(status, 2, stderr);
    assert.match(stderr, /^error: .*\[TIDINGS_NOT_OUR_FILE\]$/m);
  });
});

describe("output of the command line", () => {
  it("has no color without a terminal, nor with NO_COLOR, and has with --color always", async () => {
    const plain = await tidings(["topic", "ls"], { url });
    const none = await tidings(["topic", "ls"], { url, env: { NO_COLOR: "1" } });
    const colored = await tidings(["topic", "ls", "--color", "always"], { url, env: { NO_COLOR: "1" } });
    assert.ok(!(plain.stdout + none.stdout).includes(escape));
    assert.ok(colored.stdout.startsWith(`${escape}[1mTOPIC`));
    const wrong = await tidings(["topic", "show", "x", "--color=always"], { url });
    assert.ok(wrong.stderr.startsWith(`${escape}[31merror${escape}[39m: `));
  });

  it("fits into 40 columns by one field a line", async () => {
    const { stdout } = await tidings(["dlq", "groups"], { url, env: { COLUMNS: "40" } });
    assert.match(stdout, /^GROUP {10}[0-9a-f]{16}\nCOUNT {10}1\nREDRIVING {6}0\n/);
    assert.match(stdout, /^SUBSCRIPTIONS {2}pay\/orders\n/m);
    const help = await tidings(["tail", "--help"], { url, env: { COLUMNS: "40" } });
    const prose = help.stdout.slice(help.stdout.indexOf("Usage:"));
    for (const line of prose.split("\n")) assert.ok(line.length <= 48, line);
  });

  it("takes global options before and after the command", async () => {
    const before = await tidings(["--json", "--url", url, "topic", "ls"]);
    const after = await tidings(["topic", "ls", "--json", "--url", url]);
    assert.equal(before.stdout, after.stdout);
    assert.equal((JSON.parse(before.stdout) as unknown[]).length, 2);
  });

  it("ends quietly when nobody reads it any more", async () => {
    const main = resolve(import.meta.dirname, "../../src/cli/main.ts");
    const command = `"$0" --conditions=tidings-source "${main}" tail --from start --until end --json | head -1; echo "status \${PIPESTATUS[0]}" >&2`;
    const child = spawn("bash", ["-c", command, process.execPath], { env: { ...process.env, TIDINGS_URL: url } });
    const { stdout, stderr } = await ended(child);
    assert.equal(stdout.trim().split("\n").length, 1);
    assert.equal(stderr, "status 0\n");
  });

  it("is the same under the C locale", async () => {
    const { stdout } = await tidings(["topic", "ls"], { url, env: { LC_ALL: "C", LANG: "C" } });
    assert.equal(stdout, (await tidings(["topic", "ls"], { url })).stdout);
  });

  it("says nothing of a probe that finds nothing", async () => {
    const fresh = `sqlite:${join(folder, "healthy.db")}`;
    await tidings(["topic", "create", "orders"], { url: fresh });
    assert.deepEqual(await tidings(["doctor", "-q"], { url: fresh }), { status: 0, stdout: "", stderr: "" });
  });

  it("shows control characters of keys instead of obeying them", async () => {
    const fresh = `sqlite:${join(folder, "strange.db")}`;
    await tidings(["topic", "create", "orders"], { url: fresh });
    const data = JSON.stringify({ text: "\u001B[2J" });
    await tidings(["publish", "-t", "orders", "--type", "t", "--data", data, "--key", "ünï"], { url: fresh });
    const { stdout } = await tidings(["tail", "--until", "end"], { url: fresh });
    assert.match(stdout, /ünï/);
    assert.ok(!stdout.includes(escape));
  });

  it("explains every error code, also in the help of a group and of `help`", async () => {
    const all = JSON.parse((await tidings(["explain", "--json"])).stdout) as { code: string }[];
    assert.ok(all.some(({ code }) => code === "TIDINGS_NO_ANSWER"));
    const help = await tidings(["help", "dlq", "redrive"]);
    assert.deepEqual([help.status, help.stderr], [0, ""]);
    assert.match(help.stdout, /^Usage: tidings dlq redrive/m);
  });
});

describe("tidings publish", () => {
  const fresh = `sqlite:${join(folder, "publish.db")}`;
  const read = async (...args: string[]) => {
    const { stdout } = await tidings(["tail", "--from", "start", "--until", "end", "--json", ...args], { url: fresh });
    return stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { topic: string; event: Record<string, unknown> });
  };
  before(async () => {
    for (const name of ["orders", "copies"]) await tidings(["topic", "create", name, "-p", "2"], { url: fresh });
  });

  it("publishes from an argument, a file and the standard input", async () => {
    const base = ["publish", "-t", "orders", "--type", "placed", "--json"];
    mkdirSync(join(folder, "in"), { recursive: true });
    const file = join(folder, "in", "order.json");
    writeFileSync(file, '{"orderId":"2"}');
    const one = await tidings([...base, "--key", "1", "--data", '{"orderId":"1"}', "-H", "tenantid=t"], { url: fresh });
    const two = await tidings([...base, "--key-from", "orderId", "--data", `@${file}`], { url: fresh });
    const three = await tidings([...base, "--key", "3", "--data", "-"], { url: fresh, stdin: '{"orderId":"3"}' });
    for (const { status, stderr } of [one, two, three]) assert.deepEqual([status, stderr], [0, ""]);
    assert.equal((JSON.parse(one.stdout) as { duplicate: boolean }).duplicate, false);
    const events = (await read("orders")).map(({ event }) => event);
    const told = events.map(({ partitionkey, data, source }) => [partitionkey, data, source]).sort(byText);
    assert.deepEqual(told, [
      ["1", { orderId: "1" }, "/tidings/cli"],
      ["2", { orderId: "2" }, "/tidings/cli"],
      ["3", { orderId: "3" }, "/tidings/cli"],
    ]);
    assert.equal(events.find(({ partitionkey }) => partitionkey === "1")?.["tenantid"], "t");
  });

  it("takes what tail --json prints, once", async () => {
    const { stdout } = await tidings(["tail", "orders", "--until", "end", "--json"], { url: fresh });
    const copy = ["publish", "-t", "copies", "-"];
    const first = await tidings(copy, { url: fresh, stdin: stdout });
    const again = await tidings(copy, { url: fresh, stdin: stdout });
    assert.deepEqual([first.status, again.status], [0, 0]);
    assert.match(again.stdout, /was there already/);
    const ids = async (topic: string) => (await read(topic)).map(({ event }) => event["id"]).sort(byText);
    assert.deepEqual(await ids("copies"), await ids("orders"));
  });

  it("names the line that cannot be read, after publishing those before it", async () => {
    const stdin = '{"n":1}\n\n{"n":2}\n{"n":\n{"n":4}\n';
    const args = ["publish", "-t", "orders", "--type", "numbered", "-"];
    const { status, stderr, stdout } = await tidings(args, { url: fresh, stdin });
    assert.equal(status, 2);
    assert.match(stderr, /^error: Line 4 is not JSON: .*\[TIDINGS_INVALID_INPUT\]$/m);
    assert.equal(stdout.trim().split("\n").length, 2);
    const numbered = (await read("--type", "numbered")).map(({ event }) => (event["data"] as { n: number }).n);
    assert.deepEqual(numbered.sort(byText), [1, 2]);
  });

  it("publishes nothing with --dry-run, and refuses what does not go together", async () => {
    const before = (await read()).length;
    const data = ["--data", "{}"];
    const dry = await tidings(["publish", "-t", "orders", "--type", "x", ...data, "--dry-run"], { url: fresh });
    assert.match(dry.stdout, /^Would publish /);
    const both = await tidings(["publish", "-t", "orders", "{}", ...data], { url: fresh });
    const missing = await tidings(["publish", "-t", "orders", "--type", "x", "--data", "@/nowhere.json"], {
      url: fresh,
    });
    const notEvent = await tidings(["publish", "-t", "orders", '{"id":"1"}'], { url: fresh });
    assert.deepEqual([both.status, missing.status, notEvent.status], [2, 2, 2]);
    assert.equal((await read()).length, before);
  });
});

describe("tidings tail", () => {
  it("prints what the condition, the key, the type and the limit leave", async () => {
    const read = async (...args: string[]) => {
      const { stdout } = await tidings(["tail", "orders", "--from", "start", "--until", "end", "--json", ...args], {
        url,
      });
      return stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => (JSON.parse(line) as { event: { data: { orderId: string } } }).event.data.orderId);
    };
    assert.deepEqual(await read("--where", "data.total >= 20 && data.total < 40"), ["2", "3"]);
    assert.deepEqual(await read("--where", 'type.endsWith("noted") || key in ["4"]'), ["1", "4"]);
    assert.deepEqual(await read("--key", "2"), ["2", "2"]);
    assert.deepEqual(await read("--type", "shop.order.noted"), ["1"]);
    assert.deepEqual(await read("--limit", "1"), ["1"]);
    assert.deepEqual((await read("--from", "-1h")).length, 6);
    assert.deepEqual(await read("--from", "0:1"), ["2"]);
  });

  it("follows, and ends with status 130 at Ctrl-C", async () => {
    const child = start(["tail", "orders", "--follow", "--json"], { url });
    const over = ended(child);
    const seen = new Promise<void>((resolve) => child.stdout!.once("data", () => resolve()));
    const timer = setInterval(() => {
      void tidings(["publish", "-t", "orders", "--type", "live", "--data", "{}"], { url });
    }, 1500);
    await seen;
    clearInterval(timer);
    child.kill("SIGINT");
    const { status, stdout, stderr } = await over;
    assert.deepEqual([status, stderr], [130, ""]);
    assert.match(stdout, /"type":"live"/);
  });

  it("ends at SIGTERM too, with status 143", async () => {
    const child = start(["tail", "orders", "--follow", "--from", "start"], { url });
    const over = ended(child);
    await new Promise<void>((resolve) => child.stdout!.once("data", () => resolve()));
    child.kill("SIGTERM");
    assert.equal((await over).status, 143);
  });
});
