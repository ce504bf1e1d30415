// Where time goes in CPU profiles: node scripts/launch.mjs bench/lib/profile.ts FILE.cpuprofile...
import { readFileSync } from "node:fs";

interface Node {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

interface Profile {
  readonly nodes: readonly Node[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const shown = 45;

for (const file of process.argv.slice(2)) print(JSON.parse(readFileSync(file, "utf8")) as Profile, file);

/** Own time by function, and time with everything below by function and by file. */
function print({ nodes, samples, timeDeltas }: Profile, file: string): void {
  const own = new Map<number, number>();
  samples.forEach((id, i) => own.set(id, (own.get(id) ?? 0) + (timeDeltas[i] ?? 0)));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const selfTime = new Map<string, number>();
  const withBelow = new Map<string, number>();
  let total = 0;
  const walk = (node: Node, around: ReadonlySet<string>): number => {
    const name = nameOf(node);
    const inside = new Set(around).add(name);
    let time = own.get(node.id) ?? 0;
    selfTime.set(name, (selfTime.get(name) ?? 0) + time);
    if (name !== "(idle)") total += time;
    for (const child of node.children ?? []) time += walk(byId.get(child) as Node, inside);
    if (!around.has(name)) withBelow.set(name, (withBelow.get(name) ?? 0) + time);
    return time;
  };
  walk(nodes[0] as Node, new Set());
  console.log(`${file}: ${Math.round(total / 1000)} ms busy`);
  table("own time", selfTime, total);
  table("with everything called", withBelow, total);
}

function table(title: string, times: ReadonlyMap<string, number>, total: number): void {
  console.log(`  ${title}`);
  for (const [name, time] of [...times].sort(([, a], [, b]) => b - a).slice(0, shown)) {
    console.log(`    ${((time / total) * 100).toFixed(1).padStart(5)} %  ${name}`);
  }
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: Node): string {
  const place = url.replace(/^.*\/(?=(src|bench|node_modules)\/)/, "");
  return `${functionName || "(anonymous)"}${place === "" ? "" : ` ${place}:${lineNumber + 1}`}`;
}
