import { Command, Option } from "commander";
import { catalog, type CatalogEntry, groups } from "./catalog.ts";
import { terminalWidth } from "./output.ts";

/** Options before a command that take a value, which must not be taken for the command. */
const valued = new Set(["--url", "--store", "--color", "--timeout"]);

const examples = `
Examples:
  tidings tail orders --url sqlite:shop.db       what happens now
  tidings sub lag                                who is behind, and by how much
  tidings dlq groups                             what fails, by fault
  tidings doctor                                 what is wrong, if anything
`;

/** The program with every command, of which only the one that is asked for is loaded. */
export async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = configured(new Command("tidings"))
    .description("Look at and repair an application on tidings, while it runs or not.")
    .option("--url <url>", "the engine, such as sqlite:shop.db (else TIDINGS_URL)")
    .option("--store <url>", "the store, where it is not the engine itself (else TIDINGS_STORE)")
    .option("--json", "exact JSON on the standard output")
    .option("-q, --quiet", "no notes, no progress")
    .addOption(new Option("--color <when>", "colors").choices(["auto", "always", "never"]).default("auto"))
    .option("--timeout <duration>", "how long to wait for the owner of a partition", "30s")
    .addHelpText("before", examples.trimStart())
    .helpCommand("help [command]", "display help for a command");
  const wanted = find(argv);
  const parents = new Map<string, Command>();
  for (const entry of catalog) {
    const [first, second] = entry.path;
    const parent = second === undefined ? program : groupOf(parents, program, first);
    const command = configured(new Command(second ?? first))
      .summary(entry.summary)
      .description(sentence(entry.summary));
    parent.addCommand(command);
    if (entry === wanted) (await entry.load()).configure(command);
    else command.allowUnknownOption().allowExcessArguments();
  }
  return program;
}

function groupOf(parents: Map<string, Command>, program: Command, name: string): Command {
  const known = parents.get(name);
  if (known) return known;
  const group = configured(new Command(name))
    .description(sentence(groups[name] ?? name))
    .summary(groups[name] ?? name);
  parents.set(name, group);
  program.addCommand(group);
  return group;
}

function configured(command: Command): Command {
  return command
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: 10 })
    .configureOutput({
      // What is wrong is said once, by main, with its code.
      outputError: () => undefined,
      getOutHelpWidth: () => Math.min(terminalWidth(), 120),
      getErrHelpWidth: () => Math.min(terminalWidth(), 120),
    });
}

/** The entry that the words of the command line name. */
function find(argv: readonly string[]): CatalogEntry | undefined {
  const words: string[] = [];
  for (let i = 0; i < argv.length && words.length < 3; i++) {
    const word = argv[i] as string;
    if (valued.has(word)) i++;
    else if (!word.startsWith("-")) words.push(word);
  }
  const [first, second] = words[0] === "help" ? words.slice(1) : words;
  return catalog.find(({ path }) => path[0] === first && (path[1] === undefined || path[1] === second));
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}
