// Bugs in what runs the events of a key in their order.
import type { PlantedBug } from "../bug.ts";

const lanes = "src/delivery/lanes/lanes.ts";

export const laneBugs: readonly PlantedBug[] = [
  {
    name: "failure-swallowed",
    breaks: "A handler that throws counts as through, so that its event is settled without having been handled.",
    caughtBy: ["I7"],
    inWords: / is past .* neither handled nor held/,
    file: lanes,
    find: "    this.#aftermath.follow(delivery, error);\n",
    replace: "    this.#finish(delivery);\n",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "abort-counts-as-done",
    breaks:
      "A handler that throws because it was told to stop counts as through, so that its event is lost with the restart.",
    caughtBy: ["I7"],
    inWords: / is past .* neither handled nor held/,
    file: lanes,
    find: "if (this.#aborted) return this.#abandon(delivery);",
    replace: "if (this.#aborted) return this.#finish(delivery);",
    budget: { harness: "sim", seeds: 160 },
  },
  {
    name: "two-of-a-key-at-once",
    breaks: "A lane gives its next event while one of the key still runs.",
    caughtBy: ["I9"],
    file: "src/delivery/lanes/ready-lanes.ts",
    find: "if (lane.ready || lane.blocked || lane.running || lane.queue.length === 0) return;",
    replace: "if (lane.ready || lane.blocked || lane.queue.length === 0) return;",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "discarded-run-commits",
    breaks: "What ran on top of a delivery that has to run again commits all the same, before it.",
    caughtBy: ["I9"],
    file: lanes,
    find: "#finish(delivery: Delivery): void {\n    if (delivery.discarded) return this.#restart(delivery);\n",
    replace: "#finish(delivery: Delivery): void {\n",
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "only-the-first-taken-back",
    breaks: "After a conflict only the delivery itself runs again, and later ones of its lane commit before it.",
    caughtBy: ["I9"],
    file: "src/delivery/lanes/lane.ts",
    find: "const taken = this.uncommitted.splice(first);",
    replace: "const taken = this.uncommitted.splice(first, 1);",
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "later-ones-not-withdrawn",
    breaks: "Later deliveries of a lane that are to run again stay on their way to a commit, and are done twice.",
    caughtBy: ["I8", "I9"],
    file: lanes,
    find: "    this.#options.committer.withdraw(new Set(later));\n",
    replace: "",
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "held-back-too-early",
    breaks:
      "Events behind a paused key are held while an earlier one is not committed, so that a crash turns them around.",
    caughtBy: ["I9"],
    file: lanes,
    find: "if (lane.busy || this.#stopped) return true;",
    replace: "if (this.#stopped) return true;",
    budget: { harness: "sim", seeds: 300 },
  },
  {
    name: "held-before-its-turn",
    breaks: "A failed event is held before the ones ahead of it in its lane are committed, which then come behind it.",
    caughtBy: ["I9"],
    file: "src/delivery/lanes/aftermath.ts",
    find: "for (let wait = lane.committedSoFar(); wait && !delivery.discarded; wait = lane.committedSoFar()) {",
    replace: "for (let wait: Promise<void> | undefined; wait && !delivery.discarded; wait = lane.committedSoFar()) {",
    budget: { harness: "crash", scenario: "failures", kills: 20 },
  },
  {
    name: "held-back-dropped",
    breaks:
      "What waits in the lane of a key that is paused is dropped, so that it is handled after the next death, or never.",
    caughtBy: ["I7", "I9"],
    file: lanes,
    find: "      held.append(entry, delivery);\n",
    replace: "",
    budget: { harness: "crash", scenario: "failures", kills: 20 },
  },
];
