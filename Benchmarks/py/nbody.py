# N-body: floats in the mutable fields of five records.
from math import pi, sqrt

SOLAR_MASS = 4 * pi * pi
DAYS = 365.24


class Body:
    __slots__ = ("x", "y", "z", "vx", "vy", "vz", "mass")

    def __init__(self, x, y, z, vx, vy, vz, mass):
        self.x, self.y, self.z = x, y, z
        self.vx, self.vy, self.vz, self.mass = vx, vy, vz, mass


def planet(x, y, z, vx, vy, vz, mass):
    return Body(x, y, z, vx * DAYS, vy * DAYS, vz * DAYS, mass * SOLAR_MASS)


SUN = Body(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, SOLAR_MASS)
BODIES = [
    SUN,
    planet(4.84143144246472090e+00, -1.16032004402742839e+00, -1.03622044471123109e-01,
           1.66007664274403694e-03, 7.69901118419740425e-03, -6.90460016972063023e-05, 9.54791938424326609e-04),
    planet(8.34336671824457987e+00, 4.12479856412430479e+00, -4.03523417114321381e-01,
           -2.76742510726411899e-03, 4.99852801234917238e-03, 2.30417297573763929e-05, 2.85885980666130812e-04),
    planet(1.28943695621391310e+01, -1.51111514016986312e+01, -2.23307578892655734e-01,
           2.96460137564761618e-03, 2.37847173959480950e-03, -2.96589568540237556e-05, 4.36624404335156298e-05),
    planet(1.53796971148509165e+01, -2.59193146099879641e+01, 1.79258772950371181e-01,
           2.68067772490389322e-03, 1.62824170038242295e-03, -9.51592254519715870e-05, 5.15138902046611451e-05),
]
PAIRS = [(a, b) for i, a in enumerate(BODIES) for b in BODIES[i + 1:]]


def advance(dt, steps):
    for _ in range(steps):
        for a, b in PAIRS:
            dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
            square = dx * dx + dy * dy + dz * dz
            mag = dt / (square * sqrt(square))
            of_a, of_b = b.mass * mag, a.mass * mag
            a.vx -= dx * of_a
            a.vy -= dy * of_a
            a.vz -= dz * of_a
            b.vx += dx * of_b
            b.vy += dy * of_b
            b.vz += dz * of_b
        for b in BODIES:
            b.x += dt * b.vx
            b.y += dt * b.vy
            b.z += dt * b.vz


def energy():
    e = sum(0.5 * b.mass * (b.vx * b.vx + b.vy * b.vy + b.vz * b.vz) for b in BODIES)
    for a, b in PAIRS:
        dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
        e -= a.mass * b.mass / sqrt(dx * dx + dy * dy + dz * dz)
    return e


# The sun moves so that the whole system does not.
SUN.vx, SUN.vy, SUN.vz = (-sum(getattr(b, v) * b.mass for b in BODIES) / SOLAR_MASS for v in ("vx", "vy", "vz"))
advance(0.01, 300000)
print(f"{energy():.15g}")
