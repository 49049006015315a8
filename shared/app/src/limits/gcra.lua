-- Debits a caller's bucket (KEYS[1]) and, when it admits, its tenant's (KEYS[2]); see DEBIT in store.rs, which says the
-- same in SQL. A bucket holds the time at which it is full again, in microseconds of the server's own clock, and is
-- forgotten then. ARGV: step and span of the first, step and span of the second.
-- Gives {verdict, remaining, milliseconds to wait}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function debit(key, step, span)
  local full = math.max(tonumber(redis.call('GET', key) or now), now) + step
  if full > now + span then
    return nil, full - span - now
  end
  -- A double holds microseconds exactly until the year 2255; %.0f keeps it from being written as 1.7e+15.
  redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
  return full - now
end

local step, span = tonumber(ARGV[1]), tonumber(ARGV[2])
local ahead, early = debit(KEYS[1], step, span)
if not ahead then
  return {1, 0, math.ceil(early / 1000)}
end
local admitted, late = debit(KEYS[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
if not admitted then
  return {2, math.floor((span - ahead) / step), math.ceil(late / 1000)}
end
return {0, math.floor((span - ahead) / step), math.ceil(ahead / 1000)}
