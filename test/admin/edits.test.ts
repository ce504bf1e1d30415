import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { openAdmin, startShop, troubledWorld } from "./support.ts";

describe("an edit of a dead letter", () => {
  it("that does not fit the schema of its handler is refused by the application before anything is stored", async () => {
    const { world } = await troubledWorld();
    const shop = await startShop(world);
    // An operator in another process, who knows no contract.
    const { admin } = await openAdmin(world);
    const [letter] = await admin.deadLetters.list();
    await assert.rejects(
      admin.deadLetters.edit(letter!.id, { patch: [{ op: "replace", path: "/total", value: "much" }] }),
      (error) => {
        assert.equal((error as { code?: string }).code, "TIDINGS_INVALID_PAYLOAD");
        assert.match((error as Error).message, /total/);
        return true;
      },
    );
    assert.deepEqual((await admin.deadLetters.list())[0], letter);
    const edited = await admin.deadLetters.edit(letter!.id, { patch: [{ op: "remove", path: "/bad" }] });
    assert.equal(edited.checked, true);
    await shop.app.settled({ timeoutMs: 10_000 });
    assert.deepEqual(shop.how.handled, ["b:1", "b:2"]);
    await shop.app.stop();
  });

  it("is checked by the application itself, also in a dry run", async () => {
    const { world } = await troubledWorld();
    const shop = await startShop(world);
    const { deadLetters } = shop.app.admin;
    const [letter] = await deadLetters.list();
    const wrong = { patch: [{ op: "add", path: "/total", value: null }] as const };
    await assert.rejects(deadLetters.edit(letter!.id, wrong, { dryRun: true }), { code: "TIDINGS_INVALID_PAYLOAD" });
    const right = {
      patch: [
        { op: "test", path: "/orderId", value: "b" },
        { op: "remove", path: "/bad" },
      ] as const,
    };
    const result = await deadLetters.edit(letter!.id, right, { dryRun: true });
    assert.deepEqual([result.checked, result.data], [true, '{"orderId":"b","total":1}']);
    assert.deepEqual((await deadLetters.list())[0], letter);
    await shop.app.stop();
  });

  it("says that nobody could check it when no application runs, and is checked at handling", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    const [letter] = await admin.deadLetters.list();
    const edited = await admin.deadLetters.edit(letter!.id, { merge: { total: "much" } });
    assert.equal(edited.checked, false);
    const shop = await startShop(world);
    await shop.app.settled({ timeoutMs: 10_000 });
    const { letter: after } = await admin.deadLetters.show(letter!.id);
    assert.deepEqual([after.state, after.reason, after.editedFrom], ["open", "validation", letter!.record.id]);
    await shop.app.stop();
  });

  it("that makes another key is refused by the application, by whoever asks, and changes nothing", async () => {
    const { world } = await troubledWorld();
    const shop = await startShop(world);
    const { admin } = await openAdmin(world);
    const [letter] = await admin.deadLetters.list();
    const moved = { merge: { orderId: "c", bad: null } };
    for (const { deadLetters } of [shop.app.admin, admin])
      await assert.rejects(deadLetters.edit(letter!.id, moved), {
        code: "TIDINGS_KEY_CHANGED",
        message: /has the key "c", and its event has "b".*keepKey: true \(--keep-key\)/,
      });
    assert.deepEqual((await admin.deadLetters.list())[0], letter);
    const kept = await admin.deadLetters.edit(letter!.id, { ...moved, keepKey: true });
    assert.equal(kept.key, "b");
    await shop.app.settled({ timeoutMs: 10_000 });
    // In the place of its event: before what waited behind that.
    assert.deepEqual(shop.how.handled, ["c:1", "b:2"]);
    await shop.app.stop();
  });

  it("that changes what was the key by its looks is refused while no application runs", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    const [letter] = await admin.deadLetters.list();
    const { deadLetters } = admin;
    await assert.rejects(deadLetters.edit(letter!.id, { merge: { orderId: "c" } }), { code: "TIDINGS_KEY_CHANGED" });
    await assert.rejects(deadLetters.edit(letter!.id, { data: { total: 1 } }), {
      code: "TIDINGS_KEY_CHANGED",
      message: /has no key, and its event has "b"/,
    });
    assert.deepEqual((await deadLetters.list())[0], letter);
    const edited = await deadLetters.edit(letter!.id, { merge: { total: 3, note: "c" } }, { dryRun: true });
    assert.equal(edited.key, "b");
  });

  it("by a patch that does not fit the payload is refused with the operation and its path", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    const [letter] = await admin.deadLetters.list();
    await assert.rejects(
      admin.deadLetters.edit(letter!.id, { patch: [{ op: "remove", path: "/items/0" }] }),
      (error) => {
        assert.equal((error as { code?: string }).code, "TIDINGS_INVALID_PATCH");
        assert.match(
          (error as Error).message,
          /Operation 0 of the patch \(remove "\/items\/0"\) leads to "items", which is not there/,
        );
        return true;
      },
    );
    assert.deepEqual((await admin.deadLetters.list())[0], letter);
  });
});
