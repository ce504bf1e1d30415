import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { chooseFree, shareOf } from "../../src/membership/share.ts";

const groups = fc.record({
  members: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"), { minLength: 1 }),
  partitions: fc.nat(30),
  held: fc.array(fc.nat(30), { minLength: 7, maxLength: 7 }),
});

test("shares of members with the same view add up and differ by one at most", () => {
  fc.assert(
    fc.property(groups, ({ members, partitions, held }) => {
      const view = { members, partitions, held: new Map(members.map((member, i) => [member, held[i] ?? 0])) };
      const shares = members.map((member) => shareOf(member, view));
      assert.equal(
        shares.reduce((sum, share) => sum + share, 0),
        partitions,
      );
      assert.ok(Math.max(...shares) - Math.min(...shares) <= 1);
    }),
  );
});

test("a member that holds its share keeps it, whoever has the odd one", () => {
  const members = ["a", "b", "c"];
  const held = new Map([["a", 1], ["b", 2], ["c", 1]]); // prettier-ignore
  assert.deepEqual(
    members.map((member) => shareOf(member, { members, held, partitions: 4 })),
    [1, 2, 1],
  );
});

test("members reach for free partitions at different places", () => {
  const free = ["0", "1", "2", "3"];
  const none = new Set<string>();
  assert.deepEqual(chooseFree(free, 2, { rank: 0, members: 2, preferred: none }), ["0", "1"]);
  assert.deepEqual(chooseFree(free, 2, { rank: 1, members: 2, preferred: none }), ["2", "3"]);
  assert.deepEqual(chooseFree(free, 2, { rank: 1, members: 2, preferred: new Set(["1"]) }), ["1", "2"]);
  assert.deepEqual(chooseFree([], 2, { rank: 1, members: 2, preferred: none }), []);
});
