import type { EventRecord } from "../event/record.ts";
import type { ParkedRecord } from "./documents.ts";

/** An event as JSON, so that its exact bytes come back. */
export function parkedRecordOf({ data, attributes, ...rest }: EventRecord): ParkedRecord {
  return {
    ...rest,
    ...(attributes ? { attributes } : {}),
    ...(typeof data === "string" ? { data } : data ? { dataBase64: Buffer.from(data).toString("base64") } : {}),
  };
}

/** The event that `parkedRecordOf` wrote. */
export function recordOfParked({ data, dataBase64, attributes, ...rest }: ParkedRecord): EventRecord {
  const bytes = dataBase64 === undefined ? undefined : new Uint8Array(Buffer.from(dataBase64, "base64"));
  return { ...rest, attributes, data: bytes ?? data };
}
