// Where the processes of a scenario open their file.

/** Small, so that kills find the log of SQLite at every stage. */
export const small = "checkpointBytes=131072&walRestartBytes=524288&walBytesMax=1048576";

/** The url of a file, through the library that this process was told to use. */
export function urlOf(file: string, settings = ""): string {
  const driver = process.env["TIDINGS_CRASH_DRIVER"];
  const all = [settings, ...(driver === undefined ? [] : [`binding=${driver}`])].filter(Boolean).join("&");
  return `sqlite:${file}${all && `?${all}`}`;
}
