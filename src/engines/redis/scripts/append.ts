import { era } from "../keys.ts";
import { scriptOf } from "./script.ts";

/**
 * Appends a group of publishes: each all or nothing, in their order.
 *
 * | KEYS | |
 * |---|---|
 * | 1 | meta |
 * | 2 | writer |
 * | 3… | the streams that the group appends to |
 *
 * | ARGV | |
 * |---|---|
 * | 1 | id of the store |
 * | 2 | epoch of the writer: whoever comes with an older one is late, and refused |
 * | 3 | number of the group: one more than that of the last one that was applied |
 * | 4 | how long ids are remembered, in milliseconds |
 * | 5, 6 | channel and message that tell others of it; the channel is empty when nobody is to be told |
 * | 7… | by publish: number of entries, below 0 when ids are to be looked at, then the entries |
 * | by entry | number of the stream; key of its id or empty; what its payload is told by, only where there is a key; number of texts; names and values. The last value gets the instant of the append before it |
 *
 * Answers `+` with the position of the first event appended to each stream, `;`, and by entry that was not appended as it came
 * (counted over the group) `N=POSITION` for a duplicate, or `N!` for an id that means another payload: then nothing of that
 * publish was written. Else nothing was written at all, and the answer is a word: `replaced` (another store), `fenced`,
 * `order` (a group before this one is missing), `gone N` (a stream is not there).
 */
export const appendScript = scriptOf(`
local call, args, unpack, match = redis.call, ARGV, unpack, string.match
local meta = call('HMGET', KEYS[1], 'store', 'clock')
if meta[1] ~= args[1] then return 'replaced' end
local writer = call('HMGET', KEYS[2], 'epoch', 'seq')
if writer[1] ~= args[2] then return 'fenced' end
if tonumber(args[3]) ~= tonumber(writer[2]) + 1 then return 'order' end
local streams = #KEYS - 2
for s = 1, streams do
  if call('TYPE', KEYS[s + 2]).ok ~= 'stream' then return 'gone ' .. s - 1 end
end

local time = call('TIME')
local now = math.max(time[1] * 1000 + math.floor(time[2] / 1000), tonumber(meta[2] or '0'))
local stamp = string.format('%.0f', now)
local nexts, firsts, sizes, told = {}, {}, {}, {}
for s = 1, streams do firsts[s], sizes[s] = '', 0 end

-- Looks at the ids of a publish that begins at an argument. Answers where it ends, and which entry is refused.
local function look(at, count, known)
  local batch, refused = {}, nil
  for n = 1, count do
    local key = args[at + 1]
    if key ~= '' then
      local mark = args[at + 2]
      local found = batch[key] or call('GET', key)
      if found then
        known[n] = true
        if string.sub(found, 1, #mark) ~= mark and not refused then refused = n end
      else
        batch[key] = mark .. ' '
      end
      at = at + 1
    end
    at = at + 3 + args[at + 2]
  end
  return at, refused
end

local at, number, behind = 7, -1, #args
while at <= behind do
  local count, known, next, refused = tonumber(args[at]), nil, nil, nil
  at = at + 1
  if count < 0 then
    count, known = -count, {}
    next, refused = look(at, count, known)
  end
  if refused then
    told[#told + 1] = number + refused .. '!'
    number = number + count
    at = next
  else
    for n = 1, count do
      number = number + 1
      local s, key, mark = args[at] + 1, args[at + 1], nil
      if key ~= '' then
        mark = args[at + 2]
        at = at + 1
      end
      local texts = tonumber(args[at + 2])
      local last = at + 2 + texts
      if known and known[n] then
        told[#told + 1] = number .. '=' .. string.sub(call('GET', key), #mark + 2)
      else
        sizes[s] = sizes[s] + match(args[last], '^%S+ (%d+)')
        args[last] = stamp .. ' ' .. args[last]
        local id = call('XADD', KEYS[s + 2], '${era}-*', unpack(args, at + 3, last))
        local position = nexts[s]
        if not position then
          position = string.sub(id, ${era.length + 2}) - 1
          firsts[s] = string.format('%.0f', position)
        end
        nexts[s] = position + 1
        if mark then call('SET', key, mark .. ' ' .. string.format('%.0f', position), 'PX', args[4]) end
      end
      at = last + 1
    end
  end
end

if stamp ~= meta[2] then call('HSET', KEYS[1], 'clock', stamp) end
for s = 1, streams do
  if sizes[s] > 0 then call('HINCRBY', KEYS[1], 'bytes ' .. KEYS[s + 2], string.format('%.0f', sizes[s])) end
end
local answer = '+' .. table.concat(firsts, ',') .. ';' .. table.concat(told, ',')
call('HSET', KEYS[2], 'seq', args[3], 'answer' .. args[3] % 4, answer)
if args[5] ~= '' then redis.pcall('PUBLISH', args[5], args[6]) end
return answer
`);
