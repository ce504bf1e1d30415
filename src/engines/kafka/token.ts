import { TidingsError } from "../../errors/tidings-error.ts";
import { messageOf } from "../../event/validate.ts";
import { secretIn } from "../../lib/password-file.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Settings } from "./options.ts";

/** What RFC 6750 lets a bearer token be made of: nothing with which another field could be begun. */
const bearer = /^[A-Za-z0-9._~+/-]+=*$/;

/** Asks whoever gives tokens: the function or the file of the options, anew each time. */
export class Tokens {
  readonly #settings: Settings;
  readonly #clock: Clock;
  #asked: Promise<string> | undefined;
  #last: string | undefined;

  constructor(settings: Settings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** A token; those who ask at once are given the same. Throws TIDINGS_CREDENTIALS_UNAVAILABLE. */
  next(): Promise<string> {
    this.#asked ??= this.#next().finally(() => (this.#asked = undefined));
    return this.#asked;
  }

  /** The text without any token. */
  hide(text: string): string {
    const known = this.#last === undefined ? text : text.replaceAll(this.#last, "***");
    return known.replace(/\beyJ[\w-]+(\.[\w-]*)*/g, "***");
  }

  async #next(): Promise<string> {
    const { tokenFile } = this.#settings;
    const given: unknown = await this.#inTime(tokenFile === undefined ? this.#called() : this.#read(tokenFile));
    if (typeof given !== "string" || given === "") throw this.#unavailable(`${this.#giver()} gave none`);
    if (!bearer.test(given)) throw this.#unavailable(`what ${this.#giver()} gave cannot be one`);
    this.#last = given;
    return given;
  }

  async #called(): Promise<unknown> {
    try {
      return await this.#settings.token?.();
    } catch (error) {
      throw this.#unavailable(`${this.#giver()} threw: ${messageOf(error)}`, error);
    }
  }

  async #read(file: string): Promise<string> {
    try {
      return (await secretIn(file)).trim();
    } catch (error) {
      throw this.#unavailable(`${this.#giver()} cannot be read (${(error as { code?: string }).code ?? "unknown"})`, error); // prettier-ignore
    }
  }

  /** A connection is not held up for longer than it may take to be made. */
  #inTime<Given>(asked: Promise<Given>): Promise<Given> {
    const { connectTimeoutMs } = this.#settings;
    return new Promise((resolve, reject) => {
      const late = (): void => reject(this.#unavailable(`${this.#giver()} gave none within ${connectTimeoutMs} ms`));
      const cancel = this.#clock.after(connectTimeoutMs, late);
      asked.then(resolve, reject).finally(cancel);
    });
  }

  #giver(): string {
    const { tokenFile } = this.#settings;
    return tokenFile === undefined ? 'the function of the option "token"' : `the file ${tokenFile}`;
  }

  #unavailable(why: string, cause?: unknown): TidingsError {
    const { address } = this.#settings;
    const hidden = this.hide(why);
    return new TidingsError(
      "TIDINGS_CREDENTIALS_UNAVAILABLE",
      `There is no token for the brokers of ${address}: ${hidden.replace(/[.\s]+$/, "")}. It is asked for again.`,
      // What was thrown may be shown with all that it holds.
      { ...(cause === undefined || hidden !== why ? {} : { cause }), details: { address } },
    );
  }
}
