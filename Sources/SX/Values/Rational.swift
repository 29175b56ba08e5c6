/// An exact number as a reduced fraction. Integers are fractions with the denominator 1; on the heap those are integers.
///
/// A heap cell of kind `rational` holds numerator and denominator in 64 bits each. Results are computed in 128 bits, which no operation on
/// two such fractions can overflow, and only a reduced result that does not fit 64 bits becomes the nearest float.
struct Rational {
  let numerator: Int
  /// Above 0.
  let denominator: Int
}

extension Heap {
  /// `n / d`, exactly where 64 bits hold the reduced fraction, else the nearest float. `d` must not be 0.
  func quotient(_ n: Int128, _ d: Int128) -> Value {
    let divisor = Rational.gcd(n.magnitude, d.magnitude)
    let magnitude = n.magnitude / divisor, below = d.magnitude / divisor, negative = (n < 0) != (d < 0)
    guard let denominator = Int(exactly: below), let numerator = Int(exactly: negative ? -Int128(magnitude) : Int128(magnitude)) else {
      return double(Rational.nearest(n, d))
    }
    if denominator == 1 { return int(numerator) }
    let cell = allocate(words: 3, header: Kind.rational.header)
    cell[1] = UInt64(bitPattern: Int64(numerator))
    cell[2] = UInt64(bitPattern: Int64(denominator))
    return Value(cell)
  }

  /// An integer, or the nearest float when it does not fit 64 bits.
  func integer(_ n: Int128) -> Value { Int(exactly: n).map(int) ?? double(Rational.nearest(n, 1)) }
}

extension Rational {
  static func gcd(_ a: UInt128, _ b: UInt128) -> UInt128 {
    var a = a, b = b
    while b != 0 {
      if a <= UInt128(UInt64.max), b <= UInt128(UInt64.max) {          // hardware division from here on
        var x = UInt64(a), y = UInt64(b)
        while y != 0 { (x, y) = (y, x % y) }
        return UInt128(x)
      }
      (a, b) = (b, a % b)
    }
    return a
  }

  /// The double nearest to `n / d`, half to even. `d` must not be 0.
  static func nearest(_ n: Int128, _ d: Int128) -> Double {
    if n == 0 { return 0 }
    let negative = (n < 0) != (d < 0), a = n.magnitude, b = d.magnitude
    // 62 or 63 bits of quotient; a remainder leaves its mark in the lowest one, so that one rounding decides.
    let shift = 62 - (128 - a.leadingZeroBitCount) + (128 - b.leadingZeroBitCount)
    let quotient: UInt128, rest: UInt128
    if shift <= 0 {
      (quotient, rest) = a.quotientAndRemainder(dividingBy: b << UInt128(-shift))
    } else {
      let high = shift >= 128 ? a << UInt128(shift - 128) : a >> UInt128(128 - shift)
      (quotient, rest) = b.dividingFullWidth((high, shift >= 128 ? 0 : a << UInt128(shift)))
    }
    let scaled = Double(UInt64(quotient) | (rest == 0 ? 0 : 1))
    let magnitude = Double(sign: .plus, exponent: -shift, significand: scaled)
    return negative ? -magnitude : magnitude
  }

  var double: Double {
    let exact = 1 << 53
    if numerator.magnitude <= exact, denominator <= exact { return Double(numerator) / Double(denominator) }
    return Rational.nearest(Int128(numerator), Int128(denominator))
  }

  /// The fraction a finite double stands for, when 64 bits hold it.
  init?(exactly d: Double) {
    guard d.isFinite else { return nil }
    if let whole = Int(exactly: d) {
      self.init(numerator: whole, denominator: 1)
      return
    }
    var scaled = d, power = 0
    while scaled != scaled.rounded(), power < 62 {
      scaled *= 2
      power += 1
    }
    guard let numerator = Int(exactly: scaled) else { return nil }
    self.init(numerator: numerator, denominator: 1 << power)
  }

  /// The greatest integer not above the fraction, and what is left in units of the denominator: 0 ≤ rest < denominator.
  private var floorAndRest: (floor: Int, rest: Int) {
    let (q, r) = numerator.quotientAndRemainder(dividingBy: denominator)
    return r < 0 ? (q - 1, r + denominator) : (q, r)
  }
  func rounded(_ rule: FloatingPointRoundingRule) -> Int {
    let (below, rest) = floorAndRest
    switch rule {
    case .down: return below
    case .up: return rest == 0 ? below : below + 1
    case .towardZero: return numerator < 0 && rest != 0 ? below + 1 : below
    default:
      let other = denominator - rest
      return rest < other || rest == other && below & 1 == 0 ? below : below + 1
    }
  }

  enum Order { case less, equal, greater, unordered }

  func compare(_ other: Rational) -> Order {
    let a = Int128(numerator) * Int128(other.denominator), b = Int128(other.numerator) * Int128(denominator)
    return a < b ? .less : a == b ? .equal : .greater
  }
  /// Exactly: the double counts with all its digits.
  func compare(_ d: Double) -> Order {
    if d.isNaN { return .unordered }
    let sign = numerator.signum(), other = d > 0 ? 1 : d < 0 ? -1 : 0
    if sign != other { return sign < other ? .less : .greater }
    if sign == 0 { return .equal }
    let order = compareMagnitude(d.magnitude)
    return sign > 0 ? order : order == .less ? .greater : order == .greater ? .less : order
  }
  /// Of a positive double its fraction is exact; that of a negative one, counted from below, would be rounded.
  private func compareMagnitude(_ d: Double) -> Order {
    if d >= 18_446_744_073_709_551_616 { return .less }
    let (whole, rest) = UInt128(numerator.magnitude).quotientAndRemainder(dividingBy: UInt128(denominator)), below = d.rounded(.down)
    if whole != UInt128(below) { return whole < UInt128(below) ? .less : .greater }
    let fraction = d - below
    if rest == 0 || fraction == 0 { return rest == 0 ? fraction == 0 ? .equal : .less : .greater }
    // rest / denominator against m / 2^k
    let k = 52 - Int(fraction.exponent), m = UInt128(fraction.significandBitPattern | (fraction.isNormal ? 1 << 52 : 0))
    if k > 120 || 128 - rest.leadingZeroBitCount + k > 127 { return .greater }     // 2^k exceeds m × denominator
    let a = rest << UInt128(k), b = m * UInt128(denominator)
    return a < b ? .less : a == b ? .equal : .greater
  }
}
