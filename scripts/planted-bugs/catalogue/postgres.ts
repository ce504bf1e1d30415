// Bugs in the Postgres engine: what a server shows that is killed, and a network that cuts.
import type { Budget, PlantedBug } from "../bug.ts";

/** The same for all of them, so that no more than this has to be done without a bug. */
const budget: Budget = {
  harness: "chaos",
  engine: "postgres",
  runs: 3,
  scale: 0.4,
  events: 12_000,
  only: ["kill", "cut", "reset", "refuse", "cut-in-message", "member-pause", "stop-backend"],
};

export const postgresBugs: readonly PlantedBug[] = [
  {
    name: "postgres-fence-unchecked",
    breaks:
      "The commit function looks at no fence, so that a member that stood still, and a commit that was given up, go on writing.",
    caughtBy: ["I8", "I4", "I11"],
    file: "src/engines/postgres/schema/commit.ts",
    find: "      WHERE l.name IS NULL;\n",
    replace: "      WHERE l.name IS NULL AND f.token < 0;\n",
    budget,
  },
  {
    name: "postgres-ids-forgotten",
    breaks:
      "An id that was published is neither looked up nor unique, so that a repeated publish is an event of its own.",
    caughtBy: ["I8"],
    file: "src/engines/postgres/engine.ts",
    find: "tail, deduplicationWindowMs, committed });",
    replace: "tail, deduplicationWindowMs: 0, committed });",
    budget,
  },
  {
    name: "postgres-unknown-taken-for-success",
    breaks:
      "A commit whose answer was lost counts as done although it did not take effect, so that what it carried is lost.",
    caughtBy: ["I1", "I7", "P3"],
    file: "src/engines/postgres/committer.ts",
    find: "call.reject(unknownOutcome(settings.address, error));",
    replace: "call.settle({ committed: true, appended: call.drafts.map(() => ({ position: 0, duplicate: false })) });",
    budget,
  },
];
