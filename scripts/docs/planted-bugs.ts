// The page of planted bugs, made of their catalogue.
import { type Budget, budgetText } from "../planted-bugs/bug.ts";
import { catalogue } from "../planted-bugs/catalogue.ts";

const intro = `# Planted bugs

A harness that finds nothing proves nothing, unless it finds what is known to be there. \`npm run planted-bugs\` plants one
bug after the other in a copy of the sources and starts the harness that has to find it; in the package there is none of
them.

\`\`\`sh
npm run planted-bugs -- --json           # all of them; the last line says planted, found, survived
npm run planted-bugs -- --list           # what there is, without running anything
npm run planted-bugs -- --only commit-without-fence,failure-swallowed
npm run planted-bugs -- --harness sim
\`\`\`

A bug is found when its harness names a violation of a kind that fits it, within the budget of the bug. A harness that
falls over, or that names something else, has not found it. Each harness also runs without a bug, with the largest budget
that any bug has there, and must find nothing. The exit status is 1 when a bug survives or a run without one finds something.

Each bug is a text of one file and another text in its place. When the text does not stand in the file exactly once any
more, nothing runs and the exit status is 2: whoever changes the code writes the bug anew.

What the invariants mean stands in \`src/testing/check/violation.ts\`. Beside them the crash harness says FILE of what is
wrong with the file itself or left over in it, and the power-cut harness says LOST and WRONG.

The chaos harness takes a server that is installed (\`npm run services -- up postgres\` does that) and about a minute for each run. When
exactly a fault hits is up to the machine: what one run misses is looked for in the next one, from another seed.

<!-- Made by npm run docs of scripts/planted-bugs/ and scripts/docs/planted-bugs.ts. -->
`;

const harnesses: readonly (readonly [name: Budget["harness"], title: string])[] = [
  ["sim", "Found by the simulator"],
  ["crash", "Found by the crash harness"],
  ["power-cut", "Found by the power-cut harness"],
  ["chaos", "Found by the chaos harness"],
];

/** The text of docs/reliability/planted-bugs.md, before prettier. */
export function plantedBugsPage(): string {
  let page = `${intro}\nThere are ${catalogue.length}.\n`;
  for (const [harness, title] of harnesses) {
    page += `\n## ${title}\n\n| bug | what is wrong | file | caught by | budget |\n| --- | --- | --- | --- | --- |\n`;
    for (const { name, breaks, file, caughtBy, budget } of catalogue)
      if (budget.harness === harness)
        page += `| \`${name}\` | ${breaks} | \`${file.replace(/^src\//, "")}\` | ${caughtBy.join(", ")} | ${budgetText(budget).replace(/^sim, |^crash |^power-cut, |^chaos /, "")} |\n`;
  }
  return page;
}
