import type { Admin } from "../../admin/admin.ts";
import type { RedriveOptions } from "../../admin/redrive-options.ts";
import type { RedriveFilter } from "../../delivery/redrive/documents.ts";
import { driverLease } from "../../delivery/redrive/driver.ts";
import { isTidingsError } from "../../errors/tidings-error.ts";
import { memberOf } from "../../membership/names.ts";
import type { Dice } from "./dice.ts";
import type { SimNode } from "./node.ts";
import { type Operated, settled } from "./operators.ts";

/** What operators of redrive operations work with. */
export interface RedriveOperated extends Operated {
  readonly nodes: readonly SimNode[];
  /** Ends the process of a node. */
  readonly kill: (node: SimNode) => void;
}

/**
 * Operators begin a redrive operation, now and then two of them the same one at once, and change their minds while it goes
 * on; its driver may die. False when nothing was begun.
 */
export async function operateRedrive(
  node: SimNode,
  operated: RedriveOperated,
  dice: Dice,
  forMs: number,
): Promise<boolean> {
  const { scheduler } = operated;
  const filter = drawFilter(operated, dice);
  const options = drawPace(dice);
  const second = dice.chance(0.3) ? dice.one(operated.nodes) : undefined;
  const begin = (at: SimNode): Promise<string | undefined> =>
    ask(at, operated, async ({ redrives }) => (await redrives.start(filter, options)).id);
  const ids = await Promise.all([begin(node), second && begin(second)]);
  const id = ids.find((each) => each !== undefined);
  if (id === undefined) return false;
  for (let deeds = dice.whole(0, 4); deeds > 0; deeds--) {
    await scheduler.sleep(dice.spread(1, forMs));
    const deed = dice.one(["pause", "pause", "resume", "resume", "cancel", "driver-dies", "show"] as const);
    const by = dice.one(operated.nodes);
    if (deed === "driver-dies") await killDriver(operated);
    else await ask(by, operated, async ({ redrives }) => (await redrives[deed](id)).id);
  }
  return true;
}

/** How an operation goes, drawn so that small numbers of dead letters make several batches. */
export function drawPace(dice: Dice): RedriveOptions {
  const abort = dice.one([undefined, undefined, undefined, { count: dice.whole(0, 3) }, { share: dice.between(0, 0.9), minimum: dice.whole(1, 4) }]); // prettier-ignore
  return {
    everything: true,
    ramp: dice.one([[1], [1, 2, 4], [2, 3], [1, 10, 100], [100]]),
    batchTimeoutMs: Math.ceil(dice.spread(50, 60_000)),
    ...(dice.chance(0.4) ? { perSecond: dice.one([0.5, 2, 3.5, 10, 100]) } : {}),
    ...(dice.chance(0.3) ? { canary: dice.whole(1, 3) } : {}),
    ...(dice.chance(0.2) ? { max: dice.whole(1, 10) } : {}),
    ...(abort ? { abort } : {}),
  };
}

function drawFilter({ subscriptions, keys }: Operated, dice: Dice): RedriveFilter {
  const subscription = dice.one(subscriptions);
  return dice.one([{}, {}, { subscription }, { key: dice.one(keys()) }, { reason: "terminal" as const }]);
}

/** Undefined when the answer was an error, or never came. */
async function ask(
  node: SimNode,
  { scheduler, unexpected }: Operated,
  deed: (admin: Admin) => Promise<string>,
): Promise<string | undefined> {
  const { app } = node;
  if (!app) return undefined;
  const outcome = await settled(deed(app.admin), node, scheduler);
  if (typeof outcome === "string") return outcome;
  if (outcome instanceof Error && !isTidingsError(outcome)) unexpected("a redrive operation", outcome);
  return undefined;
}

/** Whoever drives all operations dies. */
async function killDriver({ observer, nodes, kill }: RedriveOperated): Promise<void> {
  const [lease] = (await observer.leases?.list(driverLease)) ?? [];
  const member = lease && memberOf(lease.owner);
  const node = nodes.find(({ name }) => member === name || member?.startsWith(`${name}-`));
  if (node?.alive === true) kill(node);
}
