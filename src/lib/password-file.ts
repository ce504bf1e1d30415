import { readFile } from "node:fs/promises";
import { TidingsError } from "../errors/tidings-error.ts";
import { invalidOption } from "./options.ts";

/** Refuses a `passwordFile` that is no path, or beside a password in the address. Throws TIDINGS_INVALID_OPTION. */
export function checkPasswordFile(where: string, file: unknown, password: string | undefined): void {
  if (file === undefined) return;
  if (typeof file !== "string" || file === "") throw invalidOption(where, "passwordFile", "is the path of a file");
  if (password !== undefined && password !== "")
    throw invalidOption(where, "passwordFile", "stands for the password: leave that out of the address");
}

/**
 * The password in a file as it stands there now, without the end of its line: read for each connection, so that a password
 * which is replaced holds from the next one on. `address` is for the error. Throws TIDINGS_CREDENTIALS_UNAVAILABLE.
 */
export async function passwordIn(file: string, address: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const { code = "unknown" } = cause as { code?: string };
    throw unavailable(`the file ${file} cannot be read (${code})`, address, cause);
  }
  const password = text.replace(/\r?\n$/, "");
  if (password === "") throw unavailable(`the file ${file} is empty`, address);
  return password;
}

function unavailable(why: string, address: string, cause?: unknown): TidingsError {
  return new TidingsError(
    "TIDINGS_CREDENTIALS_UNAVAILABLE",
    `There is no password for ${address}: ${why}. It is read again.`,
    { ...(cause === undefined ? {} : { cause }), details: { address, option: "passwordFile" } },
  );
}
