/// Numbers of every kind: what the machine's fast paths leave over.
enum Arithmetic {
  enum Operation { case add, subtract, multiply }

  static func integer(_ v: Value) -> Int? {
    if v.isFix { return v.fixValue }
    return v.isKind(.int) ? Int(Int64(bitPattern: v.cell[1])) : nil
  }
  static func float(_ v: Value) -> Double? {
    if v.isFlo { return v.floValue }
    return v.isKind(.double) ? Double(bitPattern: v.cell[1]) : nil
  }
  static func rational(_ v: Value) -> Rational? {
    v.isKind(.rational) ? Rational(numerator: Int(Int64(bitPattern: v.cell[1])), denominator: Int(Int64(bitPattern: v.cell[2]))) : nil
  }
  /// An integer or rational as a fraction.
  static func exact(_ v: Value) -> Rational? { integer(v).map { Rational(numerator: $0, denominator: 1) } ?? rational(v) }
  static func number(_ v: Value) -> Double? {
    if let f = float(v) { return f }
    return integer(v).map(Double.init) ?? rational(v)?.double
  }
  static func isNumber(_ v: Value) -> Bool {
    if v.isFix || v.isFlo { return true }
    switch v.kind {
    case .int, .double, .rational: return true
    default: return false
    }
  }

  typealias Order = Rational.Order

  /// By value, across kinds. nil when either is no number.
  static func equal(_ a: Value, _ b: Value) -> Bool? {
    if let x = integer(a), let y = integer(b) { return x == y }
    if let x = float(a), let y = float(b) { return x == y }
    return compare(a, b).map { $0 == .equal }
  }

  /// Exactly, also where one side has more digits than a double holds. nil when either is no number.
  static func compare(_ a: Value, _ b: Value) -> Order? {
    if let x = exact(a) {
      if let y = exact(b) { return x.compare(y) }
      return float(b).map { x.compare($0) }
    }
    guard let x = float(a) else { return nil }
    if let y = float(b) { return x < y ? .less : x == y ? .equal : x > y ? .greater : .unordered }
    guard let y = exact(b) else { return nil }
    switch y.compare(x) {
    case .less: return .greater
    case .greater: return .less
    case let same: return same
    }
  }

  /// Integers and rationals stay exact until 64 bits overflow, then the result is the nearest float. nil when either is no number.
  static func apply(_ operation: Operation, _ a: Value, _ b: Value, _ heap: Heap) -> Value? {
    if let x = integer(a), let y = integer(b) {
      let (result, overflow) =
        switch operation {
        case .add: x.addingReportingOverflow(y)
        case .subtract: x.subtractingReportingOverflow(y)
        case .multiply: x.multipliedReportingOverflow(by: y)
        }
      if !overflow { return heap.int(result) }
    }
    // The usual mixed case; an exact zero goes the long way.
    if a.isFlo, b.isFix, b != .fix(0) { return floats(operation, a.floValue, Double(b.fixValue), heap) }
    if b.isFlo, a.isFix, a != .fix(0) { return floats(operation, Double(a.fixValue), b.floValue, heap) }
    if let x = exact(a), let y = exact(b) {
      let (p, q, r, s) = (Int128(x.numerator), Int128(x.denominator), Int128(y.numerator), Int128(y.denominator))
      switch operation {
      case .add: return heap.quotient(p * s + r * q, q * s)
      case .subtract: return heap.quotient(p * s - r * q, q * s)
      case .multiply: return heap.quotient(p * r, q * s)
      }
    }
    guard let x = number(a), let y = number(b) else { return nil }
    switch operation {
    // An exact zero has no sign: it leaves that of a float zero alone, so `(- 0.0)` is -0.0.
    case .add: return a == .fix(0) ? heap.double(y) : b == .fix(0) ? heap.double(x) : heap.double(x + y)
    case .subtract: return a == .fix(0) ? heap.double(-y) : heap.double(x - y)
    case .multiply: return heap.double(x * y)
    }
  }

  private static func floats(_ operation: Operation, _ x: Double, _ y: Double, _ heap: Heap) -> Value {
    switch operation {
    case .add: heap.double(x + y)
    case .subtract: heap.double(x - y)
    case .multiply: heap.double(x * y)
    }
  }

  /// Two integers that do not divide evenly give a float; a rational operand keeps the quotient exact. nil for an exact divisor of zero. Both must be numbers.
  static func divide(_ a: Value, _ b: Value, _ heap: Heap) -> Value? {
    if a.isFix, b.isFix, b != .fix(0) {
      let x = a.fixValue, y = b.fixValue, q = x / y
      if q * y == x { return heap.int(q) }
      // Both are doubles exactly, so that one rounding is all.
      if x.magnitude < 1 << 53, y.magnitude < 1 << 53 { return heap.double(Double(x) / Double(y)) }
    }
    guard let y = exact(b) else { return heap.double((number(a) ?? .nan) / (float(b) ?? .nan)) }
    if y.numerator == 0 { return nil }
    guard let x = exact(a) else { return heap.double((float(a) ?? .nan) / y.double) }
    let n = Int128(x.numerator) * Int128(y.denominator), d = Int128(x.denominator) * Int128(y.numerator)
    if x.denominator == 1, y.denominator == 1, n % d != 0 { return heap.double(Rational.nearest(n, d)) }
    return heap.quotient(n, d)
  }

  enum Division { case quotient, remainder, modulo }
  /// Division with an integer quotient: truncated for `quotient` and `remainder`, rounded down for `modulo`. nil for an exact divisor of zero. Both must be numbers.
  static func divide(_ division: Division, _ a: Value, _ b: Value, _ heap: Heap) -> Value? {
    if let y = exact(b) {
      if y.numerator == 0 { return nil }
      if let x = exact(a) {
        // x / y = n / d, and the remainder is n mod d in units of 1 / (denominator × denominator).
        let n = Int128(x.numerator) * Int128(y.denominator), d = Int128(y.numerator) * Int128(x.denominator)
        if division == .quotient { return heap.integer(n / d) }
        var r = n % d
        if division == .modulo, r != 0, (r < 0) != (d < 0) { r += d }
        return heap.quotient(r, Int128(x.denominator) * Int128(y.denominator))
      }
    }
    let x = number(a) ?? .nan, y = number(b) ?? .nan
    if division == .quotient { return heap.double((x / y).rounded(.towardZero)) }
    let r = x.truncatingRemainder(dividingBy: y)
    guard division == .modulo, (r < 0) != (y < 0), r != 0 else { return heap.double(r) }
    return heap.double(r + y)
  }

  /// The integer nearest to a whole double; the double itself when it lies beyond 64 bits.
  static func integral(_ d: Double, _ heap: Heap) -> Value {
    if d >= -9_223_372_036_854_775_808, d < 9_223_372_036_854_775_808 { return heap.int(Int(d)) }
    return heap.double(d)
  }
}
