import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { engineOfUrl } from "../../../src/app/engines.ts";
import { parseRedisUrl, redis } from "../../../src/engines/redis/index.ts";
import { settingsOf } from "../../../src/engines/redis/options.ts";

const refused = (options: object, says: RegExp): void =>
  assert.throws(() => redis(options as { url: string }), { code: "TIDINGS_INVALID_OPTION", message: says });

describe("the options of the Redis engine", () => {
  it("are taken out of an address, which is shown without its secrets", () => {
    const options = parseRedisUrl(
      "rediss://user:p%40ss@host:6380/2?prefix=shop&durability=weak&notify=false&pollMs=5&caFile=/ca.pem",
    );
    assert.deepEqual(options, {
      url: "rediss://user:p%40ss@host:6380/2",
      prefix: "shop",
      durability: "weak",
      notify: false,
      pollMs: 5,
      caFile: "/ca.pem",
    });
    const settings = settingsOf(options);
    assert.equal(settings.address, "rediss://host:6380/2?prefix=shop");
    assert.equal(settings.database, 2);
    assert.ok(settings.weak);
  });

  it("have defaults", () => {
    const settings = settingsOf({ url: "redis://host" });
    assert.deepEqual(
      [settings.prefix, settings.weak, settings.notify, settings.readOnly, settings.address],
      ["tidings", false, true, false, "redis://host/0?prefix=tidings"],
    );
  });

  it("are refused by name when they are wrong, and no secret is repeated", () => {
    refused({ url: "host:6379" }, /redis:\/\//);
    refused({ url: "redis://" }, /redis:\/\//);
    refused({ url: "redis://user:p@ss:s3cret@[::host" }, /^(?!.*s3cret).*%40/);
    refused({ url: "redis://host/orders" }, /number of a database/);
    refused({ url: "redis://host?prefx=a" }, /prefix/);
    refused({ url: "redis://host", prefix: "a b" }, /prefix/);
    refused({ url: "redis://host", prefix: "{a}" }, /prefix/);
    refused({ url: "redis://host", durability: "strong" }, /"weak"/);
    refused({ url: "redis://host", caFile: "/ca.pem" }, /rediss/);
    refused({ url: "redis://host", pollMs: 0 }, /pollMs/);
    refused({ url: "redis://host", notify: "yes" }, /notify/);
    assert.throws(() => redis(parseRedisUrl("redis://host?pollMs=soon")), { code: "TIDINGS_INVALID_OPTION" });
  });

  it("lead to the engine by both schemes", async () => {
    for (const url of ["redis://host", "rediss://host?durability=weak"])
      assert.equal(typeof (await engineOfUrl(url, { readOnly: true })).open, "function");
  });
});
