// The command line beside an application in another process, after one that was killed, and without any.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";

import { startShop, temporaryFile, tidings } from "./support.ts";

const json = async (args: readonly string[], url: string): Promise<never> => {
  const { stdout, stderr, status } = await tidings([...args, "--json"], { url });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as never;
};
const placed = (url: string, orderId: string, total: number) =>
  tidings(
    [
      "publish",
      "-t",
      "orders",
      "--type",
      "shop.order.placed",
      "--key",
      orderId,
      "--data",
      JSON.stringify({ orderId, total }),
    ],
    { url },
  );
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("the command line beside a running application", () => {
  it("pauses and resumes a subscription", async () => {
    const { url } = temporaryFile();
    const shop = await startShop(url);
    await tidings(["sub", "pause", "pay", "--reason", "test"], { url });
    await pause(300);
    await placed(url, "x", 1);
    await pause(500);
    assert.deepEqual(shop.lines, ["ready"]);
    const report: { status: string; pending: number; members: string[] } = await json(["sub", "show", "pay"], url);
    assert.deepEqual([report.status, report.pending, report.members.length], ["paused", 1, 1]);
    assert.equal((await tidings(["sub", "resume", "pay"], { url })).stdout, "Resumed pay/orders.\n");
    await shop.said("handled x:1");
    await shop.stop();
  });

  it("pauses one key, and lets it go on in order", async () => {
    const { url } = temporaryFile();
    const shop = await startShop(url);
    assert.equal((await tidings(["sub", "pause", "pay", "--key", "x", "--reason", "test"], { url })).status, 0);
    for (const total of [1, 2]) await placed(url, "x", total);
    await placed(url, "y", 1);
    await shop.said("handled y:1");
    assert.deepEqual(shop.lines, ["ready", "handled y:1"]);
    await tidings(["sub", "resume", "pay", "--key", "x"], { url });
    await shop.said("handled x:2");
    assert.deepEqual(shop.lines, ["ready", "handled y:1", "handled x:1", "handled x:2"]);
    await shop.stop();
  });

  it("redrives, edits and discards dead letters", async () => {
    const { url, path } = temporaryFile();
    const shop = await startShop(url, "a:1:bad", "a:2", "b:1:bad", "c:1:bad");
    const letters: { id: string; key: string }[] = await json(["dlq", "ls"], url);
    const of = (key: string) => letters.find((letter) => letter.key === key)!.id;
    const merge = '{"bad":null,"total":9}';
    assert.equal((await tidings(["dlq", "edit", of("b"), "--merge", merge], { url })).status, 0);
    await shop.said("handled b:9");
    const refused = await tidings(["dlq", "discard", "--sub", "pay"], { url });
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /discard 2 dead letters.*TIDINGS_CONFIRMATION_NEEDED/);
    assert.equal((await tidings(["dlq", "discard", of("c")], { url })).stdout, "Discarded: 1.\n");
    assert.equal((await tidings(["dlq", "undo", of("c")], { url })).stdout, "Restored: 1.\n");
    assert.equal((await tidings(["dlq", "discard", of("c"), "--undo-for", "0s"], { url })).stdout, "Discarded: 1.\n");
    assert.equal((await tidings(["dlq", "undo", of("c")], { url })).status, 5);
    const patch = '[{"op":"replace","path":"/total","value":"much"}]';
    const misfit = await tidings(["dlq", "edit", of("a"), "--patch", patch], { url });
    assert.match(misfit.stderr, /total.*TIDINGS_INVALID_PAYLOAD/s);
    assert.equal((await tidings(["dlq", "redrive", of("a")], { url })).stdout, "Redriven: 1.\n");
    const aborted = await tidings(["dlq", "redrive", "--sub", "pay", "--canary", "1"], { url });
    assert.equal(aborted.status, 7, aborted.stderr);
    assert.match(aborted.stderr, /1 of the first 1 did not succeed\. \[TIDINGS_REDRIVE_ABORTED\]/);
    const { stdout: shown } = await tidings(["dlq", "show", of("a")], { url });
    const times = ["first failed", "given up", "last failed"].map((name) => new RegExp(`^${name} +(\\S+)$`, "m"));
    const [first, givenUp, last] = times.map((pattern) => pattern.exec(shown)?.[1] ?? "");
    assert.ok(first! <= givenUp! && givenUp! < last!, shown);
    assert.match(shown, /^tries +1 failure, 0 stalls, 1 delivery, since it was redriven$/m);
    writeFileSync(`${path}.mended`, "");
    const redriven = await tidings(["dlq", "redrive", "--sub", "pay", "--canary", "1", "--abort", "2%,5"], { url });
    assert.match(redriven.stdout, /^Redrive \S+: done\. 1 covered: 1 succeeded, 0 failed again\.\n$/);
    await shop.said("handled a:1");
    await shop.said("handled a:2");
    const { equation }: { equation: Record<string, number> } = await json(["sub", "show", "pay"], url);
    assert.deepEqual(
      [equation["handled"], equation["discarded"], equation["held"], equation["holds"]],
      [3, 1, 0, true],
    );
    await shop.stop();
  });

  it("does not wait for a redrive that waits for something itself", async () => {
    const { url } = temporaryFile();
    const shop = await startShop(url, "a:1:bad");
    await tidings(["sub", "pause", "pay", "--reason", "test"], { url });
    const detached = await tidings(["dlq", "redrive", "--sub", "pay", "--detach"], { url });
    assert.equal(detached.status, 0, detached.stderr);
    const [{ id }] = (await json(["dlq", "redrives"], url)) as [{ id: string }];
    const followed = await tidings(["dlq", "redrive-show", id, "--follow"], { url });
    assert.equal(followed.status, 6);
    assert.match(followed.stderr, /waits for pay\/orders, which is paused\..*\[TIDINGS_REDRIVE_WAITING\]\n$/);
    await tidings(["dlq", "redrive-cancel", id], { url });
    const waiting = await tidings(["dlq", "redrive", "--all", "--yes"], { url });
    assert.equal(waiting.status, 6);
    assert.match(waiting.stdout, /^Redrive \S+: running, waits for pay\/orders, which is paused\. 1 covered/);
    await shop.stop();
  });

  it("moves a subscription back to the start", async () => {
    const { url } = temporaryFile();
    const shop = await startShop(url, "a:1", "a:2");
    const before = shop.lines.length;
    const { status, stderr } = await tidings(["sub", "seek", "pay", "--to", "start", "--yes"], { url });
    assert.equal(status, 0, stderr);
    for (let i = 0; i < 200 && shop.lines.length < before + 2; i++) await pause(20);
    assert.deepEqual(shop.lines.slice(before), ["handled a:1", "handled a:2"]);
    await shop.stop();
  });
});

