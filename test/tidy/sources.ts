// The repository's files as the tidy tests see them.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix, resolve } from "node:path";

import { parseSync, type Program, Visitor } from "oxc-parser";

export const root = resolve(import.meta.dirname, "../..");

/** How one file of the sources reaches another, or a module from elsewhere. */
export interface Import {
  /** A path from the root for files of the repository, else the module's name. */
  readonly target: string;
  readonly relative: boolean;
  readonly kind: "value" | "type" | "dynamic";
  /** What is imported by name; empty for everything at once. */
  readonly names: readonly string[];
}

export interface Source {
  /** From the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly program: Program;
  readonly imports: readonly Import[];
}

/** The files that git knows or would add. */
export const tracked: readonly string[] = execFileSync("git", ["ls-files", "-z", "-co", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
  maxBuffer: 64 * 1024 * 1024,
})
  .split("\0")
  .filter((path) => path !== "" && existsSync(join(root, path)) && statSync(join(root, path)).isFile());

export function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** The TypeScript files below a folder, parsed. */
export function sourcesIn(folder: string): readonly Source[] {
  return tracked.filter((path) => path.startsWith(`${folder}/`) && path.endsWith(".ts")).map(parse);
}

/** Names the files that break a rule, with the line: the message of a failed check is the list to work off. */
export function lineOf(source: { text: string; path: string }, offset: number): string {
  return `${source.path}:${source.text.slice(0, offset).split("\n").length}`;
}

export function parse(path: string): Source {
  const text = read(path);
  const { program, module } = parseSync(path, text);
  const imports: Import[] = [];
  const add = (request: string, kind: Import["kind"], names: readonly string[] = []) => {
    const relative = request.startsWith(".");
    imports.push({ target: relative ? posix.join(dirname(path), request) : request, relative, kind, names });
  };
  // `import { type A }` still loads the file; only `import type` does not.
  const kindAt = (start: number) => (/^(import|export)\s+type\b/.test(text.slice(start)) ? "type" : "value");
  for (const found of module.staticImports) {
    const names = found.entries.flatMap((entry) => entry.importName.name ?? []);
    add(found.moduleRequest.value, kindAt(found.start), names);
  }
  for (const found of module.staticExports) {
    for (const { moduleRequest } of found.entries) {
      if (moduleRequest !== null) add(moduleRequest.value, kindAt(found.start));
    }
  }
  new Visitor({
    ImportExpression: ({ source }) => source.type === "Literal" && add(String(source.value), "dynamic"),
    TSImportType: ({ source }) => add(source.value, "type"),
  }).visit(program);
  return { path, text, program, imports };
}
