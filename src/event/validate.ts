import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TidingsError } from "../errors/tidings-error.ts";
import type { Contract, VersionStep } from "./contract.ts";

type Result = StandardSchemaV1.Result<unknown>;

/**
 * What the current schema of a contract makes of the data. Throws TIDINGS_INVALID_PAYLOAD naming path, rule and
 * contract, TIDINGS_SCHEMA_ASYNC when the schema answers with a Promise, TIDINGS_SCHEMA_FAILED when it throws.
 */
export function validate(contract: Contract, data: unknown, moment: "publish" | "consume"): unknown {
  const result = check(contract, data, moment);
  if (result.issues) throw invalid(contract, result.issues, moment);
  return result.value;
}

/** The answer of the current schema of a contract. Throws TIDINGS_SCHEMA_ASYNC, TIDINGS_SCHEMA_FAILED. */
export function check(contract: Contract, data: unknown, moment: "publish" | "consume"): Result {
  const { schema } = contract.steps[contract.steps.length - 1] as VersionStep;
  let result: Result | Promise<Result>;
  try {
    result = schema["~standard"].validate(data);
  } catch (cause) {
    throw schemaFailed(contract, `threw on ${moment}: ${messageOf(cause)}`, cause);
  }
  // A foreign schema may answer with anything, whatever its type says.
  if (typeof result !== "object" || result === null) throw schemaFailed(contract, `answered with ${String(result)}.`);
  if ("then" in result) {
    // Nobody will look at this Promise again; without a handler its rejection would end the process.
    Promise.resolve(result).catch(() => undefined);
    throw new TidingsError(
      "TIDINGS_SCHEMA_ASYNC",
      `The schema of ${describe(contract)} answered with a Promise; use a schema that validates synchronously.`,
      { details: detailsOf(contract) },
    );
  }
  return result;
}

function schemaFailed(contract: Contract, what: string, cause?: unknown): TidingsError {
  return new TidingsError("TIDINGS_SCHEMA_FAILED", `The schema of ${describe(contract)} ${what}`, {
    cause,
    details: detailsOf(contract),
  });
}

function invalid(contract: Contract, issues: readonly StandardSchemaV1.Issue[], moment: string): TidingsError {
  const shown = Array.from(issues, (issue) => `${pathText(keysOf(issue))}: ${issue.message}`).slice(0, 5);
  const more = issues.length > shown.length ? ` (and ${issues.length - shown.length} more)` : "";
  return new TidingsError(
    "TIDINGS_INVALID_PAYLOAD",
    `The payload does not fit ${describe(contract)} on ${moment}: ${shown.join("; ")}${more}`,
    {
      details: {
        ...detailsOf(contract),
        path: pathText(keysOf(issues[0])),
        rule: issues[0]?.message ?? "",
        issues: issues.length,
      },
    },
  );
}

/** The property names and indexes that lead to what an issue is about. */
export function keysOf(issue: StandardSchemaV1.Issue | undefined): readonly PropertyKey[] {
  // Array.from, because libraries bring arrays of their own kinds whose map makes strange copies (arktype's does).
  return Array.from(issue?.path ?? [], (segment) => (typeof segment === "object" ? segment.key : segment));
}

/** A path as it would stand in a program: `data.items[0].sku`. */
export function pathText(keys: readonly PropertyKey[]): string {
  let path = "data";
  for (const key of keys) {
    if (typeof key === "number") path += `[${key}]`;
    else if (typeof key === "string" && !/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)) {
      path += `[${JSON.stringify(key)}]`;
    } else path += `.${String(key)}`;
  }
  return path;
}

/** `"shop.order.placed" version 2 of topic "orders"`, for messages. */
export function describe(contract: Contract): string {
  return `"${contract.type}" version ${contract.dataVersion} of topic "${contract.topic.name}"`;
}

/** The names of a contract, for the details of an error. */
export function detailsOf(contract: Contract): { type: string; version: number; topic: string } {
  return { type: contract.type, version: contract.dataVersion, topic: contract.topic.name };
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
