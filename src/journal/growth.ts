/** So many commands after a snapshot the next one is due. */
export const commandsPerSnapshot = 2000;
/** So many more, when it has not come: whoever was to write it may have died. */
const commandsPerTry = 500;
/** What an engine writes beside an event, in bytes, at most. */
const besideEvent = 1024;

interface Place {
  readonly position: number;
  readonly bytes: number;
  readonly commands: number;
}

const nowhere: Place = { position: -1, bytes: 0, commands: 0 };

/**
 * How much stands behind the last snapshot, and with it when the next one is due. An engine that removes the front of the journal by
 * itself keeps so many bytes, and the last whole snapshot must lie within them, with all that is not in it. Every bound is a share of
 * them: texts of a sixteenth are taken, of which quotes may make a quarter in a snapshot; the next snapshot is due a sixteenth behind
 * the last one, or half of it; and at three quarters nothing is taken any more before there is another one.
 */
export class Growth {
  /** What the engine keeps at least; undefined when it removes only what it is told to. */
  bytesKept: number | undefined;
  /** Of each entry that is in no snapshot: where it stands, and what was read up to its end. */
  #places: Place[] = [];
  #last: Place = nowhere;
  /** The place of the last snapshot: up to there all is dispensable. */
  #covered: Place = nowhere;
  #snapshotBytes = 0;
  #tries = 0;

  /** Begins anew at a snapshot, or where nothing is. */
  clear(): void {
    this.#places = [];
    this.#last = this.#covered = nowhere;
    this.#snapshotBytes = this.#tries = 0;
  }

  /**
   * An entry of so many bytes was read. True for a command when it is for whoever has written it to write a snapshot: so one member
   * does, and not all of them.
   */
  read(position: number, recordBytes: number, isCommand: boolean): boolean {
    const { bytes, commands } = this.#last;
    this.#last = { position, bytes: bytes + recordBytes + besideEvent, commands: commands + (isCommand ? 1 : 0) };
    this.#places.push(this.#last);
    if (!isCommand) return false;
    const since = this.#last.commands - this.#covered.commands;
    const tries = Math.max(triesAt(since, commandsPerSnapshot, commandsPerTry), this.#triesByBytes);
    if (tries <= this.#tries) return false;
    this.#tries = tries;
    return true;
  }

  /** A snapshot of so many bytes is there whole: of what all up to that position came to. */
  snapshot(at: number, bytes: number): void {
    const last = this.#places.findLastIndex(({ position }) => position <= at);
    this.#covered = this.#places[last] ?? this.#covered;
    this.#places = this.#places.slice(last + 1);
    this.#snapshotBytes = bytes;
    this.#tries = 0;
  }

  /** Bytes from the last snapshot's place to the end: what must be there for somebody who opens the journal. */
  get needed(): number {
    return this.#last.bytes - this.#covered.bytes;
  }

  /** Whether nothing may be added before a snapshot is there. */
  get full(): boolean {
    return this.bytesKept !== undefined && this.needed > (this.bytesKept * 3) / 4;
  }

  /** Whether a state of so many characters is more than what can be kept safely. */
  tooLarge(chars: number): boolean {
    return this.bytesKept !== undefined && chars > this.bytesKept / 16;
  }

  /** Whether a snapshot of so many bytes may be written. */
  fits(bytes: number): boolean {
    return this.bytesKept === undefined || bytes <= this.bytesKept / 4;
  }

  get #triesByBytes(): number {
    if (this.bytesKept === undefined) return 0;
    const each = Math.max(this.bytesKept / 16, this.#snapshotBytes / 2);
    return triesAt(this.needed, this.#snapshotBytes + each, each);
  }
}

function triesAt(count: number, first: number, each: number): number {
  return count < first ? 0 : 1 + Math.floor((count - first) / each);
}
