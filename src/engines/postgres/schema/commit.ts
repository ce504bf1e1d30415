import { placement } from "./tables.ts";

const chunkPlace = placement.chunk("h.log", "h.next + c.behind", "c.count", "h.at");

/**
 * One commit group in one statement, so that it costs one round trip and one sync.
 *
 * All fences and checks are looked at first, under locks that are taken in one order by everybody. When one does not
 * hold, nothing is written and the indexes are answered; the caller tries again without what they belong to. What is found
 * only while writing raises TD001 (an id came in between) or TD002 (a document that was not there is there now): then
 * nothing is written either, and the caller looks again.
 *
 * Texts come as one bytea with their lengths: escaping them for an array costs more than storing them.
 *
 * A plan that is made while a table is empty would sort all chunks of a log to find the newest one, until autovacuum has
 * looked at the table: hence no bitmap scans.
 *
 * A connection may not know of a segment yet that it can see in `log`: the server tells connections of new tables a moment
 * after the transaction that made them is visible, and a transaction that was open before asks for such news only when it
 * takes a lock. Hence every segment begins with a row for each log: who does not find one must not place anything.
 *
 * A document that does not exist has no row to be locked. Whoever relies on that without writing it takes the lock of its
 * bucket alone; whoever may make a document takes it shared.
 */
