import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inspect } from "node:util";

import { passwordIn } from "../../src/lib/password-file.ts";
import { temporaryFolder } from "../examples/shop.ts";

describe("the password in a file", () => {
  for (const [what, text, password] of [
    ["is all of it", " it's a \u00FC: secret ", " it's a \u00FC: secret "],
    ["is without the end of its line", "secret\n", "secret"],
    ["is without the end of a line of Windows", "secret\r\n", "secret"],
    ["is without the byte order mark that some editors write", "\uFEFFsecret\r\n", "secret"],
  ] as const)
    it(what, async (t) => {
      const file = join(temporaryFolder(t), "password");
      writeFileSync(file, text);
      assert.equal(await passwordIn(file, "redis://host"), password);
    });

  for (const [what, make, why] of [
    ["is empty, as one is for a moment that is written anew", (file: string) => writeFileSync(file, ""), /is empty/],
    ["has nothing but the end of a line", (file: string) => writeFileSync(file, "\n"), /is empty/],
    ["is a folder", (file: string) => mkdirSync(file), /cannot be read/],
    ["is not there", () => undefined, /cannot be read \(ENOENT\)/],
    ["is a pipe that nobody writes to", (file: string) => execFileSync("mkfifo", [file]), /cannot be read \(no file\)/],
  ] as const)
    it(
      `is refused at once with a code to be tried again where the file ${what}`,
      { skip: process.platform === "win32" },
      async (t) => {
        const file = join(temporaryFolder(t), "password");
        make(file);
        await assert.rejects(
          passwordIn(file, "redis://host"),
          (error: Error & { code?: string; retryable?: boolean }) => {
            assert.equal(error.code, "TIDINGS_CREDENTIALS_UNAVAILABLE");
            assert.equal(error.retryable, true);
            assert.match(error.message, why);
            assert.ok(inspect(error).includes(file));
            return true;
          },
        );
      },
    );
});
