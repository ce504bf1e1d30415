// npm run docs: writes the pages of docs/ that are made of tables in the code. A test fails when they are not up to date.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";

import { guaranteesPage } from "./docs/guarantees.ts";
import { plantedBugsPage } from "./docs/planted-bugs.ts";

await write("docs/guarantees.md", guaranteesPage(), "src/admin/guarantees.ts");
await write("docs/reliability/planted-bugs.md", plantedBugsPage(), "scripts/planted-bugs/");

async function write(page: string, text: string, source: string): Promise<void> {
  const path = join(import.meta.dirname, "..", page);
  writeFileSync(path, await format(text, { parser: "markdown", printWidth: 120 }));
  console.log(`${page} is up to date with ${source}`);
}
