/** One column of the view: a list with a value per event, or one value that all events of the chunk share. */
const shared = (name: string): string =>
  `CASE jsonb_typeof(j.header -> '${name}') WHEN 'array' THEN j.header -> '${name}' ->> (i.place - 1)::integer ELSE j.header ->> '${name}' END`;

/** For people with psql, and for reports. A chunk whose payloads are not all JSON shows its events without those payloads. */
export const eventView = `
CREATE FUNCTION {schema}.json_or_null(given text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN given::jsonb;
EXCEPTION WHEN OTHERS THEN RETURN NULL;
END $$;

CREATE VIEW {schema}.event AS
SELECT t.name AS topic, l.partition, c.last - c.count + i.place AS position, i.id,
  ${shared("source")} AS source, ${shared("type")} AS type,
  to_timestamp((j.header -> 'time' ->> (i.place - 1)::integer)::numeric / 1000) AS time,
  j.header -> 'key' ->> (i.place - 1)::integer AS key,
  CASE coalesce((j.header -> 'kind' ->> (i.place - 1)::integer)::integer, 0) WHEN 3 THEN NULL ELSE j.body -> (i.place - 1)::integer END AS data,
  nullif(j.header -> 'attributes' -> (i.place - 1)::integer, 'null'::jsonb) AS attributes,
  to_timestamp(c.appended_ms / 1000.0) AS appended
FROM {schema}.topic t JOIN {schema}.log l ON l.topic = t.id JOIN {schema}.segment_log g ON g.log = l.id
JOIN {schema}.chunk c ON c.segment = g.segment AND c.log = l.id AND c.last >= l.first
CROSS JOIN LATERAL (SELECT {schema}.json_or_null(c.header) AS header, {schema}.json_or_null(c.body) AS body OFFSET 0) AS j
CROSS JOIN LATERAL jsonb_array_elements_text(j.header -> 'id') WITH ORDINALITY AS i(id, place);
`;
