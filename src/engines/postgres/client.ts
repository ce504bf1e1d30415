import { TidingsError } from "../../errors/tidings-error.ts";
import type pg from "pg";
import { passwordIn } from "../../lib/password-file.ts";
import type { Settings } from "./options.ts";

/** The client library, loaded when an engine is opened: it is an optional peer. */
export async function loadClient(): Promise<typeof pg> {
  try {
    const loaded = (await import("pg")) as unknown as { default: typeof pg };
    return loaded.default;
  } catch (cause) {
    if ((cause as { code?: string }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new TidingsError("TIDINGS_CLIENT_MISSING", 'The Postgres engine needs the package "pg": npm install pg', {
      cause,
      details: { engine: "postgres", package: "pg" },
    });
  }
}

/** The client's class, or one that asks for the password at each connection where that stands in a file. */
export function clientWith({ Client }: typeof pg, { passwordFile, address }: Settings): typeof pg.Client {
  if (passwordFile === undefined) return Client;
  const password = (): Promise<string> => passwordIn(passwordFile, address);
  return class extends Client {
    constructor(config?: string | pg.ClientConfig) {
      super(config);
      // What it takes as an option is put out by the address beside it.
      Object.assign(this, { password });
    }
  };
}

/**
 * Begins a transaction that sees what others have committed until then, whatever the role, the database or a pooler has as
 * the default: what stands under a lock is looked at only when one has the lock.
 */
export const begin = "BEGIN ISOLATION LEVEL READ COMMITTED";

const bigint = 20;
const bigintArray = 1016;
const integerArray = 1007;

/** Positions, versions and times fit a number; the client gives texts for what might not. */
export const types = {
  getTypeParser(oid: number, format?: string): (text: string) => unknown {
    if (format !== "binary") {
      if (oid === bigint) return Number;
      if (oid === bigintArray || oid === integerArray) return numbersOf;
    }
    return parserOf(oid);
  },
};

const boolean = 16;
const integers = new Set([20, 21, 23, 26]);
const floats = new Set([700, 701]);

function parserOf(oid: number): (text: string) => unknown {
  if (oid === boolean) return (text) => text === "t";
  if (integers.has(oid) || floats.has(oid)) return Number;
  return (text) => text;
}

/** `{1,2,NULL}` */
function numbersOf(text: string): (number | null)[] {
  if (text === "{}") return [];
  return text
    .slice(1, -1)
    .split(",")
    .map((item) => (item === "NULL" ? null : Number(item)));
}
