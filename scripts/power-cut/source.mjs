// Loaded before everything else (--import) where the harness tries another copy of the sources: TIDINGS_SOURCE names its
// folder, the one that holds index.ts, and `import "tidings"` leads there.
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = process.env.TIDINGS_SOURCE;
const entries = new Map([
  ["tidings", "index.ts"],
  ["tidings/testing", "testing/index.ts"],
  ["tidings/sqlite", "engines/sqlite/index.ts"],
]);

if (folder) {
  registerHooks({
    resolve(specifier, context, next) {
      const entry = entries.get(specifier);
      return entry === undefined ? next(specifier, context) : next(pathToFileURL(join(folder, entry)).href, context);
    },
  });
}
