// The page of guarantees, made of the table that `tidings doctor` prints.
import { type Guarantee, guarantees } from "../../src/admin/guarantees.ts";

const intro = `# Guarantees

What holds, on which engine, and the tests that hold it up. \`tidings doctor\` prints the same for the engine at hand. "With our
help" means that tidings does above the engine's port what the engine does not do itself.

<!-- Made by npm run docs of src/admin/guarantees.ts and scripts/docs/guarantees.ts. -->
`;

/** What a promise means for who builds on it, beside the notes of the table. */
const stories: Readonly<Partial<Record<Guarantee["promise"], string>>> = {
  P1: `On SQLite a commit is synced (\`synchronous=FULL\`, read back at every open) before the publish resolves, and no handler
sees an event that is not on disk. A failed sync stops the engine for good; it is never retried. On PostgreSQL the server syncs: an
engine refuses one that runs without \`fsync\`, and turns \`synchronous_commit\` on where it is off. On Redis a server that does not sync each
write is refused unless the loss is accepted.`,
  P2: `At a fixed number of partitions and with \`onFailure: "blockKey"\`, also across retries, rebalances and redrives. Across
keys and topics there is no order.`,
  P3: `Per subscription, at rest: last minus start position = handled + filtered + expired + discarded + skipped + held + unknown +
pending. The counters commit with the position. \`tidings sub show\` prints the equation.`,
  P4: `Publishes, state, user SQL and the position of a handler commit in one transaction that is fenced with the partition's
token. Effects outside of it (e-mail, HTTP, another database) are at least once; \`ctx.once\` narrows the window and never
closes it.`,
  P5: "Belongs to sourced topics, which are not in this version.",
  P6: "Belongs to sagas, which are not in this version.",
  P7: "Belongs to replays, which are not in this version.",
  P8: `A mismatch rejects with \`TIDINGS_RECORD_CORRUPT\` and names topic, partition and position.`,
  P9: `Publishers are refused at once with \`TIDINGS_OVERLOADED\` and a hint when to try again; units of work are never refused, so
that consumers go on draining.`,
};

/** The text of docs/guarantees.md, before prettier. */
export function guaranteesPage(): string {
  const engines = Object.keys(guarantees);
  const promises = (guarantees[engines[0] as string] ?? []).map(({ promise, title }) => ({ promise, title }));
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  const at = (engine: string, promise: string): Guarantee =>
    guarantees[engine]?.find((each) => each.promise === promise) as Guarantee;
  let page = `${intro}\n${line(["promise", ...engines])}${line(["---", ...engines.map(() => "---")])}`;
  for (const { promise, title } of promises)
    page += line([`${promise} ${title}`, ...engines.map((engine) => at(engine, promise).holds)]);
  for (const { promise, title } of promises) {
    page += `\n## ${promise}: ${title}\n\n${stories[promise] ?? ""}\n\n`;
    for (const engine of engines) {
      const { holds, note } = at(engine, promise);
      page += `- **${engine}**: ${holds} (${note})\n`;
    }
    page += testsOf(engines.map((engine) => [engine, at(engine, promise).tests]));
  }
  return page;
}

/** The tests by file, each with the engines whose line it holds up. */
function testsOf(lines: readonly (readonly [engine: string, tests: readonly string[]])[]): string {
  const engines = new Map<string, string[]>();
  for (const [engine, tests] of lines)
    for (const test of tests) engines.set(test, [...(engines.get(test) ?? []), engine]);
  if (engines.size === 0) return "";
  const rows = Array.from(engines, ([test, names]) => {
    const [file, title] = test.split(" › ");
    return `- "${title}" in \`${file}\` (${names.join(", ")})\n`;
  });
  return `\nHeld up by\n\n${rows.join("")}`;
}
