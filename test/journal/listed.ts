import { type Service, service, topic } from "tidings";
import { z } from "zod";

export const things = topic("things", { key: (data: { key: string }) => data.key, partitions: 4 });
export const Happened = things.event("thing.happened", { data: z.object({ key: z.string(), n: z.number() }) });

/** Tells of each event that it handles. */
export const lister = (tell: (key: string, n: number) => void): Service =>
  service("lister", { from: "start", guarantee: "at-least-once", onFailure: "blockPartition" }).on(
    Happened,
    ({ data }) => tell(data.key, data.n),
  );
