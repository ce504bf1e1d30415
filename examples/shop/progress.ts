// A word now and then about how far the run is, on stderr: a live line in a terminal, otherwise a line every few seconds.
import type { App } from "tidings";

const whole = new Intl.NumberFormat("en-US");
const liveMs = 100;
/** The first line comes soon, so that nobody waits in silence. */
const firstLineMs = 1000;
const linesMs = 3000;

export class Progress {
  readonly #began = performance.now();
  readonly #live = process.stderr.isTTY;
  readonly #app: App;
  #doing = "";
  #timer: NodeJS.Timeout | undefined;
  #shown = false;

  constructor(app: App) {
    this.#app = app;
    this.#timer = setTimeout(() => void this.#beat(), this.#live ? liveMs : firstLineMs);
  }

  /** What the run is about now. */
  doing(what: string): void {
    this.#doing = what;
  }

  /** A line that stays. */
  say(text: string): void {
    this.#clear();
    process.stderr.write(`${text}\n`);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#clear();
  }

  async #beat(): Promise<void> {
    try {
      this.#show(await this.#line());
    } catch {
      // The application is stopping, or has failed: whoever runs it says so.
    }
    if (this.#timer) this.#timer = setTimeout(() => void this.#beat(), this.#live ? liveMs : linesMs);
  }

  async #line(): Promise<string> {
    const { published, subscriptions } = await this.#app.totals();
    const sum = (name: "handled" | "pending" | "deadLetters"): string =>
      whole.format(subscriptions.reduce((total, subscription) => total + subscription[name], 0));
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(0).padStart(3);
    const counts = `${sum("handled")} handled, ${sum("pending")} pending, ${sum("deadLetters")} dead letters`;
    return `${seconds} s  ${this.#doing}: ${whole.format(published)} events, ${counts}`;
  }

  #show(line: string): void {
    if (!this.#timer) return;
    process.stderr.write(this.#live ? `\r\u001B[2K${line}` : `${line}\n`);
    this.#shown = true;
  }

  #clear(): void {
    if (this.#live && this.#shown) process.stderr.write("\r\u001B[2K");
    this.#shown = false;
  }
}
