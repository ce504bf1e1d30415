// Bugs in the embedded engine: what a kill, several processes or a power cut show.
import type { PlantedBug } from "../bug.ts";

const group = "src/engines/sqlite/group.ts";
const append = "src/engines/sqlite/append.ts";

export const sqliteBugs: readonly PlantedBug[] = [
  {
    name: "acknowledged-before-sync",
    breaks: "Every group is committed with synchronous=NORMAL, so that a power cut loses what was acknowledged.",
    caughtBy: ["LOST"],
    inWords: /the acknowledged event/,
    file: group,
    find: '  if (!state.durable) connection.exec("PRAGMA synchronous = NORMAL");\n',
    replace: '  connection.exec("PRAGMA synchronous = NORMAL");\n',
    budget: { harness: "power-cut", images: 80 },
  },
  {
    name: "sync-never-restored",
    breaks:
      "After the first group that needs no sync the connection stays at NORMAL, so that later ones are not synced either.",
    caughtBy: ["LOST"],
    inWords: /the acknowledged event/,
    file: group,
    find: 'setAndReadBack(connection, "synchronous", 2);',
    replace: 'setAndReadBack(connection, "synchronous", 1);',
    budget: { harness: "power-cut", images: 80 },
  },
  {
    name: "synced-only-if-all-ask",
    breaks: "A group in which one call needs no sync is not synced for the others.",
    caughtBy: ["LOST"],
    inWords: /the acknowledged event/,
    file: group,
    find: "state.durable = state.queue.some(({ durable }) => durable);",
    replace: "state.durable = state.queue.every(({ durable }) => durable);",
    budget: { harness: "power-cut", images: 120 },
  },
  {
    name: "publishes-not-durable",
    breaks: "A call is durable only if it says so, and publishes say nothing.",
    caughtBy: ["LOST"],
    inWords: /the acknowledged event/,
    file: "src/engines/sqlite/members.ts",
    find: "{ durable = true, patient = false, events = 0,",
    replace: "{ durable = false, patient = false, events = 0,",
    budget: { harness: "power-cut", images: 80 },
  },
  {
    name: "checkpoint-without-sync",
    breaks: "The checkpoint is not synced, so that a power cut leaves a file of old and new pages.",
    caughtBy: ["LOST", "WRONG"],
    file: "src/engines/sqlite/thread.ts",
    find: 'setAndReadBack(connection, "synchronous", 1);',
    replace: 'setAndReadBack(connection, "synchronous", 0);',
    budget: { harness: "power-cut", images: 120 },
  },
  {
    name: "begun-not-synced",
    breaks: "That an at-most-once handler begins is not synced, so that it runs again after a power cut.",
    caughtBy: ["LOST"],
    inWords: /runs at most once, has run/,
    file: "src/delivery/lanes/at-most-once.ts",
    find: "      durable: true,\n",
    replace: "      durable: false,\n",
    budget: { harness: "power-cut", images: 120 },
  },
  {
    name: "chunk-turned-around",
    breaks: "Events that commit together are written in the wrong order.",
    caughtBy: ["I4", "I9"],
    file: append,
    find: "      at.drafts.push(draft);\n",
    replace: "      at.drafts.unshift(draft);\n",
    budget: { harness: "crash", scenario: "counter", kills: 40 },
  },
  {
    name: "window-of-ids-too-short",
    breaks: "An id that was published is forgotten at once, so that a repeated publish is an event of its own.",
    caughtBy: ["I8"],
    file: "src/engines/sqlite/writer.ts",
    find: "published.find(draft.source, draft.id, nowMs - deduplicationWindowMs)",
    replace: "published.find(draft.source, draft.id, nowMs - deduplicationWindowMs / 1e6)",
    budget: { harness: "crash", scenario: "counter", kills: 60 },
  },
  {
    name: "sqlite-token-used-again",
    breaks:
      "A lease that is taken over in the file keeps its token, so that the fence of its old owner goes on holding.",
    caughtBy: ["I10"],
    file: "src/engines/sqlite/leases.ts",
    find: "return put(name, owner, row.token + 1, nowMs + ttlMs);",
    replace: "return put(name, owner, row.token, nowMs + ttlMs);",
    budget: { harness: "crash", scenario: "fleet", kills: 20 },
  },
];
