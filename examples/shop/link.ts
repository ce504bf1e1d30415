// How a process of the shop speaks with the supervisor that started it, when there is one (see supervise.ts).

/** What a process of the shop is for. */
export interface Duty {
  /** Feeds and sums up; the others only handle. */
  readonly leads: boolean;
  /** Whether the handler is mended already. */
  readonly mended: boolean;
  /** Whether a process before this one has begun the work and was killed. */
  readonly restarted: boolean;
  /** When the whole run began. */
  readonly beganMs: number;
}

/** What a process asks and tells. */
export interface Link {
  readonly duty: Duty;
  /** The services run. */
  ready(): void;
  /** Has the handler mended in every process; resolves when it is. */
  mend(): Promise<void>;
  /** Calls back when the handler is to be mended in this process. */
  onMend(mend: () => void): void;
  /** Resolves when no kill is to come any more; the summary may be printed. */
  mayFinish(): Promise<void>;
  close(): void;
}

export type FromShop = "ready" | "mend" | "done";
export type FromSupervisor = "mend" | "mended" | "finish";

/** The variable that tells a process its duty, as JSON. */
export const dutyVariable = "SHOP_DUTY";

/** The link of this process; one that is on its own answers itself. */
export function connect(stop: (reason: string) => void): Link {
  const duty = process.env[dutyVariable];
  return duty === undefined || !process.send ? alone() : supervised(JSON.parse(duty) as Duty, stop);
}

function alone(): Link {
  let mendHere = (): void => undefined;
  return {
    duty: { leads: true, mended: false, restarted: false, beganMs: Date.now() },
    ready() {},
    mend: async () => mendHere(),
    onMend: (mend) => (mendHere = mend),
    mayFinish: async () => undefined,
    close() {},
  };
}

function supervised(duty: Duty, stop: (reason: string) => void): Link {
  const listeners = new Map<FromSupervisor, () => void>();
  const receive = (message: FromSupervisor): void => listeners.get(message)?.();
  // A supervisor that was killed cannot stop us any more.
  const gone = (): void => stop("SIGTERM");
  process.on("message", receive);
  process.once("disconnect", gone);

  const tell = (message: FromShop): boolean | undefined => process.send?.(message);
  const ask = (question: FromShop, answer: FromSupervisor): Promise<void> =>
    new Promise((resolve) => {
      listeners.set(answer, resolve);
      tell(question);
    });
  return {
    duty,
    ready: () => void tell("ready"),
    mend: () => ask("mend", "mended"),
    onMend: (mend) => void listeners.set("mend", mend),
    mayFinish: () => ask("done", "finish"),
    close() {
      process.off("message", receive);
      process.off("disconnect", gone);
      if (process.connected) process.disconnect();
    },
  };
}
