-- Searching a real text for words with what the language has for that.
local file = assert(io.open("/usr/share/common-licenses/GPL-3"))
local text = file:read("*a"):rep(20)
file:close()
local function occurrences(word)
  local n, at = 0, text:find(word, 1, true)
  while at do
    n = n + 1
    at = text:find(word, at + #word, true)
  end
  return n
end
local words = {"license", "covered work", "you may", "software", "conveying", "the", "source code", "Corresponding", "patent", "nowhere at all"}
local total = 0
for _ = 1, 60 do
  for _, word in ipairs(words) do total = total + occurrences(word) end
end
print(total)
