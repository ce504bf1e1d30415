import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { applyPatch } from "../../src/admin/json-patch.ts";

type Case = readonly [title: string, document: unknown, patch: unknown, expected: unknown];

// Appendix A of RFC 6902, and the rules of its section 4.
const cases: readonly Case[] = [
  ["A.1 adds a member", { foo: "bar" }, [{ op: "add", path: "/baz", value: "qux" }], { baz: "qux", foo: "bar" }],
  ["A.2 adds an item", { foo: ["bar", "baz"] }, [{ op: "add", path: "/foo/1", value: "qux" }], { foo: ["bar", "qux", "baz"] }],
  ["A.3 removes a member", { baz: "qux", foo: "bar" }, [{ op: "remove", path: "/baz" }], { foo: "bar" }],
  ["A.4 removes an item", { foo: ["bar", "qux", "baz"] }, [{ op: "remove", path: "/foo/1" }], { foo: ["bar", "baz"] }],
  ["A.5 replaces a value", { baz: "qux", foo: "bar" }, [{ op: "replace", path: "/baz", value: "boo" }], { baz: "boo", foo: "bar" }],
  [
    "A.6 moves a value",
    { foo: { bar: "baz", waldo: "fred" }, qux: { corge: "grault" } },
    [{ op: "move", from: "/foo/waldo", path: "/qux/thud" }],
    { foo: { bar: "baz" }, qux: { corge: "grault", thud: "fred" } },
  ],
  [
    "A.7 moves an item",
    { foo: ["all", "grass", "cows", "eat"] },
    [{ op: "move", from: "/foo/1", path: "/foo/3" }],
    { foo: ["all", "cows", "eat", "grass"] },
  ],
  [
    "A.8 tests values that are there",
    { baz: "qux", foo: ["a", 2, "c"] },
    [
      { op: "test", path: "/baz", value: "qux" },
      { op: "test", path: "/foo/1", value: 2 },
    ],
    { baz: "qux", foo: ["a", 2, "c"] },
  ],
  ["A.10 adds a nested object", { foo: "bar" }, [{ op: "add", path: "/child", value: { grandchild: {} } }], { foo: "bar", child: { grandchild: {} } }],
  ["A.11 ignores members it does not know", { foo: "bar" }, [{ op: "add", path: "/baz", value: "qux", xyz: 123 }], { foo: "bar", baz: "qux" }],
  ["A.14 unescapes ~0 and ~1", { "/": 9, "~1": 10 }, [{ op: "test", path: "/~01", value: 10 }], { "/": 9, "~1": 10 }],
  ["A.16 adds a list to the end of a list", { foo: ["bar"] }, [{ op: "add", path: "/foo/-", value: ["abc", "def"] }], { foo: ["bar", ["abc", "def"]] }],
  ["copies a value, which is another one then", { a: { b: 1 } }, [{ op: "copy", from: "/a", path: "/c" }, { op: "add", path: "/c/d", value: 2 }], { a: { b: 1 }, c: { b: 1, d: 2 } }],
  ["replaces the whole", { foo: "bar" }, [{ op: "replace", path: "", value: [1] }], [1]],
  ["adds over a member that is there", { foo: 1 }, [{ op: "add", path: "/foo", value: 2 }], { foo: 2 }],
  ["adds at the index after the last", [1], [{ op: "add", path: "/1", value: 2 }], [1, 2]],
  ["knows members with empty names", { "": { "": 1 } }, [{ op: "replace", path: "//", value: 2 }], { "": { "": 2 } }],
  ["tests numbers by value and objects without order", { a: { x: 1, y: [0] } }, [{ op: "test", path: "/a", value: { y: [-0], x: 1.0 } }], { a: { x: 1, y: [0] } }],
  ["tests null", { a: null }, [{ op: "test", path: "/a", value: null }], { a: null }],
  ["moves a value onto itself", { a: 1 }, [{ op: "move", from: "/a", path: "/a" }], { a: 1 }],
  ["does nothing without operations", { a: 1 }, [], { a: 1 }],
]; // prettier-ignore

