// What Node itself takes.
import { answer } from "../lib/child.ts";

export interface NothingResult {
  readonly residentMiB: number;
}

await new Promise((resolve) => setTimeout(resolve, 200));
answer({ residentMiB: process.memoryUsage.rss() / 1024 / 1024 } satisfies NothingResult);
