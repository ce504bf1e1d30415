/** Milliseconds of a clock that all processes of the machine share: CLOCK_MONOTONIC on Linux. */
export function sharedMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
