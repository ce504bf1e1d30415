// Every planted bug. Each is a slip of a line that somebody could make, or did: docs/reliability/planted-bugs.md lists them.
import type { PlantedBug } from "./bug.ts";
import { commitBugs } from "./catalogue/commit.ts";
import { deliveryBugs } from "./catalogue/delivery.ts";
import { heldBugs } from "./catalogue/held.ts";
import { laneBugs } from "./catalogue/lanes.ts";
import { memoryBugs } from "./catalogue/memory.ts";
import { postgresBugs } from "./catalogue/postgres.ts";
import { sqliteBugs } from "./catalogue/sqlite.ts";

export const catalogue: readonly PlantedBug[] = [
  ...commitBugs,
  ...laneBugs,
  ...deliveryBugs,
  ...heldBugs,
  ...memoryBugs,
  ...sqliteBugs,
  ...postgresBugs,
];
