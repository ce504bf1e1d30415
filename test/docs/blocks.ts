// The TypeScript blocks of the documentation, as modules that can be checked and run.

/**
 * What a fence says after `ts`: nothing, the block stands alone and is type-checked; `run`, it is executed as well;
 * `continued`, it goes on where the block before it on the page ended; `fragment`, it is a piece that nobody checks.
 */
export type Mark = "" | "run" | "continued" | "fragment";

/** A block with the place it stands at. */
export interface Block {
  /** From the root of the repository. */
  readonly document: string;
  /** Line of its first line of code. */
  readonly line: number;
  readonly mark: Mark;
  readonly code: string;
}

/** One or several blocks that make one module. Its lines have the numbers that they have in the document. */
export interface Snippet {
  readonly document: string;
  readonly line: number;
  readonly runs: boolean;
  /** Name of the module's file. */
  readonly file: string;
  readonly text: string;
}

const marks: readonly string[] = ["", "run", "continued", "fragment"];

/** All `ts` blocks of a document. Throws for a mark that does not exist. */
export function blocksOf(document: string, text: string): readonly Block[] {
  const blocks: Block[] = [];
  let open: { fence: string; info: string; line: number; lines: string[] } | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const [, indent = "", fence = "", info = ""] = /^( *)(`{3,}|~{3,})\s*(.*?)\s*$/.exec(line) ?? [];
    if (!open && fence) open = { fence, info, line: index + 2, lines: [] };
    else if (open && fence.startsWith(open.fence) && info === "") {
      const [language, mark = "", ...more] = open.info.split(/\s+/);
      if (language === "ts" || language === "typescript") {
        if (!marks.includes(mark) || more.length > 0)
          throw new Error(
            `${document}:${open.line - 1}: "${open.info}" is no mark of a block; there are "ts", "ts run", "ts continued" and "ts fragment".`,
          );
        const code = open.lines.map((one) => one.slice(indent.length)).join("\n");
        blocks.push({ document, line: open.line, mark: mark as Mark, code });
      }
      open = undefined;
    } else open?.lines.push(line);
  }
  return blocks;
}

/** The modules that blocks of one document make. Throws when one goes on from nothing. */
export function snippetsOf(blocks: readonly Block[]): readonly Snippet[] {
  const modules: (readonly [Block, ...Block[]])[] = [];
  for (const block of blocks) {
    if (block.mark === "fragment") continue;
    if (block.mark !== "continued") modules.push([block]);
    else {
      const before = modules.pop();
      if (!before) throw new Error(`${block.document}:${block.line}: there is no block before it to go on from.`);
      modules.push([...before, block]);
    }
  }
  return modules.map((parts) => snippetOf(parts));
}

function snippetOf(parts: readonly [Block, ...Block[]]): Snippet {
  const [first] = parts;
  let text = "";
  for (const { line, code } of parts) text += `${"\n".repeat(line - 1 - count(text))}${code}\n`;
  return {
    document: first.document,
    line: first.line,
    runs: first.mark === "run",
    file: `${first.document.replaceAll("/", "__")}.${first.line}.ts`,
    // A module of its own, also without imports.
    text: `${text}export {};\n`,
  };
}

const count = (text: string): number => text.split("\n").length - 1;

/** The compiler's complaints by document and line, instead of by the file they were found in. */
export function errorsOf(output: string, folder: string, snippets: readonly Snippet[]): ReadonlyMap<Snippet, string[]> {
  const errors = new Map<Snippet, string[]>(snippets.map((snippet) => [snippet, []]));
  let last: string[] | undefined;
  for (const line of output.split("\n")) {
    const found = snippets.find(({ file }) => line.startsWith(`${folder}/${file}(`) || line.startsWith(`${file}(`));
    if (found) {
      last = errors.get(found);
      const [, row, column, message] = /\((\d+),(\d+)\): (?:error )?(.*)$/.exec(line) ?? [];
      last?.push(`${found.document}:${row}:${column}: ${message}`);
    } else if (/^\s/.test(line)) last?.push(line);
    else last = undefined;
  }
  return errors;
}
