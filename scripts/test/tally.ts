// What has passed, failed and been skipped so far, and how long things take.

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

export function seconds(sinceMs: number): string {
  return `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;
}

/**
 * Says that a part begins and how it ended, and beats in between, so that nothing that takes long looks like a hang.
 */
export async function timed<T>(title: string, work: () => Promise<T>, ended: (result: T) => string): Promise<T> {
  const began = Date.now();
  console.log(`     ${title} …`);
  const beat = setInterval(() => console.log(`     ${title} … ${seconds(began)}`), 15_000);
  try {
    const result = await work();
    console.log(`${ended(result)} ${title} (${seconds(began)})`);
    return result;
  } finally {
    clearInterval(beat);
  }
}
