-- Checks for foreign data that would make a write fail. An answer names it: {'type', key, its type, wanted type}, or
-- {'full', key} for a stream that has used its last id. nil: the write can be made.

local function mistyped(i, wanted)
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'none' and found ~= wanted then return {'type', KEYS[i], found, wanted} end
  return nil, found
end

local function no_stream(i)
  local wrong, found = mistyped(i, 'stream')
  if wrong or found == 'none' then return wrong end
  local info = redis.call('XINFO', 'STREAM', KEYS[i])
  for n = 1, #info, 2 do
    if info[n] == 'last-generated-id' and info[n + 1] == '18446744073709551615-18446744073709551615' then
      return {'full', KEYS[i]}
    end
  end
end
