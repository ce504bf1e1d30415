import type { Leases } from "../../ports/leases.ts";
import type { State } from "../../ports/state.ts";
import { partitionLeaseName, partitionPrefix } from "../../membership/names.ts";
import { collections, type ControlDocument } from "../records.ts";
import { itemStatus, type RedriveDocument, remaining, underWay } from "./documents.ts";
import type { RedriveItem, RedriveItems } from "./items.ts";

/** The next batch of an operation. */
export interface Batch {
  readonly items: readonly RedriveItem[];
  /** Those of which the subscription is gone. */
  readonly homeless: readonly RedriveItem[];
  /** Why nothing can be sent back though something waits. */
  readonly waitingFor: string | undefined;
}

/** How many the next batch may hold; 0 while outcomes have to be waited for. */
export function batchSize(
  { pace, counts, rampStep, asked }: RedriveDocument,
  timing: { readonly waitedMs: number },
): number {
  const { canary = 0, ramp, perSecond, batchTimeoutMs } = pace;
  if (asked.length > 0 || remaining(counts) === 0) return 0;
  const open = underWay(counts);
  // The canary is waited for however long it takes; behind it, one that hangs does not hold up the others for ever.
  if (open > 0 && (counts.moved <= canary || timing.waitedMs < batchTimeoutMs)) return 0;
  const most = perSecond === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(perSecond));
  if (counts.moved < canary) return Math.min(canary - counts.moved, most);
  return Math.min(ramp[Math.min(rampStep, ramp.length - 1)] as number, most);
}

/** Why an operation stops by its own rule; undefined when it does not. */
export function abortReason({ pace, counts }: RedriveDocument): string | undefined {
  const { abort, canary = 0 } = pace;
  const { succeeded, failedAgain, setAside, moved } = counts;
  if (canary > 0 && moved <= canary && failedAgain + setAside > 0)
    return `${failedAgain + setAside} of the first ${canary} did not succeed`;
  const known = succeeded + failedAgain + setAside;
  if (abort?.count !== undefined && failedAgain > abort.count)
    return `${failedAgain} have failed again, more than ${abort.count}`;
  if (abort?.share !== undefined && known >= abort.minimum && failedAgain > abort.share * known)
    return `${failedAgain} of ${known} have failed again, more than ${percent(abort.share)}`;
  return undefined;
}

const percent = (share: number): string => `${Math.round(share * 10_000) / 100} %`;

/**
 * Chooses what goes next, oldest first: of one key only one at a time, so that its order is kept, and nothing that
 * nobody would do now.
 */
export async function chooseBatch(
  ports: { readonly state: State; readonly leases: Leases },
  document: RedriveDocument,
  items: RedriveItems,
  size: number,
  nowMs: number,
): Promise<Batch> {
  const homes = await Promise.all(document.subscriptions.map((home) => homeOf(ports, home, nowMs)));
  const busy = new Set(items.with(itemStatus.moved).map(keyOf));
  const chosen: RedriveItem[] = [];
  const homeless: RedriveItem[] = [];
  const obstacles = new Set<string>();
  for (const item of items.waiting()) {
    if (chosen.length >= size || homeless.length >= size) break;
    const home = homes[item.subscription] as Home;
    if (home.gone) homeless.push(item);
    else if (home.obstacle !== undefined) obstacles.add(home.obstacle);
    else if (!home.owned.has(item.partition)) obstacles.add(`a process that runs ${home.name}`);
    else {
      const key = keyOf(item);
      if (key !== undefined && busy.has(key)) continue;
      if (key !== undefined) busy.add(key);
      chosen.push(item);
    }
  }
  const stuck = chosen.length === 0 && homeless.length === 0 && obstacles.size > 0;
  return { items: chosen, homeless, waitingFor: stuck ? [...obstacles].sort().join(", ") : undefined };
}

/** Events without a key have no order among each other. */
function keyOf({ subscription, key }: RedriveItem): string | undefined {
  return key === null ? undefined : `${subscription}/${key}`;
}

/** A subscription, as far as something can be sent back to it. */
interface Home {
  readonly name: string;
  readonly gone: boolean;
  readonly obstacle: string | undefined;
  /** Partitions that a process owns. */
  readonly owned: ReadonlySet<number>;
}

async function homeOf(
  { state, leases }: { readonly state: State; readonly leases: Leases },
  [name, topic]: readonly [string, string],
  nowMs: number,
): Promise<Home> {
  const [definition] = await state.get(collections.subscriptions, [name]);
  const [control] = await state.get(collections.controls, [name]);
  const paused = control && (JSON.parse(control.value) as ControlDocument).paused;
  const prefix = partitionLeaseName(name, { topic, partition: 0 }).slice(0, -1);
  const held = await leases.list(partitionPrefix(name));
  const owned = held.filter((lease) => lease.name.startsWith(prefix)).map((lease) => lease.name.slice(prefix.length));
  return {
    name,
    gone: !definition,
    obstacle: paused && (paused.untilMs ?? nowMs + 1) > nowMs ? `${name}, which is paused` : undefined,
    owned: new Set(owned.map(Number)),
  };
}
