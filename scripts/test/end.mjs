// Loaded into every process of tests. When nothing is left to do and all listeners have been told, the process ends at once: the
// runtime's own way out takes down handle by handle, and was seen to spin there for ever after all tests had passed.
process.once("beforeExit", () => process.once("exit", () => process.exit()));
