// Bugs in what a partition, a member and an operator do.
import type { PlantedBug } from "../bug.ts";

export const deliveryBugs: readonly PlantedBug[] = [
  {
    name: "inbox-forgets",
    breaks:
      "Handled identities are not remembered with the commit, so that a duplicate is handled again by the next owner.",
    caughtBy: ["I8"],
    file: "src/delivery/lanes/lanes.ts",
    find: "    if (delivery.identity) ((delivery.writes ??= { bytes: 100 }).timers ??= []).push(delivery.identity);\n",
    replace: "",
    budget: { harness: "sim", seeds: 60 },
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
    budget: { harness: "sim", seeds: 200 },
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
    budget: { harness: "sim", seeds: 40 },
  },
];