export const commitFunction = `
-- Under a lock one must see what was committed before it was got. A transaction that sees the past only would place events
-- where others stand: a lock on a row that is not changed does not tell it so.
CREATE FUNCTION {schema}.sees_commits() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
    RAISE EXCEPTION USING ERRCODE = 'TD005', MESSAGE = 'the transaction is ' || current_setting('transaction_isolation') || ' and not read committed';
  END IF;
END $$;

CREATE FUNCTION {schema}.commit(
  durable boolean, lock_ms integer, known_history text, known_reached bigint,
  fence_leases text[], fence_tokens bigint[],
  absent_buckets integer[], insert_buckets integer[],
  lock_collections text[], lock_keys text[],
  check_collections text[], check_keys text[], check_versions bigint[],
  doc_collections text[], doc_keys text[], doc_kinds integer[], doc_steps integer[], doc_sums bigint[], doc_lengths integer[],
  timer_queues text[], timer_keys text[], timer_dues bigint[], timer_versions bigint[], timer_sums bigint[], timer_lengths integer[],
  id_sources text[], id_ids text[], id_hashes text[], id_logs integer[], id_behind integer[], id_window_ms bigint,
  logs integer[], log_counts integer[],
  chunk_logs integer[], chunk_behind integer[], chunk_counts integer[], chunk_sums bigint[],
  header_lengths integer[], body_lengths integer[],
  texts bytea,
  OUT bad_fences integer[], OUT bad_checks integer[], OUT found_versions bigint[],
  OUT nexts bigint[], OUT appended_ms bigint[], OUT at_ms bigint, OUT reached bigint
) LANGUAGE plpgsql SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
  segments integer[];
  offset_bytes integer := 1;
  touched bigint;
  waits text := current_setting('lock_timeout');
BEGIN
  PERFORM {schema}.sees_commits();
  -- A pooler keeps the connection when another server, or another state of it, takes the place of the one behind it.
  IF known_history IS NOT NULL AND NOT pg_is_in_recovery() THEN
    IF known_history <> left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) OR pg_current_wal_insert_lsn() - '0/0'::pg_lsn < known_reached THEN
      RAISE EXCEPTION USING ERRCODE = 'TD006', MESSAGE = 'this is another history of the store';
    END IF;
  END IF;
  at_ms := {schema}.now_ms();
  -- Commits that need not survive a power cut wait for no sync; all others do, whatever the role's settings say.
  IF NOT durable THEN PERFORM set_config('synchronous_commit', 'off', true);
  ELSIF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true);
  END IF;

  PERFORM set_config('lock_timeout', lock_ms::text, true);

  IF fence_leases IS NOT NULL THEN
    PERFORM 1 FROM {schema}.lease l WHERE l.name = ANY (fence_leases) ORDER BY l.name FOR SHARE;
    SELECT array_agg(f.place - 1) INTO bad_fences
      FROM unnest(fence_leases, fence_tokens) WITH ORDINALITY AS f(lease, token, place)
      LEFT JOIN {schema}.lease l ON l.name = f.lease AND l.owner IS NOT NULL AND l.token = f.token
      WHERE l.name IS NULL;
  END IF;
  IF absent_buckets IS NOT NULL OR insert_buckets IS NOT NULL THEN
    PERFORM CASE WHEN b.alone THEN pg_advisory_xact_lock({lock}, b.bucket) ELSE pg_advisory_xact_lock_shared({lock}, b.bucket) END
      FROM (SELECT bucket, bool_or(alone) AS alone FROM (
        SELECT unnest(absent_buckets) AS bucket, true AS alone UNION ALL SELECT unnest(insert_buckets), false
      ) AS wanted GROUP BY bucket ORDER BY bucket) AS b;
  END IF;
  IF lock_collections IS NOT NULL THEN
    PERFORM 1 FROM unnest(lock_collections, lock_keys) AS t(collection, key)
      JOIN {schema}.document d ON d.collection = t.collection AND d.key = t.key
      ORDER BY d.collection, d.key FOR UPDATE OF d;
  END IF;
  IF check_collections IS NOT NULL THEN
    SELECT array_agg(c.place - 1), array_agg(coalesce(d.version, 0)) INTO bad_checks, found_versions
      FROM unnest(check_collections, check_keys, check_versions) WITH ORDINALITY AS c(collection, key, version, place)
      LEFT JOIN {schema}.document d ON d.collection = c.collection AND d.key = c.key
      WHERE coalesce(d.version, 0) <> c.version;
  END IF;
  IF bad_fences IS NOT NULL OR bad_checks IS NOT NULL THEN RETURN; END IF;

  IF doc_collections IS NOT NULL THEN
    DELETE FROM {schema}.document d USING unnest(doc_collections, doc_keys, doc_kinds) AS t(collection, key, kind)
      WHERE t.kind = 0 AND d.collection = t.collection AND d.key = t.key;
    WITH given AS MATERIALIZED (
      SELECT t.*, convert_from(substring(texts FROM (offset_bytes + sum(t.length) OVER (ORDER BY t.place) - t.length)::integer FOR t.length), 'UTF8') AS value
      FROM unnest(doc_collections, doc_keys, doc_kinds, doc_steps, doc_sums, doc_lengths) WITH ORDINALITY AS t(collection, key, kind, step, content, length, place)
    ), fresh AS (
      INSERT INTO {schema}.document (collection, key, version, checksum, value)
      SELECT g.collection, g.key, g.step, g.content # ${placement.document("g.step")}, g.value FROM given g WHERE g.kind = 1
      ON CONFLICT (collection, key) DO NOTHING RETURNING 1
    ), known AS (
      UPDATE {schema}.document d SET version = d.version + g.step,
        checksum = g.content # ${placement.document("(d.version + g.step)")}, value = g.value
      FROM given g WHERE g.kind = 2 AND d.collection = g.collection AND d.key = g.key RETURNING 1
    ), any_way AS (
      INSERT INTO {schema}.document AS d (collection, key, version, checksum, value)
      SELECT g.collection, g.key, g.step, g.content # ${placement.document("g.step")}, g.value FROM given g WHERE g.kind = 3
      ON CONFLICT (collection, key) DO UPDATE SET version = d.version + excluded.version,
        checksum = excluded.checksum # ${placement.document("excluded.version")} # ${placement.document("(d.version + excluded.version)")},
        value = excluded.value RETURNING 1
    )
    SELECT (SELECT count(*) FROM fresh) + (SELECT count(*) FROM known) + (SELECT count(*) FROM any_way) INTO touched;
    IF touched <> (SELECT count(*) FROM unnest(doc_kinds) AS k WHERE k > 0) THEN
      RAISE EXCEPTION USING ERRCODE = 'TD002', MESSAGE = 'a document has come or gone meanwhile';
    END IF;
    offset_bytes := offset_bytes + (SELECT coalesce(sum(l), 0) FROM unnest(doc_lengths) AS l);
  END IF;

  IF timer_queues IS NOT NULL THEN
    DELETE FROM {schema}.timer t USING unnest(timer_queues, timer_keys, timer_versions) AS g(queue, key, version)
      WHERE t.queue = g.queue AND t.key = g.key AND (g.version IS NULL OR t.version = g.version);
    INSERT INTO {schema}.timer (queue, key, due_ms, checksum, payload)
      SELECT g.queue, g.key, g.due, g.content,
        convert_from(substring(texts FROM (offset_bytes + g.till - g.length)::integer FOR g.length), 'UTF8')
      FROM (SELECT t.*, sum(t.length) OVER (ORDER BY t.place) AS till
        FROM unnest(timer_queues, timer_keys, timer_dues, timer_sums, timer_lengths) WITH ORDINALITY AS t(queue, key, due, content, length, place)) AS g
      WHERE g.due IS NOT NULL ORDER BY g.place
      ON CONFLICT (queue, key) DO UPDATE SET due_ms = excluded.due_ms, version = DEFAULT, checksum = excluded.checksum, payload = excluded.payload;
    offset_bytes := offset_bytes + (SELECT coalesce(sum(l), 0) FROM unnest(timer_lengths) AS l);
  END IF;

  IF logs IS NOT NULL THEN
    PERFORM 1 FROM {schema}.log l WHERE l.id = ANY (logs) ORDER BY l.id FOR NO KEY UPDATE;
    GET DIAGNOSTICS touched = ROW_COUNT;
    IF touched <> cardinality(logs) THEN
      RAISE EXCEPTION USING ERRCODE = 'TD003', MESSAGE = 'a partition has no row';
    END IF;
    FOR look IN 1 .. 2 LOOP
      SELECT array_agg(c.last + 1 ORDER BY w.place), array_agg(greatest(at_ms, c.appended_ms) ORDER BY w.place), array_agg(l.segment ORDER BY w.place)
        INTO nexts, appended_ms, segments
        FROM unnest(logs) WITH ORDINALITY AS w(log, place)
        JOIN {schema}.log l ON l.id = w.log
        CROSS JOIN LATERAL (SELECT n.last, n.appended_ms FROM {schema}.chunk n
          WHERE n.segment = l.segment AND n.log = l.id ORDER BY n.last DESC LIMIT 1) AS c;
      EXIT WHEN cardinality(nexts) = cardinality(logs);
      IF look = 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'TD004', MESSAGE = 'a new segment of a partition cannot be seen yet';
      END IF;
      -- A lock that is not held yet makes the server look for news of the tables; it is let go for the next time.
      BEGIN
        LOCK TABLE {schema}.meta IN ROW SHARE MODE;
        RAISE EXCEPTION USING ERRCODE = 'TD000';
      EXCEPTION WHEN SQLSTATE 'TD000' THEN NULL;
      END;
    END LOOP;
    IF id_sources IS NOT NULL THEN
      INSERT INTO {schema}.published_id AS p (source, id, hash, log, position, at_ms)
        SELECT i.source, i.id, i.hash, i.log, h.next + i.behind, at_ms
        FROM unnest(id_sources, id_ids, id_hashes, id_logs, id_behind) AS i(source, id, hash, log, behind)
        JOIN unnest(logs, nexts) AS h(log, next) ON h.log = i.log ORDER BY i.source, i.id
        ON CONFLICT (source, id) DO UPDATE SET hash = excluded.hash, log = excluded.log, position = excluded.position, at_ms = excluded.at_ms
          WHERE p.at_ms < at_ms - id_window_ms;
      GET DIAGNOSTICS touched = ROW_COUNT;
      IF touched <> cardinality(id_sources) THEN
        RAISE EXCEPTION USING ERRCODE = 'TD001', MESSAGE = 'an event of one of these ids has come meanwhile';
      END IF;
    END IF;
    INSERT INTO {schema}.chunk (segment, log, last, count, appended_ms, checksum, header, body)
      SELECT h.segment, h.log, h.next + c.behind, c.count, h.at, c.content # ${chunkPlace},
        convert_from(substring(texts FROM (offset_bytes + c.till - c.header - c.body)::integer FOR c.header), 'UTF8'),
        convert_from(substring(texts FROM (offset_bytes + c.till - c.body)::integer FOR c.body), 'UTF8')
      FROM (SELECT t.*, sum(t.header + t.body) OVER (ORDER BY t.place) AS till
        FROM unnest(chunk_logs, chunk_behind, chunk_counts, chunk_sums, header_lengths, body_lengths)
          WITH ORDINALITY AS t(log, behind, count, content, header, body, place)) AS c
      JOIN unnest(logs, nexts, appended_ms, segments) AS h(log, next, at, segment) ON h.log = c.log
      ORDER BY c.place;
  END IF;
  -- Seen at once: as late as can be, so that hardly anybody looks between it and the commit.
  IF doc_collections IS NOT NULL THEN PERFORM nextval('{schema}.writes'); END IF;
  IF durable THEN reached := pg_current_wal_insert_lsn() - '0/0'::pg_lsn; END IF;
  -- The transaction may be the user's, whose statements to come wait as before.
  PERFORM set_config('lock_timeout', waits, true);
END $$;
`;

