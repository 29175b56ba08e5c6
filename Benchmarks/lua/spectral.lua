-- Spectral norm: nested float loops over arrays.
local function element(i, j)
  return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1)
end
local function transposed(i, j) return element(j, i) end

local function times(n, v, out, at)
  for i = 0, n - 1 do
    local sum = 0.0
    for j = 0, n - 1 do sum = sum + at(i, j) * v[j + 1] end
    out[i + 1] = sum
  end
end

local function power(n, v, out, buffer)
  times(n, v, buffer, element)
  times(n, buffer, out, transposed)
end

local function spectral_norm(n)
  local u, v, buffer = {}, {}, {}
  for i = 1, n do u[i], v[i], buffer[i] = 1.0, 0.0, 0.0 end
  for _ = 1, 10 do
    power(n, u, v, buffer)
    power(n, v, u, buffer)
  end
  local uv, vv = 0.0, 0.0
  for i = 1, n do
    uv = uv + u[i] * v[i]
    vv = vv + v[i] * v[i]
  end
  return math.sqrt(uv / vv)
end

print(string.format("%.15g", spectral_norm(400)))
