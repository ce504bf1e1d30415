import { era } from "../keys.ts";
import { scriptOf } from "./script.ts";

/**
 * Finds by halving the first entry that was appended at or after an instant. An entry of others tells no instant: it counts as
 * appended with the next one that does, so that never too much is skipped.
 *
 * | KEYS | | ARGV | |
 * |---|---|---|---|
 * | 1… | streams | 1 | the instant, in milliseconds since 1970 |
 * | | | 2… | by stream: place of its first entry, and of the next one |
 *
 * Answers by stream with a place.
 */
export const instantsScript = scriptOf(
  `
local function later(key, at)
  while true do
    local found = redis.call('XRANGE', key, '${era}-' .. string.format('%.0f', at), '${era}', 'COUNT', 4)
    if #found == 0 then return true end
    for _, entry in ipairs(found) do
      local fields = entry[2]
      local instant = fields[#fields - 1] == 'tidings' and string.match(fields[#fields], '^(%d+) ')
      if instant then return tonumber(instant) >= tonumber(ARGV[1]) end
    end
    at = string.match(found[#found][1], '%d+$') + 1
  end
end

local answer = {}
for n, key in ipairs(KEYS) do
  local low, high = tonumber(ARGV[2 * n]), tonumber(ARGV[2 * n + 1])
  while low < high do
    local middle = math.floor((low + high) / 2)
    if later(key, middle) then high = middle else low = middle + 1 end
  end
  answer[n] = low
end
return answer
`,
  "no-writes",
);
