/** "tdng" as a big-endian integer: how SQLite tools and we tell our files from others. */
export const applicationId = 0x74646e67;

const tables = `
CREATE TABLE tidings_topic (name TEXT PRIMARY KEY, partitions INTEGER NOT NULL, created_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE tidings_log (
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL,
  first INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, partition)
);
CREATE TABLE tidings_chunk (
  id INTEGER PRIMARY KEY, log INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL,
  appended_ms INTEGER NOT NULL, checksum INTEGER NOT NULL, header TEXT NOT NULL, body TEXT NOT NULL
);
CREATE UNIQUE INDEX tidings_chunk_place ON tidings_chunk (log, last);
CREATE TABLE tidings_published_id (
  source TEXT NOT NULL, id TEXT NOT NULL, hash TEXT NOT NULL, log INTEGER NOT NULL, position INTEGER NOT NULL,
  at_ms INTEGER NOT NULL, PRIMARY KEY (source, id)
) WITHOUT ROWID;
CREATE INDEX tidings_published_id_age ON tidings_published_id (at_ms);
CREATE TABLE tidings_document (
  collection TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, checksum INTEGER NOT NULL,
  value TEXT NOT NULL, UNIQUE (collection, key)
);
CREATE TABLE tidings_timer (
  id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, key TEXT NOT NULL, due_ms INTEGER NOT NULL,
  checksum INTEGER NOT NULL, payload TEXT NOT NULL, UNIQUE (queue, key)
);
CREATE INDEX tidings_timer_due ON tidings_timer (queue, due_ms);
CREATE TABLE tidings_lease (
  name TEXT PRIMARY KEY, owner TEXT, token INTEGER NOT NULL, expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE tidings_counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`;

/** One column of the view: a list with a value per event, or one value that all events of the chunk share. */
const shared = (name: string): string => `
  CASE json_type(chunk.header, '$.${name}') WHEN 'array' THEN chunk.header ->> ('$.${name}[' || item.key || ']')
    ELSE chunk.header ->> '$.${name}' END`;
const instant = (ms: string): string => `strftime('%Y-%m-%dT%H:%M:%fZ', ${ms} / 1000.0, 'unixepoch')`;

/** For people with a SQLite tool. A chunk whose payloads are not all JSON shows its events without those payloads. */
const eventView = `
CREATE VIEW tidings_event AS
SELECT log.topic, log.partition, chunk.last - chunk.count + 1 + item.key AS position, item.value AS id,
  ${shared("source")} AS source, ${shared("type")} AS type,
  ${instant(`(chunk.header ->> ('$.time[' || item.key || ']'))`)} AS time,
  chunk.header ->> ('$.key[' || item.key || ']') AS key,
  CASE coalesce(chunk.header ->> ('$.kind[' || item.key || ']'), 0)
    WHEN 0 THEN CASE WHEN json_valid(chunk.body) AND json_array_length(chunk.body) = chunk.count
      THEN chunk.body -> ('$[' || item.key || ']') END
    WHEN 3 THEN NULL
    ELSE CASE WHEN json_valid(chunk.body) AND json_array_length(chunk.body) = chunk.count
      THEN chunk.body ->> ('$[' || item.key || ']') END
  END AS data,
  nullif(chunk.header -> ('$.attributes[' || item.key || ']'), 'null') AS attributes,
  ${instant("chunk.appended_ms")} AS appended
FROM tidings_log AS log JOIN tidings_chunk AS chunk ON chunk.log = log.id JOIN json_each(chunk.header, '$.id') AS item;
`;

/** Step n takes a file from version n to n + 1. Steps are never changed once released, only added. */
export const migrations: readonly string[] = [tables, eventView];

/** Schema version of the files that this code writes. */
export const schemaVersion = migrations.length;
