import type { Draft } from "../sql/draft.ts";
import type { Call } from "./call.ts";
import type { Settings } from "./options.ts";

/**
 * The next calls that may commit together: as many as fit, up to the first that touches what an earlier one writes, since
 * all fences and checks of a group are looked at before anything of it is written.
 */
export function takeGroup(queue: readonly Call[], settings: Settings, alone: boolean): readonly Call[] {
  const taken: Call[] = [];
  const footprint = new Footprint();
  let events = 0;
  let bytes = 0;
  for (const call of queue) {
    events += call.drafts.length;
    bytes += call.bytes;
    if (taken.length > 0 && (alone || call.sql.length > 0 || (taken[0]?.sql.length ?? 0) > 0)) break;
    if (taken.length > 0 && (events > settings.groupEventsMax || bytes > settings.groupBytesMax)) break;
    if (!footprint.take(call)) break;
    taken.push(call);
  }
  return taken;
}

/** What the calls of a group touch. */
class Footprint {
  readonly #written = new Set<string>();
  readonly #checked = new Set<string>();
  readonly #ids = new Set<string>();
  #empty = true;

  /** Takes a call in; false, and nothing changed, when it collides with an earlier one. */
  take(call: Call): boolean {
    if (touchesNothing(call)) return true;
    if (!this.#empty && this.#collides(call)) return false;
    this.#empty = false;
    for (const { collection, key } of call.documents) this.#written.add(nameOf("d", collection, key));
    for (const { collection, key } of call.checks) this.#checked.add(nameOf("d", collection, key));
    for (const { queue, key } of call.timers) this.#written.add(nameOf("t", queue, key));
    for (const draft of call.drafts) if (draft.hash !== undefined) this.#ids.add(identityOf(draft));
    return true;
  }

  #collides({ documents, checks, timers, drafts }: Call): boolean {
    return (
      documents.some(({ collection, key }) => this.#touched(nameOf("d", collection, key))) ||
      checks.some(({ collection, key }) => this.#written.has(nameOf("d", collection, key))) ||
      timers.some(({ queue, key }) => this.#written.has(nameOf("t", queue, key))) ||
      drafts.some((draft) => draft.hash !== undefined && this.#ids.has(identityOf(draft)))
    );
  }

  #touched(name: string): boolean {
    return this.#written.has(name) || this.#checked.has(name);
  }
}

/** A publish of ids that nobody chose. */
function touchesNothing({ documents, checks, timers, drafts }: Call): boolean {
  if (documents.length + checks.length + timers.length > 0) return false;
  for (const { hash } of drafts) if (hash !== undefined) return false;
  return true;
}

/** Unmistakable, whatever characters the parts hold. */
export const nameOf = (kind: string, first: string, second: string): string =>
  `${kind}${first.length} ${first}${second}`;

export const identityOf = ({ source, id }: Draft): string => nameOf("i", source, id);
