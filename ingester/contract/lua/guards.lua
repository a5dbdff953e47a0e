-- What may be in the way of a write. Each answer names it: {'type', key, its type, wanted type}, or {'full', key} for
-- a stream that has given out its last id. Either is somebody else's doing. nil: nothing is in the way.

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
