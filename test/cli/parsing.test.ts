import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { renderTable } from "../../src/cli/table.ts";
import { formatDuration, parseDuration, parseEnd, parseInstant, parsePlace } from "../../src/cli/values.ts";
import { compileWhere } from "../../src/cli/where.ts";

const usage = (error: unknown) => (error as { code: string }).code === "TIDINGS_USAGE";

describe("a condition of --where", () => {
  const scope = {
    type: "shop.order.placed",
    key: "42",
    data: {
      total: 99.9,
      paid: true,
      note: null,
      items: [{ sku: "a" }, { sku: "b" }],
      "odd name": 1,
      text: 'it\'s "so"',
    },
  };
  const holds: readonly string[] = [
    "data.total > 99", "data.total >= 99.9", "data.total < 1e3", "data.total != 1", "data.paid", "!(data.total < 1)",
    'type == "shop.order.placed"', "key == '42'", "data.note == null", 'data.items[1].sku == "b"', 'data["odd name"] == 1',
    'type.startsWith("shop.") && type.endsWith("placed") && type.contains("order")', 'key in ["41", "42"]', "has(data.total)",
    "!has(data.missing)", "data.total > 100 || data.paid", "(data.total > 100 || data.paid) && key > '4'",
    'data.text == "it\'s \\"so\\""', "data.total > -1", "true",
  ]; // prettier-ignore
  const fails: readonly string[] = [
    "data.missing == 1", "data.missing != 1", "!(data.missing == 1)", 'data.total > "1"', "data.total", "key in 42",
    "data.constructor == 1", "has(data.__proto__)", "has(data.items.length)", "data.note > 1", "key.contains(1)", "false",
  ]; // prettier-ignore
  for (const condition of holds) it(`holds: ${condition}`, () => assert.equal(compileWhere(condition)(scope), true));
  for (const condition of fails)
    it(`does not hold: ${condition}`, () => assert.equal(compileWhere(condition)(scope), false));
  for (const condition of [
    "",
    "data.",
    "data.total >",
    "a b",
    "(a",
    "a == ",
    "a.matches('x')",
    "a = 1",
    "1 +",
    "'open",
  ])
    it(`is refused: ${condition}`, () => assert.throws(() => compileWhere(condition), usage));
});

describe("values of the command line", () => {
  it("read durations, and write them as people say them", () => {
    assert.deepEqual(
      ["90s", "5m", "1h30m", "250ms", "2d", "0.5ms"].map((text) => parseDuration("--for", text)),
      [90_000, 300_000, 5_400_000, 250, 172_800_000, 1],
    );
    for (const wrong of ["", "5", "m", "5x", "-5m", "5m5"]) assert.throws(() => parseDuration("--for", wrong), usage);
    assert.deepEqual([0, 20, 1500, 250_000, 7_500_000, 300_000_000].map(formatDuration), [
      "0s",
      "20ms",
      "1.5s",
      "4m 10s",
      "2h 5m",
      "3d 11h",
    ]);
  });

  it("read instants and places", () => {
    const now = Date.UTC(2026, 0, 31, 12);
    assert.equal(parseInstant("--since", "-1h", now), now - 3_600_000);
    assert.equal(parseInstant("--since", "2026-01-31", now), Date.UTC(2026, 0, 31));
    assert.equal(parseInstant("--since", "2026-01-31T10:00:00-03:00", now), Date.UTC(2026, 0, 31, 13));
    assert.equal(parseEnd("--until", "30m", now), now + 1_800_000);
    assert.deepEqual(parsePlace("--to", "2:1750", now), { partition: 2, position: 1750 });
    assert.deepEqual([parsePlace("--to", "start", now), parsePlace("--to", "end", now)], ["start", "end"]);
    for (const wrong of ["2026-02-30", "2026-01-31T10:00:00", "1:", "soon"])
      assert.throws(() => parsePlace("--to", wrong, now), usage);
  });
});

describe("a table", () => {
  const columns = [
    { title: "NAME", value: ({ name }: { name: string }) => name },
    { title: "N", value: ({ n }: { n: number }) => n, right: true },
  ];
  const rows = [{ name: "a", n: 5 }, { name: "long\nname", n: 12 }]; // prettier-ignore

  it("aligns its columns, and shows line breaks", () => {
    assert.equal(renderTable(columns, rows, 80), "NAME        N\na           5\nlong⏎name  12\n");
  });

  it("becomes one field a line where there is no room", () => {
    assert.equal(renderTable(columns, rows, 10), "NAME  a\nN     5\n\nNAME  long⏎name\nN     12\n");
  });
});
