import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { blocksOf, errorsOf, snippetsOf } from "./blocks.ts";

const page = `# A page

\`\`\`ts run
const a = 1;
\`\`\`

Text with \`\`\`ts in it.

\`\`\`sh
npm start
\`\`\`

\`\`\`ts continued
const b = a;
\`\`\`

- in a list

  \`\`\`ts
  if (true) {
    // indented
  }
  \`\`\`

\`\`\`ts fragment
what(is, this
\`\`\`
`;

describe("blocks", () => {
  it("of TypeScript are found with their lines and marks", () => {
    assert.deepEqual(
      blocksOf("page.md", page).map(({ line, mark, code }) => [line, mark, code]),
      [
        [4, "run", "const a = 1;"],
        [14, "continued", "const b = a;"],
        [20, "", "if (true) {\n  // indented\n}"],
        [26, "fragment", "what(is, this"],
      ],
    );
  });

  it("that go on make one module with the lines of the document", () => {
    const [first, second, ...none] = snippetsOf(blocksOf("docs/page.md", page));
    assert.equal(none.length, 0);
    assert.equal(first?.file, "docs__page.md.4.ts");
    assert.equal(first?.runs, true);
    assert.equal(first?.text.split("\n")[3], "const a = 1;");
    assert.equal(first?.text.split("\n")[13], "const b = a;");
    assert.equal(second?.text.split("\n")[19], "if (true) {");
    assert.equal(second?.runs, false);
  });

  it("with a mark that does not exist are refused with their place", () => {
    assert.throws(() => blocksOf("page.md", "```ts runs\n```\n"), /^Error: page\.md:1: "ts runs" is no mark/);
    assert.throws(
      () => snippetsOf(blocksOf("page.md", "```ts continued\n```\n")),
      /^Error: page\.md:2: there is no block/,
    );
  });

  it("have the compiler's complaints with the place in the document", () => {
    const snippets = snippetsOf(blocksOf("page.md", page));
    const output = `.tmp/snippets/page.md.4.ts(14,7): error TS2322: Type 'x' is not assignable.
  Types differ.
other.ts(1,1): error TS1: not ours
  nor this
`;
    const [first] = errorsOf(output, ".tmp/snippets", snippets).values();
    assert.deepEqual(first, ["page.md:14:7: TS2322: Type 'x' is not assignable.", "  Types differ."]);
  });
});
