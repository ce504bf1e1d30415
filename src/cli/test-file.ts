import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { TidingsError } from "../errors/tidings-error.ts";
import { messageOf } from "../event/validate.ts";

/**
 * What a test file of a user exports by default: services and a workload. Throws TIDINGS_NOT_FOUND,
 * TIDINGS_INVALID_INPUT when it cannot be loaded or has no such export.
 */
export async function loadTestFile(path: string): Promise<Readonly<Record<string, unknown>>> {
  const file = resolve(path);
  if (!existsSync(file))
    throw new TidingsError("TIDINGS_NOT_FOUND", `There is no file ${path}.`, { details: { path } });
  let module: { readonly default?: unknown };
  try {
    module = (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
  } catch (cause) {
    throw new TidingsError("TIDINGS_INVALID_INPUT", `The file ${path} cannot be loaded: ${messageOf(cause)}.`, {
      cause,
      details: { path },
    });
  }
  const found = module.default;
  if (typeof found === "object" && found !== null && "services" in found && "workload" in found)
    return Object.fromEntries(Object.entries(found));
  throw new TidingsError(
    "TIDINGS_INVALID_INPUT",
    `The file ${path} must export what is to be tested: export default { services: [...], workload: async ({ publish }) => { ... } }.`,
    { details: { path } },
  );
}
