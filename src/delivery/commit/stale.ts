import type { State } from "../../ports/state.ts";
import type { Check } from "../../ports/transaction.ts";
import { documentName, type Group, settlementAt } from "./commit-group.ts";
import type { Settlement } from "./settlement.ts";

/**
 * Every settlement of a group that has read a document which is another by now, with the document's name. A conflict names
 * one check; all that are stale go at once, or a group of many would fail as often as it has of them. Never rejects: when
 * the store cannot be read, the named one is the only one known.
 */
export async function staleOf(state: State, group: Group, named: number): Promise<ReadonlyMap<Settlement, string>> {
  const checks = group.transaction.checks ?? [];
  const versions = checks.length > 1 ? await versionsOf(state, checks).catch(() => undefined) : undefined;
  const stale = new Map<Settlement, string>();
  for (const [index, check] of checks.entries()) {
    const name = documentName(check.collection, check.key);
    if (index !== named && (versions?.get(name) ?? check.version) === check.version) continue;
    const settlement = settlementAt(group, group.checkStarts, index);
    if (!stale.has(settlement)) stale.set(settlement, name);
  }
  return stale;
}

async function versionsOf(state: State, checks: readonly Check[]): Promise<ReadonlyMap<string, number>> {
  const versions = new Map<string, number>();
  for (const collection of new Set(checks.map((check) => check.collection))) {
    const keys = [...new Set(checks.filter((check) => check.collection === collection).map(({ key }) => key))];
    const documents = await state.get(collection, keys);
    for (const [i, key] of keys.entries()) versions.set(documentName(collection, key), documents[i]?.version ?? 0);
  }
  return versions;
}
