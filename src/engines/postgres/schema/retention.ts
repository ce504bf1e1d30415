/**
 * Retention moves the beginning of a log, which is seen at once; the room comes back when all that a segment holds lies
 * before it, and its table is dropped. Nothing is ever deleted row by row.
 */
export const retentionFunctions = `
-- Answers with the number of events removed. Null for what is not limited.
CREATE FUNCTION {schema}.retain(of_topic integer, before_ms bigint, bytes_max bigint, floors bigint[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE part record; till bigint; removed bigint := 0;
BEGIN
  FOR part IN SELECT l.id, l.partition, l.first FROM {schema}.log l WHERE l.topic = of_topic ORDER BY l.id LOOP
    SELECT max(c.last) INTO till FROM (
      SELECT n.last, n.appended_ms,
        CASE WHEN bytes_max IS NULL THEN 0 ELSE sum(octet_length(n.header) + octet_length(n.body)) OVER (ORDER BY n.last DESC) END AS from_here
      FROM {schema}.chunk n JOIN {schema}.segment_log g ON g.segment = n.segment AND g.log = n.log
      WHERE n.log = part.id AND n.last >= part.first
    ) AS c
    WHERE (floors IS NULL OR c.last < floors[part.partition + 1])
      AND (c.appended_ms < before_ms OR c.from_here > bytes_max);
    IF till IS NOT NULL THEN
      UPDATE {schema}.log l SET first = till + 1 WHERE l.id = part.id AND l.first = part.first;
      IF FOUND THEN removed := removed + till + 1 - part.first; END IF;
    END IF;
  END LOOP;
  RETURN removed;
END $$;

-- Drops a segment of which nothing is left, and begins a new one when the current one is large or mostly gone. Waits
-- for nobody: what cannot be done now is done the next time. Answers with whether there may be more to do.
CREATE FUNCTION {schema}.tidy_topic(of_topic integer, segment_bytes bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE spent integer; bytes bigint; total bigint; gone bigint;
BEGIN
  IF NOT pg_try_advisory_xact_lock({lock}, -2 - of_topic) THEN RETURN false; END IF;
  PERFORM set_config('lock_timeout', '100ms', true);
  SELECT s.id INTO spent FROM {schema}.segment s WHERE s.topic = of_topic AND NOT EXISTS (
    SELECT 1 FROM {schema}.log l WHERE l.topic = of_topic AND (l.segment = s.id OR l.first < (
      SELECT n.first FROM {schema}.segment_log n WHERE n.log = l.id AND n.segment > s.id ORDER BY n.segment LIMIT 1))
  ) ORDER BY s.id LIMIT 1;
  IF spent IS NOT NULL THEN
    EXECUTE format('DROP TABLE {schema}.%I', 'chunk_' || spent);
    DELETE FROM {schema}.segment WHERE id = spent;
    RETURN true;
  END IF;
  SELECT pg_total_relation_size(format('{schema}.%I', 'chunk_' || min(l.segment))::regclass), sum(greatest(0, l.first - g.first)),
      sum(greatest(0, coalesce(c.last + 1, g.first) - g.first))
    INTO bytes, gone, total
    FROM {schema}.log l JOIN {schema}.segment_log g ON g.log = l.id AND g.segment = l.segment
    LEFT JOIN LATERAL (SELECT n.last FROM {schema}.chunk n WHERE n.segment = l.segment AND n.log = l.id ORDER BY n.last DESC LIMIT 1) AS c ON true
    WHERE l.topic = of_topic;
  IF total > 0 AND (bytes >= segment_bytes OR (gone * 2 >= total AND gone > 0 AND bytes * 16 >= segment_bytes)) THEN
    PERFORM {schema}.rotate_topic(of_topic);
    RETURN true;
  END IF;
  RETURN false;
EXCEPTION WHEN lock_not_available THEN RETURN false;
END $$;
`;
