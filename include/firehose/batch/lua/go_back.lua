-- KEYS: streams. ARGV: the latest time (ms) that an id may sensibly have, and the time. A stream that gives out
-- later ids although it holds none goes on at the time, or after its last entry.

for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then
    local info, at = redis.call('XINFO', 'STREAM', key), {}
    for i = 1, #info, 2 do at[info[i]] = info[i + 1] end
    local function ms(id) return tonumber(string.match(id, '^%d+')) end
    local last = at['last-entry'] and at['last-entry'][1] or '0-0'
    if ms(at['last-generated-id']) > tonumber(ARGV[1]) and ms(last) <= tonumber(ARGV[1]) then
      redis.call('XSETID', key, ms(last) >= tonumber(ARGV[2]) and last or ARGV[2] .. '-0')
    end
  end
end
