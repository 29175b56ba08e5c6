-- Horspool's search over a real text, character by character.
local byte = string.byte
local file = assert(io.open("/usr/share/common-licenses/GPL-3"))
local text = file:read("*a"):rep(40)
file:close()

local function skips(word)
  local m, t = #word, {}
  for c = 0, 255 do t[c] = m end
  for i = 1, m - 1 do t[byte(word, i)] = m - i end
  return t
end

local function occurrences(word)
  local n, m, t = #text, #word, skips(word)
  local at, found = 0, 0
  while at + m <= n do
    local j = m
    while j > 0 and byte(text, at + j) == byte(word, j) do j = j - 1 end
    if j == 0 then
      found = found + 1
      at = at + m
    else
      at = at + t[byte(text, at + m)]
    end
  end
  return found
end

local words = {"license", "covered work", "you may", "software", "conveying", "the", "source code", "Corresponding", "patent", "nowhere at all"}
local total = 0
for _, word in ipairs(words) do total = total + occurrences(word) end
print(total)
