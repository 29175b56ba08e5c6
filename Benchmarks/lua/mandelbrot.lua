-- Mandelbrot: float arithmetic in loops without any memory.
local function steps(cr, ci, limit)
  local n, zr, zi = 0, 0.0, 0.0
  while true do
    local rr, ii = zr * zr, zi * zi
    if n == limit or rr + ii > 4.0 then return n end
    n, zr, zi = n + 1, rr - ii + cr, 2.0 * zr * zi + ci
  end
end

local function mandelbrot(size, limit)
  local total = 0
  for y = 0, size - 1 do
    for x = 0, size - 1 do
      total = total + steps(2.0 * x / size - 1.5, 2.0 * y / size - 1.0, limit)
    end
  end
  return total
end

print(mandelbrot(600, 100))