/**
 * Leases. Times are those of the server. What they write need not survive a power cut: see the port. They wait for a commit
 * that uses a lease, but not for ever for one that hangs: whoever gives up asking leaves a backend that waits on.
 */
export const leaseFunctions = `
CREATE FUNCTION {schema}.acquire_leases(names text[], owners text[], ttls bigint[])
RETURNS TABLE (place bigint, token bigint, expires_ms bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE wanted record; now_ms bigint := {schema}.now_ms();
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '5s', true);
  FOR wanted IN SELECT * FROM unnest(names, owners, ttls) WITH ORDINALITY AS w(name, owner, ttl, place) ORDER BY w.name, w.place LOOP
    RETURN QUERY
      INSERT INTO {schema}.lease AS l (name, owner, token, expires_ms) VALUES (wanted.name, wanted.owner, 1, now_ms + wanted.ttl)
      ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_ms = excluded.expires_ms,
          token = CASE WHEN l.owner = excluded.owner THEN l.token ELSE l.token + 1 END
        WHERE l.owner IS NULL OR l.owner = excluded.owner OR l.expires_ms <= now_ms
      RETURNING wanted.place - 1, l.token, l.expires_ms;
  END LOOP;
END $$;

CREATE FUNCTION {schema}.renew_leases(names text[], owners text[], tokens bigint[], ttl bigint)
RETURNS TABLE (place bigint, expires_ms bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE now_ms bigint := {schema}.now_ms();
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '5s', true);
  PERFORM 1 FROM {schema}.lease l WHERE l.name = ANY (names) ORDER BY l.name FOR NO KEY UPDATE;
  RETURN QUERY
    WITH held AS (
      SELECT w.place, l.name FROM unnest(names, owners, tokens) WITH ORDINALITY AS w(name, owner, token, place)
      JOIN {schema}.lease l ON l.name = w.name AND l.owner = w.owner AND l.token = w.token
    ), renewed AS (
      UPDATE {schema}.lease l SET expires_ms = now_ms + ttl FROM held h WHERE l.name = h.name
    )
    SELECT h.place - 1, now_ms + ttl FROM held h;
END $$;

CREATE FUNCTION {schema}.release_leases(names text[], owners text[], tokens bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '5s', true);
  PERFORM 1 FROM {schema}.lease l WHERE l.name = ANY (names) ORDER BY l.name FOR NO KEY UPDATE;
  UPDATE {schema}.lease l SET owner = NULL, expires_ms = 0
    FROM unnest(names, owners, tokens) AS w(name, owner, token)
    WHERE l.name = w.name AND l.owner = w.owner AND l.token = w.token;
END $$;
`;

