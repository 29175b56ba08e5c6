-- Counting the words of a real text, the most frequent ones first.
local file = assert(io.open("/usr/share/common-licenses/GPL-3"))
local text = file:read("*a"):rep(60)
file:close()
local counts = {}
for word in text:lower():gmatch("%l+") do
  counts[word] = (counts[word] or 0) + 1
end
local entries = {}
for word, n in pairs(counts) do entries[#entries + 1] = {word, n} end
table.sort(entries, function(a, b)
  if a[2] == b[2] then return a[1] < b[1] end
  return a[2] > b[2]
end)
local top = {}
for i = 1, 10 do top[i] = entries[i][1] .. "=" .. entries[i][2] end
print(table.concat(top, " "))
