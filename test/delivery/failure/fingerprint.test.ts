import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  anything,
  assert as check,
  constantFrom,
  double,
  integer,
  oneof,
  property,
  string,
  uuid,
  array,
  tuple,
} from "fast-check";
import { TerminalError } from "tidings";
import type { EventRecord } from "../../../src/event/record.ts";
import { failureRecord, legible } from "../../../src/delivery/failure/failure.ts";
import { generalize } from "../../../src/delivery/failure/fingerprint.ts";

const event = (data: unknown, key: string | null = null): EventRecord => ({
  id: "0197f000-0000-7000-8000-000000000000",
  source: "/shop",
  type: "shop.order.placed",
  timeMs: 0,
  key,
  attributes: undefined,
  data: JSON.stringify(data),
});

/** The fingerprint of an error that is thrown here, whatever it says. */
const groupOf = (message: string, data: unknown = {}, key: string | null = null): string =>
  failureRecord(new TerminalError(message), event(data, key)).fingerprint;

/** What stands in messages and is another one with each event. */
const varying = oneof(
  integer().map(String),
  double({ noNaN: true, noDefaultInfinity: true }).map(String),
  uuid(),
  integer({ min: 1_000_000_000_000, max: 1_900_000_000_000 }).map((ms) => new Date(ms).toISOString()),
  integer({ min: 0, max: 0xffffff }).map((n) => `0x${n.toString(16)}`),
  array(constantFrom(..."0 1 2 3 4 5 6 7 8 9 a b c d e f".split(" ")), { minLength: 16, maxLength: 40 }).map((digits) =>
    digits.join(""),
  ),
  integer({ min: 0 }).map((n) => `cus_${n}`),
  integer({ min: 0 }).map((n) => `/var/lib/shop/${n}/data`),
  integer({ min: 0 }).map((n) => `https://shop.example/orders/${n}?x=y`),
  integer({ min: 0 }).map((n) => `ann${n}@shop.example`),
  string().map((text) => JSON.stringify(text)),
);

describe("the fingerprint of a failure", () => {
  it("differs between faults of one handler that throw the same class", () => {
    const groups = ["card declined", "no stock", "the address is unknown"].map((message) => groupOf(message));
    assert.equal(new Set(groups).size, 3);
  });

  it("is the same whatever numbers, ids, dates, addresses, paths and quoted texts the message has", () => {
    check(
      property(varying, varying, varying, varying, (a, b, c, d) => {
        const message = (one: string, other: string): string => `order ${one} is late: ${other} of the depot`;
        assert.equal(groupOf(message(a, b)), groupOf(message(c, d)));
      }),
    );
  });

  it("is the same however long a list in the message is", () => {
    const lists = tuple(array(varying, { minLength: 1, maxLength: 5 }), constantFrom(", ", "; ", " "));
    check(
      property(lists, lists, ([one, by], [other, otherBy]) => {
        assert.equal(groupOf(`gone: ${one.join(by)}`), groupOf(`gone: ${other.join(otherBy)}`));
      }),
    );
  });

  it("is the same whoever the event is about, also where the message has the name without quotes", () => {
    const names = ["Alice Smith", "Bob", "Zoë O'Neill", "a text that somebody has written"];
    const groups = names.map((name, i) => groupOf(`no customer is called ${name} here`, { name }, `key-of-${i}`));
    assert.equal(new Set(groups).size, 1);
    const keys = ["p", "q", "alice"].map((key) => groupOf(`the card of ${key} is refused`, {}, key));
    assert.equal(new Set(keys).size, 1);
  });

  it("is made of whatever stands in the event and in the message", () => {
    const any = string({ unit: "binary" });
    const signs = string({
      unit: constantFrom(..."a b - / \\ ^ $ . * + ? ( ) [ ] { } | # ' \" ` \n \u{1F600}".split(" ")),
    });
    check(
      property(oneof(any, signs), oneof(any, signs), any, (key, value, around) => {
        const record = event({ value: value + key }, key);
        for (const message of [`${around}${key}${value}`, `the order ${key} of ${value}${key} is late`])
          assert.equal(typeof failureRecord(new Error(message), record).fingerprint, "string");
      }),
    );
    assert.equal(
      groupOf("the order order-000099 is late", {}, "order-000099"),
      groupOf("the order a-b is late", {}, "a-b"),
    );
  });

  it("is made of whatever was thrown", () => {
    check(
      property(anything(), anything(), anything(), (thrown, message, name) => {
        const error = Object.assign(new Error("x"), { message, name, stack: thrown });
        for (const each of [thrown, error])
          assert.equal(typeof failureRecord(legible(each), event({})).fingerprint, "string");
      }),
    );
  });

  it("differs where the whole message comes from the event", () => {
    assert.notEqual(groupOf("card declined", { why: "card declined" }), groupOf("no stock", { why: "no stock" }));
  });

  it("differs with the property that was missing", () => {
    const message = (name: string): string => `Cannot read properties of undefined (reading '${name}')`;
    assert.notEqual(groupOf(message("total")), groupOf(message("customer")));
  });

  it("is made of so much of the message and no more", () => {
    const long = (end: string): string => `refused because ${"of this and that ".repeat(20)}${end}`;
    assert.equal(groupOf(long("one")), groupOf(long("other")));
    assert.ok(generalize(long("one")).length <= 160);
  });
});

describe("a general message", () => {
  const cases: Readonly<Record<string, string>> = {
    "order 17 is late by 3.5 h": "order # is late by # h",
    'the customer "Ann "': "the customer #",
    "the customer 'O'Neill' isn't known": "the customer # isn't known",
    "a quote 'that never ends": "a quote #",
    "connect ECONNREFUSED 10.0.0.1:5432": "connect ECONNREFUSED #",
    "ENOENT: no such file, open '/tmp/a b.txt'": "ENOENT: no such file, open #",
    "cannot open C:\\data\\orders.db now": "cannot open # now",
    '{"code":"E1","path":["a",1]} was refused': "# was refused",
    "either/or is not a path": "either/or is not a path",
    "card declined": "card declined",
  };
  for (const [message, general] of Object.entries(cases))
    it(`of ${JSON.stringify(message)} is ${JSON.stringify(general)}`, () => {
      assert.equal(generalize(message), general);
    });

  it("of hostile text is there at once", () => {
    for (const text of ["a", "a@", "'", '"', "\\", "a.", "/", "# ", "["])
      generalize(text.repeat(100_000), ["a", "a.a"]);
  });
});
