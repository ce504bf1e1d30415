import { constants, open } from "node:fs/promises";
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
 * The password in a file as it stands there now, without a byte order mark and the end of its line: read for each connection, so that a password
 * which is replaced holds from the next one on. `address` is for the error. Throws TIDINGS_CREDENTIALS_UNAVAILABLE.
 */
export async function passwordIn(file: string, address: string): Promise<string> {
  let text: string;
  try {
    text = await secretIn(file);
  } catch (cause) {
    const { code = "unknown" } = cause as { code?: string };
    throw unavailable(`the file ${file} cannot be read (${code})`, address, cause);
  }
  // Some editors begin with a mark of the encoding.
  const password = text.replace(/^\uFEFF/, "").replace(/\r?\n$/, "");
  if (password === "") throw unavailable(`the file ${file} is empty`, address);
  return password;
}

/** What a file says, without waiting for ever where it is none: nobody may ever write to a named pipe. Throws what the system says. */
export async function secretIn(file: string): Promise<string> {
  // Windows has no such flag, and no such files.
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!(await handle.stat()).isFile()) throw Object.assign(new Error("It is no file."), { code: "no file" });
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

function unavailable(why: string, address: string, cause?: unknown): TidingsError {
  return new TidingsError(
    "TIDINGS_CREDENTIALS_UNAVAILABLE",
    `There is no password for ${address}: ${why}. It is read again.`,
    { ...(cause === undefined ? {} : { cause }), details: { address, option: "passwordFile" } },
  );
}
