import { fileBytes } from "./place.ts";

/** How much the write-ahead log holds, as far as it can be known without asking SQLite. */
export interface WalGauge {
  /** About so much was written. */
  wrote(bytes: number): void;
  /** What the log holds now. */
  bytes(): number;
  /** By how much it has grown since the last checkpoint was asked for or answered. */
  grown(): number;
  /** A checkpoint is asked for. */
  asked(): void;
  /** It was answered: so much the log held at its end. */
  answered(bytes: number): void;
}

/**
 * Guesses by what is written as long as the log overwrites its file from the beginning; when the file itself
 * grows, its size is what the log holds, so that the file never gets past the cap by a wrong guess.
 */
export function walGauge(path: string): WalGauge {
  let known = 0;
  let knownAt = 0;
  let written = 0;
  let writtenWhenAsked = 0;
  let bytesWhenAsked = 0;
  let file = fileBytes(path);
  const bytes = (): number => known + written - knownAt;

  return {
    wrote(more) {
      written += more;
      const size = fileBytes(path);
      if (size > file) {
        known = size;
        knownAt = written;
      }
      file = size;
    },
    bytes,
    grown: () => bytes() - bytesWhenAsked,
    asked() {
      writtenWhenAsked = written;
      bytesWhenAsked = bytes();
    },
    answered(held) {
      known = held;
      knownAt = writtenWhenAsked;
      bytesWhenAsked = held;
    },
  };
}