describe("the command line without a running application", () => {
  it("does the same, and the next application goes on from there", async () => {
    const { url, path } = temporaryFile();
    await (await startShop(url, "a:1:bad", "a:2", "b:1")).stop();
    assert.equal((await tidings(["dlq", "redrive", "--all"], { url })).status, 2);
    const begun = await tidings(["dlq", "redrive", "--all", "--yes"], { url });
    assert.match(begun.stdout, /^Redrive \S+ covers 1 dead letter\. It begins when a process runs pay\/orders\.\n$/);
    assert.equal(begun.status, 6);
    assert.match(
      begun.stderr,
      /^error: .*no process runs pay\/orders, so nothing was sent back yet.*\[TIDINGS_REDRIVE_WAITING\]\n$/,
    );
    const [{ id: redrive }] = (await json(["dlq", "redrives"], url)) as [{ id: string }];
    const followed = await tidings(["dlq", "redrive-show", redrive, "--follow"], { url });
    assert.equal(followed.status, 6);
    assert.match(followed.stderr, /is not over: no process runs pay\/orders\..*\[TIDINGS_REDRIVE_WAITING\]\n$/);
    assert.equal((await tidings(["dlq", "redrive", "--sub", "pay"], { url })).status, 5);
    assert.equal((await tidings(["sub", "pause", "pay", "--key", "z", "--reason", "test"], { url })).status, 0);
    writeFileSync(`${path}.mended`, "");
    await placed(url, "z", 1);
    const shop = await startShop(url);
    await shop.said("handled a:2");
    assert.deepEqual(
      shop.lines.filter((line) => line !== "ready"),
      ["handled a:1", "handled a:2"],
    );
    await shop.stop();
    assert.equal((await tidings(["sub", "seek", "pay", "--to", "start", "--yes"], { url })).status, 5);
    const seek = await tidings(["sub", "seek", "pay", "--to", "start", "--yes", "--retire-held"], { url });
    assert.equal(seek.status, 0, seek.stderr);
    const again = await startShop(url);
    for (const line of ["handled a:2", "handled b:1", "handled z:1"]) await again.said(line);
    await again.stop();
  });

  it("does not wait for the leases of a process that was killed", async () => {
    const { url } = temporaryFile();
    await (await startShop(url, "a:1:bad")).kill();
    const startedAt = performance.now();
    const [letter]: { id: string }[] = await json(["dlq", "ls"], url);
    const { stdout, stderr, status } = await tidings(["dlq", "redrive", letter!.id, "--timeout", "20s"], { url });
    assert.deepEqual([stdout, status], ["Redriven: 1.\n", 0]);
    assert.equal(stderr, "No process runs pay/orders: it is handled when one does.\n");
    assert.ok(performance.now() - startedAt < 15_000);
  });
});
