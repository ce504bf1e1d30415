// Bugs in what puts handled events into transactions.
import type { PlantedBug } from "../bug.ts";

const group = "src/delivery/commit/commit-group.ts";
const committer = "src/delivery/commit/committer.ts";
const progress = "src/delivery/commit/progress.ts";

export const commitBugs: readonly PlantedBug[] = [
  {
    name: "commit-without-fence",
    breaks: "Commits are not checked against the lease, so that a member that has lost its partition goes on writing.",
    caughtBy: ["I10"],
    file: group,
    find: "transaction: { fences: [frame.fence],",
    replace: "transaction: { fences: [],",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "checks-left-out",
    breaks:
      "What a handler has read is not checked at the commit, so that two that change one document lose an update.",
    caughtBy: ["I8", "OWN"],
    inWords: /The accounts add up|and its transfers make/,
    file: group,
    find: "if (writes.checks) for (const check of writes.checks) checks.push(check);",
    replace: "",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "filtered-not-counted",
    breaks: "Positions that need no handler are not counted, so that the counts do not add up.",
    caughtBy: ["P3"],
    file: group,
    find: "    count(changes, as, 1);\n",
    replace: "",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "expired-counted-as-handled",
    breaks: "An expired event counts as handled, although no handler saw it.",
    caughtBy: ["P3"],
    file: group,
    find: "    count(changes, as, 1);\n",
    replace: '    count(changes, as === "expired" ? "handled" : as, 1);\n',
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "finished-forgotten",
    breaks:
      "Positions that are settled above the lowest open one are not stored, so that they are handled again after a restart.",
    caughtBy: ["I8"],
    file: group,
    find: "finished: progress.finished(),",
    replace: "finished: [],",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "unsettle-left-out",
    breaks:
      "After a failed commit its positions stay settled in memory, so that the next one passes events that nobody has handled.",
    caughtBy: ["P3", "I7"],
    file: group,
    find: "  progress.unsettle(positions);\n",
    replace: "",
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "low-passes-outstanding",
    breaks: "The stored position is where fetching stands, so that a crash loses what was fetched and not handled.",
    caughtBy: ["I7"],
    inWords: / is past .* neither handled nor held/,
    file: progress,
    find: "low: () => (head < outstanding.length ? (outstanding[head] as number) : next),",
    replace: "low: () => next,",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "resume-one-too-far",
    breaks: "A partition goes on one position behind the stored one, so that each change of its owner skips an event.",
    caughtBy: ["I7"],
    inWords: / is past .* neither handled nor held/,
    file: progress,
    find: "let next = document.low;",
    replace: "let next = document.low + (document.low > 0 ? 1 : 0);",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "unknown-outcome-repeated",
    breaks:
      "A commit whose answer was lost is repeated without looking whether it took effect, so that effects are doubled.",
    caughtBy: ["I8"],
    file: committer,
    find: 'if (hasCode(error, "TIDINGS_OUTCOME_UNKNOWN")) return this.#lookUp(group);',
    replace: 'if (hasCode(error, "TIDINGS_OUTCOME_UNKNOWN")) return this.#tryLater(group, String(error));',
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "unknown-outcome-taken-for-done",
    breaks:
      "A commit whose answer was lost counts as done although it did not take effect, so that what it carried is lost.",
    caughtBy: ["I7"],
    inWords: / is past .* neither handled nor held/,
    file: committer,
    find: "(JSON.parse(found.value) as PositionDocument).commit === document.commit;",
    replace: "(JSON.parse(found.value) as PositionDocument).commit <= document.commit;",
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "counts-not-kept",
    breaks: "The next commit counts from where the first one of this owner began, so that the counts fall behind.",
    caughtBy: ["P3"],
    file: committer,
    find: "    this.#document = group.document;\n",
    replace: "",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "conflict-ignored",
    breaks: "A conflict of a commit is taken for a success, so that the delivery counts as handled and has no effect.",
    caughtBy: ["I7"],
    inWords: / is past .* neither handled nor held/,
    file: committer,
    find: "if (!outcome.committed) return this.#resolveConflict(group, outcome.conflict);",
    replace:
      'if (!outcome.committed && outcome.conflict.kind !== "check") return this.#resolveConflict(group, outcome.conflict);',
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "position-in-a-second-transaction",
    breaks: "Effects and position commit one after the other, so that a crash between the two doubles the effects.",
    caughtBy: ["I8"],
    file: committer,
    find: "const committing = this.#options.engine.transact?.(group.transaction) as Promise<Outcome>;",
    replace: `const { engine, fence } = this.#options;
    const all = group.transaction.documents ?? [];
    const positions = all.filter(({ collection }) => collection === collections.positions);
    const effects = { ...group.transaction, documents: all.filter((write) => !positions.includes(write)) };
    const committing = (engine.transact as NonNullable<typeof engine.transact>)(effects).then(async (outcome) => {
      if (!outcome.committed) return outcome;
      const moved = await engine.transact?.({ fences: [fence], documents: positions });
      return moved?.committed ? outcome : (moved as Outcome);
    });`,
    budget: { harness: "crash", scenario: "counter", kills: 20 },
  },
];
