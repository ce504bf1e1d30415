/**
 * The tables. `{schema}` stands for the quoted name of the schema.
 *
 * - Keys and names are compared by bytes (`COLLATE "C"`), as on every other engine.
 * - `log` is one partition of a topic. Its row is locked by whoever appends until the commit, and not changed by it: where
 *   the next event goes is read from the newest chunk. An append therefore leaves no dead row, and an old transaction
 *   somewhere in the cluster, which keeps dead rows from being removed, does not make it slower.
 * - `chunk` is partitioned by segment: the chunks that a topic got between two rotations. Each log begins in each segment
 *   with a row without events. Retention moves `log.first` and
 *   drops the tables of segments of which nothing is left.
 */
export const tables = `
CREATE TABLE {schema}.meta (name text PRIMARY KEY, value text NOT NULL);
INSERT INTO {schema}.meta VALUES ('store', gen_random_uuid()::text);

CREATE TABLE {schema}.topic (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE,
  partitions integer NOT NULL, created_ms bigint NOT NULL
);
CREATE TABLE {schema}.log (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic integer NOT NULL REFERENCES {schema}.topic,
  partition integer NOT NULL, first bigint NOT NULL DEFAULT 0, segment integer NOT NULL, UNIQUE (topic, partition)
) WITH (fillfactor = 50);
CREATE TABLE {schema}.segment (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic integer NOT NULL REFERENCES {schema}.topic,
  created_ms bigint NOT NULL
);
CREATE TABLE {schema}.segment_log (
  log integer NOT NULL REFERENCES {schema}.log, segment integer NOT NULL REFERENCES {schema}.segment ON DELETE CASCADE,
  first bigint NOT NULL, PRIMARY KEY (log, segment)
);
CREATE TABLE {schema}.chunk (
  segment integer NOT NULL, log integer NOT NULL, last bigint NOT NULL, count integer NOT NULL,
  appended_ms bigint NOT NULL, checksum bigint NOT NULL, header text NOT NULL, body text NOT NULL
) PARTITION BY LIST (segment);

CREATE TABLE {schema}.published_id (
  source text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, hash text NOT NULL, log integer NOT NULL,
  position bigint NOT NULL, at_ms bigint NOT NULL, PRIMARY KEY (source, id)
);
CREATE INDEX published_id_age ON {schema}.published_id (at_ms);

CREATE TABLE {schema}.document (
  collection text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, version bigint NOT NULL,
  checksum bigint NOT NULL, value text NOT NULL, PRIMARY KEY (collection, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE TABLE {schema}.timer (
  queue text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, due_ms bigint NOT NULL,
  version bigint GENERATED ALWAYS AS IDENTITY, checksum bigint NOT NULL, payload text NOT NULL, PRIMARY KEY (queue, key)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX timer_due ON {schema}.timer (queue, due_ms, version);
CREATE TABLE {schema}.lease (
  name text COLLATE "C" PRIMARY KEY, owner text, token bigint NOT NULL, expires_ms bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- Rises with each commit that writes documents, for those who cannot listen. Never rolled back, never waited for.
CREATE SEQUENCE {schema}.writes;

-- The clock of leases and appends: that of the server, whatever the clocks of the members say.
CREATE FUNCTION {schema}.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;
`;

/** What makes a checksum cover where a row stands, computed here and in `checksums.ts` alike. */
export const placement = {
  chunk: (log: string, last: string, count: string, appended: string): string =>
    `((${log}::bigint * 40503 + (${last}) % 1000000007 * 97 + ${count} * 31 + ${appended}) % 4294967296)`,
  document: (version: string): string => `((${version}) % 1000000007 * 40503 % 4294967296)`,
};
