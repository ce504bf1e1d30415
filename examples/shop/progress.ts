// A word now and then about how far the run is, on stderr: a live line in a terminal, otherwise a line every few seconds.
import type { App } from "tidings";

const whole = new Intl.NumberFormat("en-US");
const beatMs = { live: 100, lines: 3000 };

export class Progress {
  readonly #began = performance.now();
  readonly #live = process.stderr.isTTY;
  readonly #app: App;
  #doing = "";
  #timer: NodeJS.Timeout | undefined;
  #busy = false;
  #shown = false;

  constructor(app: App) {
    this.#app = app;
    this.#timer = setInterval(() => void this.#beat(), this.#live ? beatMs.live : beatMs.lines);
    this.#timer.unref();
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
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#clear();
  }

  async #beat(): Promise<void> {
    // Asking takes a moment on a large file; one question at a time.
    if (this.#busy) return;
    this.#busy = true;
    try {
      const { published, subscriptions } = await this.#app.totals();
      const sum = (name: "handled" | "pending" | "deadLetters"): string =>
        whole.format(subscriptions.reduce((total, subscription) => total + subscription[name], 0));
      const seconds = ((performance.now() - this.#began) / 1000).toFixed(0);
      this.#show(
        `${seconds.padStart(3)} s  ${this.#doing}: ${whole.format(published)} events, ${sum("handled")} handled, ` +
          `${sum("pending")} pending, ${sum("deadLetters")} dead letters`,
      );
    } catch {
      // The application is stopping, or has failed: whoever runs it says so.
    } finally {
      this.#busy = false;
    }
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