/** Topics and segments. */
export const topicFunctions = `
CREATE FUNCTION {schema}.add_segment(of_topic integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE made integer;
BEGIN
  INSERT INTO {schema}.segment (topic, created_ms) VALUES (of_topic, {schema}.now_ms()) RETURNING id INTO made;
  -- Servers before 14 know of no other compression, nor of the word.
  EXECUTE format('CREATE TABLE {schema}.%I (LIKE {schema}.chunk INCLUDING STORAGE %s, CHECK (segment = %s), PRIMARY KEY (log, last))',
    'chunk_' || made, CASE WHEN current_setting('server_version_num')::integer >= 140000 THEN 'INCLUDING COMPRESSION' ELSE '' END, made);
  EXECUTE format('ALTER TABLE {schema}.chunk ATTACH PARTITION {schema}.%I FOR VALUES IN (%s)', 'chunk_' || made, made);
  RETURN made;
END $$;

-- The first row of a log in a segment holds no events: it says where and when the log goes on there.
CREATE FUNCTION {schema}.begin_log(of_log integer, of_segment integer, before bigint, at_ms bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO {schema}.segment_log (log, segment, first) VALUES (of_log, of_segment, before + 1);
  INSERT INTO {schema}.chunk (segment, log, last, count, appended_ms, checksum, header, body)
    VALUES (of_segment, of_log, before, 0, at_ms, ${placement.chunk("of_log", "before", "0", "at_ms")}, '', '');
$$;

CREATE FUNCTION {schema}.declare_topic(of_name text, of_partitions integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE made integer; first_segment integer;
BEGIN
  INSERT INTO {schema}.topic (name, partitions, created_ms) VALUES (of_name, of_partitions, {schema}.now_ms())
    ON CONFLICT (name) DO NOTHING RETURNING id INTO made;
  IF made IS NULL THEN RETURN; END IF;
  first_segment := {schema}.add_segment(made);
  INSERT INTO {schema}.log (topic, partition, segment) SELECT made, p, first_segment FROM generate_series(0, of_partitions - 1) AS p;
  PERFORM {schema}.begin_log(l.id, first_segment, -1, {schema}.now_ms()) FROM {schema}.log l WHERE l.topic = made;
END $$;

-- Begins a new segment of a topic: what stands so far can be dropped as a whole once nothing of it is needed.
CREATE FUNCTION {schema}.rotate_topic(of_topic integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE made integer; begun integer;
BEGIN
  PERFORM {schema}.sees_commits();
  made := {schema}.add_segment(of_topic);
  PERFORM 1 FROM {schema}.log l WHERE l.topic = of_topic ORDER BY l.id FOR UPDATE;
  PERFORM {schema}.begin_log(l.id, made, c.last, c.appended_ms) FROM {schema}.log l
    CROSS JOIN LATERAL (SELECT n.last, n.appended_ms FROM {schema}.chunk n
      WHERE n.segment = l.segment AND n.log = l.id ORDER BY n.last DESC LIMIT 1) AS c
    WHERE l.topic = of_topic;
  GET DIAGNOSTICS begun = ROW_COUNT;
  IF begun <> (SELECT t.partitions FROM {schema}.topic t WHERE t.id = of_topic) THEN
    RAISE EXCEPTION USING ERRCODE = 'TD004', MESSAGE = 'a new segment of a partition cannot be seen yet';
  END IF;
  UPDATE {schema}.log SET segment = made WHERE topic = of_topic;
END $$;
`;
