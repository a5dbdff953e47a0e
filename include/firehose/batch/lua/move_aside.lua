-- KEYS: each key, followed by where it goes. ARGV: the type of each. Replies key, found type, wanted type, whether
-- it is in the way still, for each that is or was of another type. In one step: a stream that the ingester has made
-- since it was looked at is never moved.

local moved = {}
for i = 1, #KEYS, 2 do
  local wanted, found = ARGV[(i + 1) / 2], redis.call('TYPE', KEYS[i]).ok
  if found ~= 'none' and found ~= wanted then
    local free = redis.call('RENAMENX', KEYS[i], KEYS[i + 1])
    moved[#moved + 1] = {KEYS[i], found, wanted, 1 - free}
  end
end
return moved
