// Every engine that can be run under faults. A new one is a file beside this one and a line here.
import { postgres } from "./postgres.ts";
import type { ServerKind } from "./server.ts";

export const serverKinds: readonly ServerKind[] = [postgres];
