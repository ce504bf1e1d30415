import { scriptOf } from "./script.ts";

/**
 * Tells where streams begin and end.
 *
 * | KEYS | |
 * |---|---|
 * | 1… | streams |
 *
 * Answers by stream with the place of its first entry, or of the next one when it is empty, and with that of the next one, as
 * they stand in ids: one more than the position. Two times 0 for a stream that is not there.
 */
export const boundsScript = scriptOf(
  `
local answer = {}
for n, key in ipairs(KEYS) do
  local first, last = 0, -1
  if redis.call('TYPE', key).ok == 'stream' then
    local facts = redis.call('XINFO', 'STREAM', key)
    for at = 1, #facts, 2 do
      if facts[at] == 'last-generated-id' then last = tonumber(string.match(facts[at + 1], '%d+$'))
      elseif facts[at] == 'recorded-first-entry-id' then first = tonumber(string.match(facts[at + 1], '%d+$')) end
    end
    if first == 0 then first = last + 1 end
  end
  answer[2 * n - 1], answer[2 * n] = first, last + 1
end
return answer
`,
  "no-writes",
);
