// npm run docs: writes the pages of docs/ that are made of tables in the code. A test fails when they are not up to date.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";

import { guaranteesPage } from "./docs/guarantees.ts";

const path = join(import.meta.dirname, "../docs/guarantees.md");
writeFileSync(path, await format(guaranteesPage(), { parser: "markdown", printWidth: 120 }));
console.log(`docs/guarantees.md is up to date with src/admin/guarantees.ts`);
