// Bugs in what a partition, a member and an operator do.
import type { PlantedBug } from "../bug.ts";

export const deliveryBugs: readonly PlantedBug[] = [
  {
    name: "inbox-forgets",
    breaks:
      "Handled identities are not remembered with the commit, so that a duplicate is handled again by the next owner.",
    caughtBy: ["I8"],
    inWords: /the inbox let/,
    file: "src/delivery/lanes/lanes.ts",
    find: "    if (delivery.identity) ((delivery.writes ??= { bytes: 100 }).timers ??= []).push(delivery.identity);\n",
    replace: "",
    budget: { harness: "crash", scenario: "counter", kills: 20 },
  },
  {
    name: "inbox-without-run",
    breaks:
      "The inbox does not tell runs apart, so that what a seek goes back over counts as handled and is not handled.",
    caughtBy: ["I7"],
    file: "src/delivery/partition/inbox.ts",
    find: "`${run}/${record.source}",
    replace: "`${record.source}",
    budget: { harness: "sim", seeds: 300 },
  },
  {
    name: "seek-keeps-held-keys",
    breaks:
      "A seek that retires held keys leaves them in place, so that their events are handled in the new run twice.",
    caughtBy: ["I8", "P3", "I9"],
    file: "src/delivery/seek.ts",
    find: "const retired = heldKeys > 0 ? await retireHeld(runtime, partition.number, intent.by) : [];",
    replace:
      "const retired = heldKeys > 0 ? (await retireHeld(runtime, partition.number, intent.by)).slice(0, 0) : [];",
    budget: { harness: "sim", seeds: 300 },
  },
  {
    name: "position-remembered-from-before",
    breaks:
      "A process that gets a partition back goes on from the position that it knew, so that what others did since is done twice.",
    caughtBy: ["I8", "I11"],
    file: "src/delivery/partition/partition.ts",
    find: "const [position] = (await this.#runtime.engine.state?.get(collections.positions, [this.#key])) ?? [];",
    replace: `const known = this.#runtime as unknown as Record<string, { readonly value: string } | undefined>;
    const position = (known[this.#key] ??= (await this.#runtime.engine.state?.get(collections.positions, [this.#key]))?.[0]);`,
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "stalls-not-counted",
    breaks:
      "Deaths under an event that runs alone are not added up, so that an event that kills its process is never parked.",
    caughtBy: ["I7"],
    file: "src/delivery/commit/claims.ts",
    find: "lives ? solo.stalls : solo.stalls + 1);",
    replace: "lives ? solo.stalls : 1);",
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "solo-not-claimed",
    breaks: "A suspect runs without a claim of its own, so that nobody learns which event kills the process.",
    caughtBy: ["I7"],
    file: "src/delivery/lanes/alone.ts",
    find: "        await claims.solo(record.position, tries.stalls);\n",
    replace: "        void claims;\n",
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "suspects-not-named",
    breaks:
      "Suspects run together without being named before, so that the next owner runs them together again, and so on for ever.",
    caughtBy: ["I7"],
    file: "src/delivery/commit/claims.ts",
    find: "  announce(): Promise<void> {\n    return this.#write(this.#claimTo(this.#asked));\n",
    replace: "  announce(): Promise<void> {\n    return Promise.resolve();\n",
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "repeats-handled",
    breaks: "What a relay sends once more is taken for a new event.",
    caughtBy: ["I8"],
    file: "src/delivery/commit/relay-marks.ts",
    find: "    if (sequence <= (this.#last.get(stream) ?? -1)) return true;\n",
    replace: "",
    budget: { harness: "sim", seeds: 100 },
  },
];
