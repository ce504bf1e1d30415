// What the peers on the plain clients of brokers share.

/** As many partitions as a topic of tidings has by default. */
export const partitionsOfRaw = [0, 1, 2, 3] as const;

/** A cheap hash of the key, as one writes it by hand. */
export function rawPartition(key: string): number {
  let hash = 0;
  for (let n = 0; n < key.length; n++) hash = (hash * 31 + key.charCodeAt(n)) | 0;
  return (hash >>> 0) % partitionsOfRaw.length;
}
