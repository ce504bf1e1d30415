/** Reads one partition in order from its place on, for one caller at a time. */
export interface Cursor {
  /** Position of what comes next. */
  readonly next: number;
  /** Whether it can be read on. */
  readonly usable: boolean;
  /** When it was used last, by the monotonic clock. */
  readonly usedAtMs: number;
  /** Whether it has read all, is sent what comes, and tells of it. */
  readonly hears?: boolean;
  close(): void;
}

/** Cursors that are kept for those who go on where they stopped, in all. */
const keptMax = 256;

/** The cursors of a reader, by partition; several readers may be at different places of one. */
export class Cursors<Kind extends Cursor> {
  readonly #places = new Map<string, Set<Kind>>();
  readonly #busy = new Set<Kind>();
  /** By partition: behind what is known to be stored, which a cursor may be sent later. */
  readonly #stored = new Map<string, number>();
  #count = 0;

  /** Reads with the cursor that stands at the position, or with one that is made. One that fails is let go of. */
  async use<Answer>(
    place: string,
    position: number,
    make: () => Kind,
    act: (cursor: Kind) => Promise<Answer>,
  ): Promise<Answer> {
    const cursor = this.#found(place, position) ?? this.#add(place, make());
    this.#busy.add(cursor);
    try {
      return await act(cursor);
    } catch (error) {
      this.#drop(place, cursor);
      throw error;
    } finally {
      this.#busy.delete(cursor);
      if (!cursor.usable) this.#drop(place, cursor);
    }
  }

  /** Whether all who read a partition are sent what comes; false when nobody does. */
  hears(place: string): boolean {
    const cursors = this.#places.get(place);
    if (!cursors) return false;
    for (const cursor of cursors) if (cursor.hears !== true) return false;
    return true;
  }

  /** Whether anybody reads a partition. */
  has(place: string): boolean {
    return this.#places.has(place);
  }

  /** Those of a partition. */
  of(place: string): Iterable<Kind> {
    return Array.from(this.#places.get(place) ?? []);
  }

  /** Takes note of an event that is stored. */
  stored(place: string, position: number): void {
    if (position >= (this.#stored.get(place) ?? 0)) this.#stored.set(place, position + 1);
  }

  /** Whether nothing is known to be stored at this position or behind it. */
  isEnd(place: string, position: number): boolean {
    return position >= (this.#stored.get(place) ?? 0);
  }

  /** What was read ahead of a partition must not be read any more. */
  forget(place: string): void {
    for (const cursor of this.#places.get(place) ?? []) this.#drop(place, cursor);
  }

  close(): void {
    for (const place of Array.from(this.#places.keys())) this.forget(place);
  }

  #found(place: string, position: number): Kind | undefined {
    for (const cursor of Array.from(this.#places.get(place) ?? [])) {
      if (this.#busy.has(cursor)) continue;
      if (!cursor.usable) this.#drop(place, cursor);
      else if (cursor.next === position) return cursor;
    }
    return undefined;
  }

  #add(place: string, cursor: Kind): Kind {
    const cursors = this.#places.get(place) ?? new Set();
    this.#places.set(place, cursors.add(cursor));
    this.#count++;
    if (this.#count > keptMax) this.#dropOldest(cursor);
    return cursor;
  }

  #drop(place: string, cursor: Kind): void {
    const cursors = this.#places.get(place);
    if (!cursors?.delete(cursor)) return;
    cursor.close();
    this.#count--;
    if (cursors.size === 0) this.#places.delete(place);
  }

  #dropOldest(added: Kind): void {
    let oldest: { readonly place: string; readonly cursor: Kind } | undefined;
    for (const [place, cursors] of this.#places)
      for (const cursor of cursors)
        if (cursor !== added && !this.#busy.has(cursor) && cursor.usedAtMs < (oldest?.cursor.usedAtMs ?? Infinity))
          oldest = { place, cursor };
    if (oldest) this.#drop(oldest.place, oldest.cursor);
  }
}
