// Bugs in held keys, retries and dead letters.
import type { PlantedBug } from "../bug.ts";

const keys = "src/delivery/held/held-keys.ts";
const heads = "src/delivery/held/held-heads.ts";
const entry = "src/delivery/held/held-entry.ts";

export const heldBugs: readonly PlantedBug[] = [
  {
    name: "paused-key-goes-on",
    breaks: "A key that an operator has paused holds back only what was held already: what comes next is handled.",
    caughtBy: ["OWN"],
    inWords: /while the key was paused/,
    file: keys,
    find: "    return entry?.blocking ? entry : undefined;\n",
    replace: '    return entry?.blocking && entry.reason !== "paused" ? entry : undefined;\n',
    budget: { harness: "crash", scenario: "failures", kills: 20 },
  },
  {
    name: "followers-not-held",
    breaks: "Nobody waits behind a held key, so that later events of the key overtake the failed one.",
    caughtBy: ["I9"],
    file: keys,
    find: "    return entry?.blocking ? entry : undefined;\n",
    replace: "    return undefined;\n",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "followers-left-behind",
    breaks: "What waited in the lane of an event that failed is neither held nor handled.",
    caughtBy: ["I7"],
    inWords: / is still pending /,
    file: keys,
    find: "    for (const follower of followers) this.#insert(entry, ++seq, follower);\n",
    replace: "",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "released-with-followers",
    breaks:
      "A held key is let go when its head has succeeded, although others wait behind it, so that later events overtake them.",
    caughtBy: ["I9"],
    file: keys,
    find: "if (heldCount(entry) === 0 && entry.releasing) {",
    replace: 'if (entry.reason === "drain") {',
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "head-takes-its-followers-along",
    breaks: "With the head of a held key everything behind it is removed.",
    caughtBy: ["P3"],
    file: heads,
    find: "    entry.headSeq += 1;\n",
    replace: "    entry.headSeq = entry.nextSeq;\n",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "retry-too-early",
    breaks: "A delayed retry does not wait for its time.",
    caughtBy: ["I13"],
    file: keys,
    find: "else entry.cancelTimer = clock.after(delayMs, () => this.#arm(entry, true));",
    replace: "else entry.cancelTimer = clock.after(delayMs / 2, () => this.#arm(entry, true));",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "retry-never",
    breaks: "An event that is held for a delayed retry is not tried again by the owner that held it.",
    caughtBy: ["I7"],
    inWords: / still waits for its time /,
    file: keys,
    find: "        delivery.owner.committed(delivery);\n        entry.busy = false;\n        this.#arm(entry);\n",
    replace: "        delivery.owner.committed(delivery);\n        entry.busy = false;\n",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "attempts-forgotten",
    breaks:
      "Whoever takes a partition over counts the tries of a held event from nothing, so that a poisonous one is tried too often.",
    caughtBy: ["I16"],
    file: entry,
    find: "const entry = newEntry(id, document.key, document.blocking, document.sinceMs, document.tries);",
    replace:
      "const entry = newEntry(id, document.key, document.blocking, document.sinceMs, { ...document.tries, failures: 0 });",
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "dead-letter-closed-and-gone",
    breaks: "A dead letter that is resolved or discarded is removed without being kept among the closed ones.",
    caughtBy: ["I17"],
    file: "src/delivery/held/dead-letters.ts",
    find: "    { collection: collections.deadLetters(letter.subscription), key: letter.id, value: null },\n    { collection: collections.closedDeadLetters(letter.subscription), key: letter.id, value: JSON.stringify(closed) },\n",
    replace:
      "    { collection: collections.deadLetters(letter.subscription), key: letter.id, value: null },\n    { collection: collections.closedDeadLetters(letter.subscription), key: letter.id, value: closed.state ? null : '' },\n",
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "redrive-takes-what-runs",
    breaks: "A dead letter that somebody is working on is redriven again, so that it is handled twice at once.",
    caughtBy: ["I8", "I9", "P3"],
    file: "src/delivery/redrive/perform.ts",
    find: 'if (entry.reason !== "dead" || entry.busy)',
    replace: "if (entry.deadLetter === undefined)",
    budget: { harness: "sim", seeds: 300 },
  },
  {
    name: "redrive-removes-first",
    breaks:
      "A redrive removes the dead letter, and writes that it is under way in a second transaction: a death in between loses its story.",
    caughtBy: ["I17"],
    file: "src/delivery/redrive/perform.ts",
    find: "  if (!edited) return parts.held.runNow(entry, {}, [writeDeadLetter(next)]);\n",
    replace: `  if (!edited) {
    const removed = runtime.engine.transact?.({ documents: [{ ...writeDeadLetter(letter), value: null }] });
    return Promise.resolve(removed).then(() => parts.held.runNow(entry, {}, [writeDeadLetter(next)]));
  }
`,
    budget: { harness: "sim", seeds: 300 },
  },
];
