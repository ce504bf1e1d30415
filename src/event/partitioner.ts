/**
 * The partition of a key: Kafka's default partitioner, so that a key keeps its partition between
 * engines that have equal counts of partitions.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitions;
}

/** Gives events without a key their partitions in turn, beginning at `first` (draw it by chance, so that processes differ). */
export function keylessPartitions(first: number): (partitions: number) => number {
  let next = first >>> 0;
  return (partitions) => {
    const partition = next % partitions;
    next = (next + 1) >>> 0;
    return partition;
  };
}

const seed = 0x9747_b28c;
const m = 0x5bd1_e995;

/** Kafka's MurmurHash2 of the key's UTF-8 bytes, as a signed number of 32 bits. */
export function murmur2(key: string): number {
  const { length } = key;
  let hash = seed ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    const a = key.charCodeAt(at);
    const b = key.charCodeAt(at + 1);
    const c = key.charCodeAt(at + 2);
    const d = key.charCodeAt(at + 3);
    if ((a | b | c | d) > 0x7f) return murmur2Bytes(utf8(key));
    hash = mixWord(hash, a | (b << 8) | (c << 16) | (d << 24));
  }
  let tail = 0;
  for (let shift = 0, rest = at; rest < length; rest++, shift += 8) {
    const unit = key.charCodeAt(rest);
    if (unit > 0x7f) return murmur2Bytes(utf8(key));
    tail |= unit << shift;
  }
  return finish(hash, tail, length - at);
}

function murmur2Bytes(bytes: Uint8Array): number {
  const { length } = bytes;
  const byte = (index: number): number => bytes[index] as number;
  let hash = seed ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    hash = mixWord(hash, byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24));
  }
  let tail = 0;
  for (let shift = 0, rest = at; rest < length; rest++, shift += 8) tail |= byte(rest) << shift;
  return finish(hash, tail, length - at);
}

function mixWord(hash: number, word: number): number {
  let k = Math.imul(word, m);
  k ^= k >>> 24;
  return Math.imul(hash, m) ^ Math.imul(k, m);
}

function finish(hash: number, tail: number, tailBytes: number): number {
  let h = tailBytes > 0 ? Math.imul(hash ^ tail, m) : hash;
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return h ^ (h >>> 15);
}

const encoder = new TextEncoder();

/** Lone surrogates become U+FFFD, as everywhere where keys are written. */
function utf8(key: string): Uint8Array {
  return encoder.encode(key);
}
