import assert from "node:assert/strict";
import { test } from "node:test";

import { serviceUrl } from "../../scripts/services/url.ts";
import { schema, withoutPostgres } from "../engines/postgres/support.ts";
import { runShop, temporaryFolder } from "./shop.ts";

test(
  "the shop on Postgres prints the figures of the shop on a file, also with several processes that are killed",
  { skip: withoutPostgres, timeout: 240_000 },
  async (t) => {
    const folder = temporaryFolder(t);
    const orders = ["--orders", "200"];
    const onFile = await runShop(t, folder, orders);
    const onServer = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
      const url = new URL(serviceUrl("postgres"));
      url.searchParams.set("schema", await schema(t));
      // The later address counts.
      return runShop(t, folder, ["--url", url.href, ...orders, ...args]);
    };
    assert.deepEqual(await onServer(), onFile);
    assert.deepEqual(await onServer("--processes", "3", "--kills", "4", "--fail", "0.05"), onFile);
  },
);
