import type { ChecksumsResult } from "../children/checksums.ts";
import { lineOf } from "../lib/line.ts";
import { alternate, keys, type Measurement } from "../lib/run.ts";
import { embedded } from "../lib/settings.ts";
import { median, rounded } from "../lib/stats.ts";

/** What verifying the checksum of each record costs, of the time that reading takes. */
export const checksums: Measurement = {
  name: "checksums",
  async run(run) {
    const events = run.size(200_000, 1000);
    const folder = await run.filled(events);
    const { tidings = [] } = await alternate(run, "checksums", {
      tidings: () => run.in<ChecksumsResult>(folder, "checksums", {}),
    });
    return [
      lineOf({
        name: "checksums",
        unit: "share of reading",
        better: "lower",
        values: tidings.map(({ share }) => share),
        settings: {
          ...embedded,
          keys,
          events,
          readMicrosPerEvent: rounded(median(tidings.map((each) => each.readMicrosPerEvent))),
          checksumMicrosPerEvent: rounded(median(tidings.map((each) => each.checksumMicrosPerEvent))),
          reading: "pages of 512 events through the topics port, without decoding or handlers",
        },
      }),
    ];
  },
};