const refused: readonly (readonly [title: string, document: unknown, patch: unknown, message: RegExp])[] = [
  ["A.9 a test that does not hold", { baz: "qux" }, [{ op: "test", path: "/baz", value: "bar" }], /Operation 0 of the patch \(test "\/baz"\) does not hold/],
  ["A.12 a path to nothing", { foo: "bar" }, [{ op: "add", path: "/baz/bat", value: "qux" }], /leads to "baz", which is not there/],
  ["A.15 text is not the number", { "/": 9, "~1": 10 }, [{ op: "test", path: "/~01", value: "10" }], /does not hold/],
  ["removing what is not there", { a: 1 }, [{ op: "remove", path: "/b" }], /leads to "b", which is not there/],
  ["replacing what is not there", { a: 1 }, [{ op: "replace", path: "/b", value: 1 }], /leads to "b"/],
  ["an index beyond the end", [1], [{ op: "add", path: "/2", value: 1 }], /beyond the end of the list, which has 1 items/],
  ["removing beyond the end", [1], [{ op: "remove", path: "/1" }], /beyond the end/],
  ["an index with a leading zero", [1], [{ op: "test", path: "/00", value: 1 }], /takes "00" for an index/],
  ["a dash where an item must be", [1], [{ op: "remove", path: "/-" }], /takes "-" for an index/],
  ["a path through a number", { a: 1 }, [{ op: "add", path: "/a/b", value: 1 }], /leads through "a"/],
  ["moving a value into itself", { a: { b: 1 } }, [{ op: "move", from: "/a", path: "/a/b" }], /into itself/],
  ["moving from nothing", {}, [{ op: "move", from: "/a", path: "/b" }], /leads to "a"/],
  ["an op that there is not", {}, [{ op: "spam", path: "/a" }], /needs an op: one of add, remove/],
  ["no op", {}, [{ path: "/a" }], /without op/],
  ["no path", {}, [{ op: "remove" }], /needs a path/],
  ["no from", {}, [{ op: "copy", path: "/a" }], /needs a from/],
  ["no value", {}, [{ op: "add", path: "/a" }], /needs a value/],
  ["a path without a slash", { a: 1 }, [{ op: "remove", path: "a" }], /does not begin with a slash/],
  ["a lone tilde", { a: 1 }, [{ op: "remove", path: "/~2" }], /neither "~0" nor "~1"/],
  ["an operation that is no object", {}, [1], /is not an object/],
  ["a patch that is no list", {}, { op: "add" }, /is a list of operations/],
  ["what every object inherits", {}, [{ op: "test", path: "/toString", value: 1 }], /leads to "toString"/],
]; // prettier-ignore

describe("a JSON Patch", () => {
  for (const [title, document, patch, expected] of cases) {
    it(title, () => {
      const before = structuredClone(document);
      assert.deepEqual(applyPatch(document, patch), expected);
      assert.deepEqual(document, before);
    });
  }

  it("is all or nothing", () => {
    const document = { a: 1 };
    const patch = [
      { op: "replace", path: "/a", value: 2 },
      { op: "remove", path: "/b" },
    ];
    assert.throws(() => applyPatch(document, patch), { code: "TIDINGS_INVALID_PATCH" });
    assert.deepEqual(document, { a: 1 });
  });

  it("makes __proto__ a member like any other", () => {
    const patched = applyPatch({}, [{ op: "add", path: "/__proto__", value: { admin: true } }]);
    assert.equal((patched as { admin?: boolean }).admin, undefined);
    assert.equal(JSON.stringify(patched), '{"__proto__":{"admin":true}}');
  });
});

describe("a JSON Patch is refused", () => {
  for (const [title, document, patch, message] of refused) {
    it(`for ${title}`, () => {
      assert.throws(
        () => applyPatch(document, patch),
        (error) => {
          assert.equal((error as { code?: string }).code, "TIDINGS_INVALID_PATCH");
          assert.match((error as Error).message, message);
          return true;
        },
      );
    });
  }
});
