-- KEYS: a stream. ARGV: first id, last id, most entries, most bytes, the last id of all. Replies entries as XRANGE
-- does, up to the one that exceeds a limit. One by one, so that Redis itself never holds more of them at a time.

local found, low, size = {}, ARGV[1], 0
repeat
  local entry = redis.call('XRANGE', KEYS[1], low, ARGV[2], 'COUNT', 1)[1]
  if not entry then break end
  found[#found + 1] = entry
  for _, part in ipairs(entry[2]) do size = size + #part end
  low = '(' .. entry[1]
until #found == tonumber(ARGV[3]) or size > tonumber(ARGV[4]) or entry[1] == ARGV[5]
return found
