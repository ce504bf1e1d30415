/** Bytes that are written one behind the other, as Kafka's protocol has its numbers and texts. */
export class Bytes {
  #buffer: Buffer;
  #length = 0;

  constructor(room: number) {
    this.#buffer = Buffer.allocUnsafe(room);
  }

  get length(): number {
    return this.#length;
  }

  int8(value: number): void {
    this.#room(1);
    this.#length = this.#buffer.writeInt8(value, this.#length);
  }

  int16(value: number): void {
    this.#room(2);
    this.#length = this.#buffer.writeInt16BE(value, this.#length);
  }

  int32(value: number): void {
    this.#room(4);
    this.#length = this.#buffer.writeInt32BE(value, this.#length);
  }

  int64(value: bigint): void {
    this.#room(8);
    this.#length = this.#buffer.writeBigInt64BE(value, this.#length);
  }

  /** Seven bits at a time, the lowest first. */
  uvarint(value: number): void {
    this.#room(5);
    let left = value >>> 0;
    while (left > 0x7f) {
      this.#buffer[this.#length++] = (left & 0x7f) | 0x80;
      left >>>= 7;
    }
    this.#buffer[this.#length++] = left;
  }

  /** The same with the sign in the lowest bit. */
  varint(value: number): void {
    this.uvarint((value << 1) ^ (value >> 31));
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** With its length before it; null is -1. */
  varBytes(bytes: Uint8Array | null): void {
    this.varint(bytes === null ? -1 : bytes.length);
    if (bytes !== null) this.raw(bytes);
  }

  /** Text with its length plus 1 before it. */
  compactText(text: string): void {
    const bytes = Buffer.from(text);
    this.uvarint(bytes.length + 1);
    this.raw(bytes);
  }

  /** A header of a record: two texts. */
  header(name: string, value: string): void {
    this.#text(name);
    this.#text(value);
  }

  /** A copy of what was written. */
  taken(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }

  /** What was written, where it stands: nothing may be written any more. */
  written(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #text(text: string): void {
    // Short texts, as most are: their length takes one byte. What has no UTF-8 is replaced as it is in payloads.
    if (text.length <= 21) {
      this.#room(64 + 1);
      const length = this.#buffer.write(text, this.#length + 1);
      this.#buffer[this.#length] = length << 1;
      this.#length += length + 1;
    } else this.varBytes(Buffer.from(text));
  }

  #room(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

/** Reads what `Bytes` writes. Throws a RangeError behind the end. */
export class Scan {
  readonly buffer: Buffer;
  at: number;
  readonly end: number;

  constructor(buffer: Buffer, at = 0, end = buffer.length) {
    this.buffer = buffer;
    this.at = at;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  int8(): number {
    return this.buffer.readInt8(this.#step(1));
  }

  int16(): number {
    return this.buffer.readInt16BE(this.#step(2));
  }

  int32(): number {
    return this.buffer.readInt32BE(this.#step(4));
  }

  uint32(): number {
    return this.buffer.readUInt32BE(this.#step(4));
  }

  int64(): bigint {
    return this.buffer.readBigInt64BE(this.#step(8));
  }

  /** A 64-bit number that is an offset or an instant: it is exact as a number. */
  long(): number {
    return Number(this.int64());
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.buffer[this.#step(1)] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number is too long");
  }

  varint(): number {
    const value = this.uvarint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A number of up to 64 bits with its sign in the lowest one; times are differences, exact as numbers. */
  varlong(): number {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.buffer[this.#step(1)] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(value & 1n ? -(value + 1n) / 2n : value / 2n);
    }
    throw new RangeError("a number is too long");
  }

  raw(length: number): Buffer {
    const from = this.#step(length);
    return this.buffer.subarray(from, this.at);
  }

  /** Passes by so many bytes; answers where they begin. */
  skip(length: number): number {
    return this.#step(length);
  }

  varBytes(): Buffer | null {
    const length = this.varint();
    return length < 0 ? null : this.raw(length);
  }

  compactText(): string | null {
    const length = this.uvarint();
    return length === 0 ? null : this.raw(length - 1).toString();
  }

  /** What newer brokers add. */
  tags(): void {
    for (let count = this.uvarint(); count > 0; count--) {
      this.uvarint();
      this.raw(this.uvarint());
    }
  }

  #step(bytes: number): number {
    const from = this.at;
    if (bytes < 0 || from + bytes > this.end) throw new RangeError("the message ends too early");
    this.at = from + bytes;
    return from;
  }
}
