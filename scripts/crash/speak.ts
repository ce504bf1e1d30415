// How a process that is to be killed speaks with its supervisor: lines on its standard output, which the kernel keeps
// when the process dies.

export function taskOfThisProcess<Task>(): Task & { readonly last: boolean } {
  return JSON.parse(process.argv[2] ?? "{}") as Task & { last: boolean };
}

export function ready(): void {
  process.stdout.write("ready\n");
}

let acknowledged: number[] = [];

/** Reports an acknowledged publish, together with those of the same moment. */
export function acknowledge(...numbers: readonly number[]): void {
  if (acknowledged.length === 0) queueMicrotask(report);
  acknowledged.push(...numbers);
}

function report(): void {
  process.stdout.write(`ack ${acknowledged.join(" ")}\n`);
  acknowledged = [];
}
