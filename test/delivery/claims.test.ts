import assert from "node:assert/strict";
import { it } from "node:test";
import { Claims } from "../../src/delivery/commit/claims.ts";
import { type ClaimDocument, collections } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { drive } from "./support.ts";

it("a claim says how often deliveries have failed that may be running, and forgets those that have ended", async () => {
  const platform = virtualPlatform();
  const { clock } = platform;
  const engine = await memoryWorld().open({ platform });
  const [lease] = await drive(clock, engine.leases!.acquire([{ name: "p", owner: "one#1", ttlMs: 60_000 }]));
  const claims = new Claims({
    engine,
    clock,
    key: "sink/things/00000",
    fence: { lease: "p", token: lease!.token },
    owner: lease!.owner,
    aheadMax: 256,
    low: () => 0,
    onCovered: () => undefined,
  });
  const failures = async (): Promise<ClaimDocument["failures"]> => {
    const [document] = await drive(clock, engine.state!.get(collections.claims, ["sink/things/00000"]));
    return (JSON.parse(document!.value) as ClaimDocument).failures;
  };
  await drive(clock, claims.noteFailures(3, 2));
  await drive(clock, claims.noteFailures(5, 1));
  assert.deepEqual(await failures(), { 3: 2, 5: 1 });
  claims.forgetFailures(3);
  await drive(clock, claims.noteFailures(5, 2));
  assert.deepEqual(await failures(), { 5: 2 });
});
