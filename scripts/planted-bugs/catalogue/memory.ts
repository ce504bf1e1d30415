// Bugs in the memory engine, which stands for what every engine has to hold.
import type { PlantedBug } from "../bug.ts";

const append = "src/engines/memory/append.ts";
const leases = "src/engines/memory/leases.ts";

export const memoryBugs: readonly PlantedBug[] = [
  {
    name: "fence-by-name-only",
    breaks: "A fence holds for anybody as long as somebody has the lease, so that two owners write.",
    caughtBy: ["I10"],
    file: leases,
    find: "return data !== undefined && data.owner !== undefined && data.token === token;",
    replace: "return data !== undefined && data.owner !== undefined && data.token >= token;",
    budget: { harness: "sim", seeds: 300 },
  },
  {
    name: "token-used-again",
    breaks: "A lease that is taken over keeps its token, so that the fence of its old owner goes on holding.",
    caughtBy: ["I10"],
    file: leases,
    find: "    data.token++;\n",
    replace: "    data.token = Math.max(1, data.token);\n",
    budget: { harness: "sim", seeds: 60 },
  },
  {
    name: "batch-in-part",
    breaks: "A batch of which one event conflicts is appended up to that event, and refused.",
    caughtBy: ["I2", "I6"],
    file: append,
    find: 'if (typeof duplicates === "number") return { conflict: duplicates };',
    replace: `if (typeof duplicates === "number") {
    for (const entry of entries.slice(0, duplicates))
      place(logOf(world, entry.record.topic, entry.record.partition), entry, worldNow(world));
    return { conflict: duplicates };
  }`,
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "id-conflict-taken-for-duplicate",
    breaks: "An event under an id that another payload has is acknowledged, and lost.",
    caughtBy: ["I1", "I2"],
    file: append,
    find: "    else if (!sameData(known.data, record.data)) return index;\n",
    replace: "",
    budget: { harness: "sim", seeds: 100 },
  },
  {
    name: "duplicates-told-by-id-alone",
    breaks: "Two sources that use the same id are taken for one, so that the event of the second is refused or lost.",
    caughtBy: ["I1", "I6", "I7", "I8"],
    file: append,
    find: "  return `${source.length} ${source}${id}`;\n",
    replace: "  return `${source.length && 1} ${id}`;\n",
    budget: { harness: "sim", seeds: 100 },
  },
];
