import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runHarness, size } from "./harness.ts";

describe("npm run power-cut", () => {
  it("opens every image that a power cut may leave, and finds all that was acknowledged", async () => {
    const images = size(5000, 150);
    const found = await runHarness("power-cut", ["--images", String(images)]);
    assert.equal(found["lost"], 0);
    assert.equal(found["violations"], 0);
    assert.ok((found["images"] as number) >= images, JSON.stringify(found));
    assert.ok((found["acknowledged"] as number) > 0);
  });
});
