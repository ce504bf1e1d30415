export { type Context, service, topic } from "tidings";
import { hasCode } from "../../src/errors/tidings-error.ts";
import type { ErrorCode } from "../../src/errors/codes.ts";

/** Whether it is a tidings error of this code. */
export const hasCodeOf = (error: unknown, code: ErrorCode): boolean => hasCode(error, code);
