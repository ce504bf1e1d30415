import { era } from "../keys.ts";
import { scriptOf } from "./script.ts";

/**
 * Removes some of the oldest entries of a stream, in one small step.
 *
 * | KEYS | | ARGV | |
 * |---|---|---|---|
 * | 1 | meta | 1 | id of the store |
 * | 2 | stream | 2 | entries that were appended before this instant go, or empty |
 * | | | 3 | the oldest go while there are more bytes than this, or empty |
 * | | | 4 | entries from this place on stay, or empty |
 * | | | 5 | how many entries to look at at most |
 *
 * Entries of others tell neither instant nor size: by age they go with the next one that does, by size they count nothing.
 * Answers with the number removed and 1 when there may be more to remove, else 0; with `replaced` for another store.
 */
export const retainScript = scriptOf(`
if redis.call('HGET', KEYS[1], 'store') ~= ARGV[1] then return 'replaced' end
local before, most, floor, left = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local counter = 'bytes ' .. KEYS[2]
local bytes = tonumber(redis.call('HGET', KEYS[1], counter) or '0')
local removed, looked, from, behind, freed, seen, more = 0, 0, '-', nil, 0, 0, 1

while more == 1 and looked < left and seen < 1048576 do
  local found = redis.call('XRANGE', KEYS[2], from, '${era}', 'COUNT', 8)
  if #found == 0 then more = 0 end
  for _, entry in ipairs(found) do
    local place, fields = tonumber(string.match(entry[1], '%d+$')), entry[2]
    local instant, size
    if fields[#fields - 1] == 'tidings' then instant, size = string.match(fields[#fields], '^(%d+) %S+ (%d+)') end
    local over = most and bytes - freed > most
    local old = before and instant and tonumber(instant) < before
    if (floor and place >= floor) or not (over or old or (before and not instant)) then more = 0 break end
    looked = looked + 1
    seen = seen + (tonumber(size) or 4096)
    freed = freed + (tonumber(size) or 0)
    if over or old then removed, behind = looked, place + 1 end
    from = '${era}-' .. string.format('%.0f', place + 1)
  end
end

if not behind then return { 0, 0 } end
-- What was looked at behind the last one that goes tells no size.
redis.call('XTRIM', KEYS[2], 'MINID', '=', '${era}-' .. string.format('%.0f', behind))
redis.call('HINCRBY', KEYS[1], counter, string.format('%.0f', -freed))
return { removed, more }
`);
