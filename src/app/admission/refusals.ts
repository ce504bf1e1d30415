/** How long after the last refusal publishers still count as being refused, in milliseconds. */
const episodeMs = 5000;
const spanMs = 1000;

/** Counts refused events: how many of late, and since when. */
export class Refusals {
  #total = 0;
  #sinceMs = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  /** Of the span that runs, and of the one before it. */
  #now = 0;
  #before = 0;
  #spanFromMs = Number.NEGATIVE_INFINITY;

  /** Returns true when this begins an episode: none was refused for a while. */
  add(events: number, nowMs: number): boolean {
    const begins = !this.active(nowMs);
    if (begins) {
      this.#sinceMs = nowMs;
      this.#total = 0;
    }
    this.#roll(nowMs);
    this.#lastMs = nowMs;
    this.#now += events;
    this.#total += events;
    return begins;
  }

  /** About how many were refused in the last second. */
  lately(nowMs: number): number {
    this.#roll(nowMs);
    const share = Math.min(1, (nowMs - this.#spanFromMs) / spanMs);
    return this.#now + this.#before * (1 - share);
  }

  /** Whether publishers are being refused. */
  active(nowMs: number): boolean {
    return nowMs - this.#lastMs <= episodeMs;
  }

  /** How many were refused in this episode. */
  total(): number {
    return this.#total;
  }

  /** How long the episode has lasted, in milliseconds. */
  lastedMs(nowMs: number): number {
    return nowMs - this.#sinceMs;
  }

  #roll(nowMs: number): void {
    const passedMs = nowMs - this.#spanFromMs;
    if (passedMs < spanMs) return;
    this.#before = passedMs < 2 * spanMs ? this.#now : 0;
    this.#now = 0;
    this.#spanFromMs = nowMs;
  }
}
