import { crc32 } from "node:zlib";
import { commitFunction, leaseFunctions, topicFunctions } from "./commit.ts";
import { retentionFunctions } from "./retention.ts";
import { tables } from "./tables.ts";
import { eventView } from "./view.ts";

/** Step n takes a schema from version n to n + 1. Steps are never changed once released, only added. */
export const migrations: readonly string[] = [
  tables + commitFunction + leaseFunctions + topicFunctions + retentionFunctions + eventView,
];

/** Version of the schemas that this code writes. */
export const schemaVersion = migrations.length;

/** The first of the two numbers of our advisory locks, so that two schemas do not wait for each other. */
export const lockOf = (schema: string): number => crc32(`tidings ${schema}`) | 0;

/** A step with the names filled in. */
export const sqlOf = (step: string, schema: string): string =>
  step.replaceAll("{schema}", `"${schema}"`).replaceAll("{lock}", String(lockOf(schema)));
