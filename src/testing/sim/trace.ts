/** A running hash of all that happens: equal for two runs exactly when they were the same, for all practical purposes. */
export class Trace {
  #a = 0x811c9dc5;
  #b = 0x01000193;

  number(value: number): void {
    // Times are fractions of milliseconds: microseconds are kept.
    const whole = Math.round(value * 1000);
    this.#mix(whole | 0);
    this.#mix(Math.floor(whole / 0x1_0000_0000) | 0);
  }

  text(value: string): void {
    for (let i = 0; i < value.length; i++) this.#mix(value.charCodeAt(i));
  }

  toString(): string {
    return (this.#a >>> 0).toString(16).padStart(8, "0") + (this.#b >>> 0).toString(16).padStart(8, "0");
  }

  #mix(unit: number): void {
    this.#a = Math.imul(this.#a ^ unit, 0x01000193);
    this.#b = Math.imul((this.#b << 5) ^ (this.#b >>> 27) ^ unit, 0x85ebca6b);
  }
}
