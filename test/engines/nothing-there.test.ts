// Opening for reading what was never written: as an operator does with a typing error in the address.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { describe, it } from "node:test";

import { urls } from "../../scripts/services/records.ts";
import { serviceUrl } from "../../scripts/services/url.ts";
import { engineOfUrl } from "../../src/app/engines.ts";
import { systemPlatform } from "../../src/platform/system.ts";
import type { Engine } from "../../src/ports/engine.ts";
import { missing } from "../lib/machine.ts";

const name = `n-${randomUUID().slice(0, 18)}`;
const open = async (url: string): Promise<Engine> =>
  (await engineOfUrl(url, { readOnly: true })).open({ platform: systemPlatform() });

const without = (service: string): string | false =>
  process.env[`TIDINGS_${service.toUpperCase().replaceAll("-", "_")}_URL`] === undefined &&
  urls([service])[service] === undefined &&
  missing(`no ${service} runs: npm run services -- up ${service}`);

const places = [
  ["postgres", `schema=${name.replaceAll("-", "_")}`],
  ["redis-synced", `prefix=${name}`],
  ["nats", `prefix=${name}&durability=weak`],
  ["rabbitmq", `prefix=${name}`],
] as const;

describe("opening for reading where nothing is", () => {
  it("is TIDINGS_NOT_FOUND on sqlite", async () => {
    await assert.rejects(open(`sqlite:${tmpdir()}/${name}.db`), { code: "TIDINGS_NOT_FOUND" });
  });

  for (const [service, query] of places)
    it(`is TIDINGS_NOT_FOUND on ${service}, names what is not there, and makes nothing`, { skip: without(service) }, async () => {
      const url = serviceUrl(service);
      for (let time = 0; time < 2; time++)
        await assert.rejects(open(`${url}${url.includes("?") ? "&" : "?"}${query}`), (error: Error & { code?: string }) => {
          assert.equal(error.code, "TIDINGS_NOT_FOUND", error.message);
          assert.match(error.message, new RegExp(`${/=([^&]+)/.exec(query)?.[1]}.*start the application first`));
          return true;
        }); // prettier-ignore
    }); // prettier-ignore

  it("is no error on Kafka, which keeps nothing but topics: one that is asked for is TIDINGS_NOT_FOUND", { skip: without("kafka") }, async () => {
    const engine = await open(`${serviceUrl("kafka")}?prefix=${name}.&durability=weak`);
    try {
      assert.deepEqual(await engine.topics.list(), []);
      await assert.rejects(engine.topics.bounds("orders"), { code: "TIDINGS_NOT_FOUND" });
    } finally {
      await engine.close();
    }
  }); // prettier-ignore
});
