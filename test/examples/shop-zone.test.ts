import assert from "node:assert/strict";
import { test } from "node:test";

import { zoneClock } from "../../examples/shop/feed/zone.ts";

const convert = (zone: string, wall: string): string =>
  new Date(zoneClock(zone)(Date.parse(`${wall.replace(" ", "T")}Z`))).toISOString().slice(0, 19).replace("T", " ");

const table: [what: string, wall: string, utc: string][] = [
  ["winter is three hours behind", "2017-07-01 12:00:00", "2017-07-01 15:00:00"],
  ["summer was two hours behind", "2017-12-24 18:00:00", "2017-12-24 20:00:00"],
  ["summer is three hours behind since 2019", "2019-12-24 18:00:00", "2019-12-24 21:00:00"],
  ["the last second before a skipped midnight", "2017-10-14 23:59:59", "2017-10-15 02:59:59"],
  ["a skipped midnight is 01:00", "2017-10-15 00:00:00", "2017-10-15 03:00:00"],
  ["a skipped half hour is 01:30", "2017-10-15 00:30:00", "2017-10-15 03:30:00"],
  ["the first hour after a skipped midnight", "2017-10-15 01:00:00", "2017-10-15 03:00:00"],
  ["the change of 2016", "2016-10-16 00:15:00", "2016-10-16 03:15:00"],
  ["the change of 2018 was in November", "2018-11-04 00:00:00", "2018-11-04 03:00:00"],
  ["October 2018 was still winter", "2018-10-21 12:00:00", "2018-10-21 15:00:00"],
  ["the hour before a repeated one", "2018-02-17 22:59:59", "2018-02-18 00:59:59"],
  ["a repeated hour is the first of the two", "2018-02-17 23:00:00", "2018-02-18 01:00:00"],
  ["to the end of the repeated hour", "2018-02-17 23:59:59", "2018-02-18 01:59:59"],
  ["midnight after a repeated hour", "2018-02-18 00:00:00", "2018-02-18 03:00:00"],
  ["the change of 2017 back to winter", "2017-02-18 23:30:00", "2017-02-19 01:30:00"],
  ["leap day", "2016-02-29 12:00:00", "2016-02-29 15:00:00"],
];

for (const [what, wall, utc] of table) {
  test(`São Paulo, ${what}: ${wall} is ${utc} UTC`, () => {
    assert.equal(convert("America/Sao_Paulo", wall), utc);
  });
}

test("zones ahead of UTC have the same rules", () => {
  assert.equal(convert("Europe/Berlin", "2024-03-31 02:30:00"), "2024-03-31 01:30:00");
  assert.equal(convert("Europe/Berlin", "2024-10-27 02:30:00"), "2024-10-27 00:30:00");
  assert.equal(convert("Asia/Kolkata", "2024-10-27 02:30:00"), "2024-10-26 21:00:00");
  assert.equal(convert("UTC", "2024-10-27 02:30:00"), "2024-10-27 02:30:00");
});

test("every half hour of the years of the real orders keeps its place in time, gaps apart", () => {
  const toInstant = zoneClock("America/Sao_Paulo");
  const skipped = new Set(["2016-10-16T00", "2017-10-15T00", "2018-11-04T00"]);
  let last = -Infinity;
  for (let wallMs = Date.UTC(2016, 8); wallMs < Date.UTC(2019, 0); wallMs += 30 * 60_000) {
    if (skipped.has(new Date(wallMs).toISOString().slice(0, 13))) continue;
    assert.ok(toInstant(wallMs) > last, new Date(wallMs).toISOString());
    last = toInstant(wallMs);
  }
});
