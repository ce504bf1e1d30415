/** Statements of SQLite and PostgreSQL that would begin, end or reconfigure what the engine has begun. */
const forbidden = new Set([
  "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE", "PRAGMA", "ATTACH", "DETACH", "VACUUM",
]); // prettier-ignore

/**
 * Everything of SQL that may hide a semicolon or a keyword: comments, strings (two kinds of them PostgreSQL's own), quoted names;
 * and what is left.
 */
const token =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\$([A-Za-z_][A-Za-z0-9_]*)?\$[\s\S]*?(?:\$\1\$|$)|[Ee]'(?:[^'\\]|\\[\s\S]|'')*'?|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?|[A-Za-z_][A-Za-z0-9_$]*|;|[^\s]/g;

/** The first statement of the text that user SQL may not run, by its keyword; undefined when all are fine. */
export function forbiddenStatement(sql: string): string | undefined {
  let words: string[] = [];
  for (const [text] of sql.matchAll(token)) {
    if (text.startsWith("--") || text.startsWith("/*")) continue;
    if (text === ";") {
      // The body of a trigger holds semicolons and lasts until its END.
      if (!isTrigger(words) || words.at(-1) === "END") words = [];
      continue;
    }
    const word = text.toUpperCase();
    if (words.length === 0 && forbidden.has(word)) return word;
    // EXPLAIN goes before any statement and runs none; only the beginning and the end of a statement matter.
    if (words.length < 4) words.push(word);
    else words[4] = word;
  }
  return undefined;
}

function isTrigger([first, second, third]: readonly string[]): boolean {
  return (
    first === "CREATE" &&
    (second === "TRIGGER" || ((second === "TEMP" || second === "TEMPORARY") && third === "TRIGGER"))
  );
}
