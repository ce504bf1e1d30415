/** What stands behind a code: one line for people, whether a retry may help, and the CLI's exit status. */
export interface ErrorEntry {
  readonly summary: string;
  readonly retryable: boolean;
  /** Exit status of the CLI, see docs/cli.md. */
  readonly exit: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
}

const entry = (summary: string, exit: ErrorEntry["exit"], retryable = false): ErrorEntry =>
  Object.freeze({ summary, exit, retryable });

/** Every stable code. docs/reference/errors.md lists the same codes; a test compares both ways. */
export const errorCatalogue = Object.freeze({
  // Contracts and payloads
  TIDINGS_INVALID_NAME: entry(
    "A name of a topic, service, event type or member has characters that are not allowed.",
    2,
  ),
  TIDINGS_INVALID_OPTION: entry("An option is unknown or has a value of the wrong kind.", 2),
  TIDINGS_INVALID_ARGUMENT: entry("An argument is not what the function takes.", 2),
  TIDINGS_INVALID_PAYLOAD: entry("A payload does not fit the schema of its event type.", 2),
  TIDINGS_SCHEMA_ASYNC: entry("A schema answered with a Promise; schemas must validate synchronously.", 2),
  TIDINGS_SCHEMA_FAILED: entry("A schema threw instead of answering.", 2),
  TIDINGS_DUPLICATE_EVENT_TYPE: entry("Two contracts of one topic have the same event type.", 2),
  TIDINGS_DUPLICATE_HANDLER: entry("A service has two handlers for one event type.", 2),
  TIDINGS_KEY_FUNCTION: entry("The key function of a topic threw or did not return a string.", 2),
  TIDINGS_EVENT_TOO_LARGE: entry("An event is larger than the limit.", 2),
  TIDINGS_EVENT_TOO_DEEP: entry("A payload is nested deeper than the limit.", 2),
  TIDINGS_FORBIDDEN_PROPERTY: entry("A payload holds a property name that is refused, such as __proto__.", 2),
  TIDINGS_NOT_SERIALIZABLE: entry("A payload cannot be written as JSON.", 2),
  TIDINGS_DECODE_FAILED: entry("The stored bytes of an event cannot be decoded.", 9),
  TIDINGS_NO_UPCASTER: entry("A stored version has no upcaster to the current version.", 2),
  TIDINGS_UNKNOWN_VERSION: entry("A stored event has a version newer than this contract knows.", 2),
  TIDINGS_UPCAST_FAILED: entry("An upcaster threw or returned something that is not data.", 2),
  TIDINGS_ID_CONFLICT: entry("An event with this id exists with another payload.", 5),
  // Start
  TIDINGS_UNKNOWN_ENGINE: entry("The scheme of an engine URL is not known.", 2),
  TIDINGS_CLIENT_MISSING: entry("The client package of an engine is not installed.", 2),
  TIDINGS_UNSUPPORTED: entry("The engine cannot do what the application asks for.", 2),
  TIDINGS_NODE_TOO_OLD: entry("The version of Node.js is too old.", 2),
  TIDINGS_SQLITE_UNSAFE: entry("The SQLite library in use has a known fault that loses data.", 2),
  TIDINGS_SUBSCRIPTION_CONFLICT: entry("Two live definitions of one subscription and epoch differ.", 5),
  TIDINGS_SUBSCRIPTION_START: entry("A new subscription does not say where it begins.", 2),
  TIDINGS_PARTITIONS_CHANGED: entry("A topic exists with another number of partitions.", 5),
  TIDINGS_NOT_STARTED: entry("The application is not started, or is stopped.", 1),
  TIDINGS_ALREADY_STARTED: entry("The application was started before.", 1),
  // Publishing and handling
  TIDINGS_PUBLISH_IN_HANDLER: entry("app.publish was called inside a handler.", 2),
  TIDINGS_HANDLER_ENDED: entry("A unit of work was used after its handler had ended.", 2),
  TIDINGS_OVERLOADED: entry("A limit is reached; the publish is refused and may be tried again.", 6, true),
  TIDINGS_HANDLER_TIMEOUT: entry("A handler ran longer than it may.", 6, true),
  TIDINGS_BREAKER_OPEN: entry("A circuit breaker is open, so something was not called.", 6, true),
  TIDINGS_OUTBOX_STUCK: entry("What handlers have published does not get from the store to the broker.", 7),
  TIDINGS_RATE_LIMITED: entry("A rate is used up, so something was not called.", 6, true),
  TIDINGS_STALLED: entry("The process died while it handled this event, several times.", 1),
  TIDINGS_CONFLICT: entry("Something that was read has changed before the commit.", 5, true),
  TIDINGS_FENCED: entry("This member no longer owns the partition.", 5, true),
  TIDINGS_UNMATCHED: entry("No handler of this version takes the event.", 1),
  TIDINGS_HANDLER_FAILED: entry("A handler threw something.", 1, true),
  TIDINGS_DRAIN_TIMEOUT: entry("Stopping took longer than the deadline; unfinished deliveries will be repeated.", 6),
  TIDINGS_TRANSACTION_MISUSE: entry("User SQL in a unit of work began, committed or awaited something.", 2),
  // Storage
  TIDINGS_DISK_FULL: entry("The disk is full.", 6, true),
  TIDINGS_DISK_FAILED: entry("A write or sync to the disk failed; the engine has stopped.", 6),
  TIDINGS_READ_ONLY: entry("The file or its folder cannot be written.", 4),
  TIDINGS_PATH_UNUSABLE: entry("The path of the file cannot be used.", 2),
  TIDINGS_NOT_OUR_FILE: entry("The file is not a tidings file.", 2),
  TIDINGS_FILE_TOO_NEW: entry("The file was written by a newer version of tidings.", 2),
  TIDINGS_FILE_CORRUPT: entry("The file is damaged.", 9),
  TIDINGS_RECORD_CORRUPT: entry("A stored record does not match its checksum.", 9),
  TIDINGS_BUSY: entry("Another process holds the file's write lock for too long.", 6, true),
  TIDINGS_MIXED_SQLITE: entry("The file is already open in this process through another SQLite library.", 2),
  TIDINGS_UNREACHABLE: entry("The server of an engine cannot be reached.", 6, true),
  TIDINGS_ACCESS_DENIED: entry("The server refuses the credentials, or the role lacks a permission.", 4),
  TIDINGS_CREDENTIALS_UNAVAILABLE: entry("There is no token or password to show to the server.", 6, true),
  TIDINGS_SERVER_TOO_OLD: entry("The server is older than what the engine needs.", 2),
  TIDINGS_SERVER_UNSAFE: entry(
    "The server or the database is set so that what is acknowledged could be lost, or not be taken.",
    2,
  ),
  TIDINGS_STORE_REPLACED: entry(
    "The store is another one than before, or was set back; the process must be started again.",
    9,
  ),
  TIDINGS_STORE_MISMATCH: entry("The members of a subscription have different stores.", 5),
  TIDINGS_FOREIGN_SCHEMA: entry("The schema holds tables of another application.", 2),
  TIDINGS_SCHEMA_TOO_NEW: entry("The schema was made by a newer version of tidings.", 2),
  TIDINGS_CLOSED: entry("The engine is closed.", 6),
  TIDINGS_POSITION_LOST: entry("Events behind the first available position are gone by retention.", 7),
  TIDINGS_OUTCOME_UNKNOWN: entry("It is not known whether the write took effect.", 6, true),
  // Operators
  TIDINGS_NOT_FOUND: entry("There is nothing of this name or id.", 3),
  TIDINGS_USAGE: entry("The command line is wrong.", 2),
  TIDINGS_INVALID_INPUT: entry("An input line or file cannot be read.", 2),
  TIDINGS_NOT_PAUSABLE: entry("This cannot be paused or resumed in its present state.", 5),
  TIDINGS_BREAKER_STATE: entry("The circuit breaker is in this state already.", 5),
  TIDINGS_DEAD_LETTER_STATE: entry("The dead letter is not in a state that allows this.", 5),
  TIDINGS_NOTHING_SELECTED: entry("A filter selects no dead letters.", 3),
  TIDINGS_REDRIVE_STATE: entry("The redrive is not in a state that allows this.", 5),
  TIDINGS_REDRIVE_CONFLICT: entry("Another redrive covers some of these dead letters already.", 5),
  TIDINGS_REDRIVE_ABORTED: entry("A redrive was stopped by its abort rule or its canary.", 7),
  TIDINGS_REDRIVE_WAITING: entry("A redrive is not over, and nothing goes on with it now.", 6),
  TIDINGS_INVALID_PATCH: entry("A JSON Patch is malformed or does not fit what it changes.", 2),
  TIDINGS_KEY_CHANGED: entry("An edited payload makes another ordering key.", 5),
  TIDINGS_HELD_KEYS_OPEN: entry("A seek over held keys was refused.", 5),
  TIDINGS_NO_ANSWER: entry("The owner of a partition did not answer in time.", 6, true),
  TIDINGS_CONFIRMATION_NEEDED: entry("What was asked for is not done without confirmation.", 2),
  TIDINGS_PARTLY_DONE: entry("Some of what was asked for was refused.", 8),
  TIDINGS_DEAD_LETTERS: entry("Dead letters wait for somebody.", 7),
  TIDINGS_LAG_EXCEEDED: entry("A subscription lags more than the threshold.", 7),
  TIDINGS_VERIFY_FAILED: entry("A verification found problems.", 7),
  // Test kit
  TIDINGS_NOT_SETTLED: entry("The application under test did not come to rest.", 7),
  TIDINGS_EXPECTATION_FAILED: entry("An expectation of a scenario does not hold.", 7),
} satisfies Record<`TIDINGS_${string}`, ErrorEntry>);

/** A stable error code. */
export type ErrorCode = keyof typeof errorCatalogue;
