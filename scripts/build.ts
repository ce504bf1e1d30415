// npm run build: sources to dist/, what the package ships. Everything it says goes to the standard error, because npm
// pack runs it and prints the tarball's name on the standard output.
import { chmodSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { root, tool } from "./test/tool.ts";

const shebang = "#!/usr/bin/env node\n";

async function build(): Promise<number> {
  const dist = join(root, "dist");
  rmSync(dist, { recursive: true, force: true });
  const { status, output } = await tool("tsc", ["-p", "tsconfig.build.json"]);
  process.stderr.write(output);
  if (status !== 0) return status;
  for (const file of globSync("**/*.d.ts", { cwd: dist })) pointAtJavaScript(join(dist, file));
  makeExecutable(join(dist, "cli", "main.js"));
  process.stderr.write(`Built ${globSync("**/*.js", { cwd: dist }).length} files into dist/.\n`);
  return 0;
}

/**
 * The compiler rewrites `./x.ts` in code but not in declarations, where older readers do not look for it. The two
 * endings are of one length, so the declaration maps stay right.
 */
function pointAtJavaScript(file: string): void {
  const text = readFileSync(file, "utf8");
  const pointed = text.replaceAll(/((?:from |import |import\()")(\.{1,2}\/[^"]+)\.ts"/g, '$1$2.js"');
  if (pointed !== text) writeFileSync(file, pointed);
}

function makeExecutable(file: string): void {
  if (!existsSync(file)) return;
  const text = readFileSync(file, "utf8");
  if (!text.startsWith("#!")) writeFileSync(file, shebang + text);
  chmodSync(file, 0o755);
}

process.exitCode = await build();
