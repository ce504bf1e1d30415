import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

import { errorCatalogue } from "../../src/errors/codes.ts";

/** By code: `Exit 2` or `Exit 6, retryable`, as docs/reference/errors.md says it. */
function documented(): Record<string, string> {
  const text = readFileSync(new URL("../../docs/reference/errors.md", import.meta.url), "utf8");
  const [, ...sections] = text.split(/^### /m);
  return Object.fromEntries(
    sections.map((section) => [
      /^\w+/.exec(section)?.[0],
      /Exit\s\d(,\s+retryable)?(?=\.)/.exec(section)?.[0].replaceAll(/\s+/g, " "),
    ]),
  );
}

describe("docs/reference/errors.md", () => {
  it("lists every code, and no other, with its exit status and whether trying again may help", () => {
    const catalogue = Object.entries(errorCatalogue).map(([code, { exit, retryable }]) => [
      code,
      retryable ? `Exit ${exit}, retryable` : `Exit ${exit}`,
    ]);
    assert.deepEqual(documented(), Object.fromEntries(catalogue));
  });
});

describe("the catalogue", () => {
  it("describes each code in one sentence", () => {
    for (const [code, { summary }] of Object.entries(errorCatalogue))
      assert.match(summary, /^\S[^.]*(\.[^.]+)*\.$/, code);
  });

  it("cannot be changed", () => {
    assert.ok(Object.isFrozen(errorCatalogue));
    assert.ok(Object.values(errorCatalogue).every((entry) => Object.isFrozen(entry)));
  });
});
