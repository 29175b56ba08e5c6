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
  static func number(_ v: Value) -> Double? {
    if let f = float(v) { return f }
    return integer(v).map(Double.init)
  }
  static func isNumber(_ v: Value) -> Bool { v.isFix || v.isFlo || v.isKind(.int) || v.isKind(.double) }

  /// nil when either is no number.
  static func equal(_ a: Value, _ b: Value) -> Bool? {
    if let x = integer(a) {
      if let y = integer(b) { return x == y }
      if let y = float(b) { return compare(x, y) == .equal }
      return nil
    }
    guard let x = float(a) else { return nil }
    if let y = float(b) { return x == y }
    if let y = integer(b) { return compare(y, x) == .equal }
    return nil
  }

  enum Order { case less, equal, greater, unordered }
  static func compare(_ a: Value, _ b: Value) -> Order? {
    if let x = integer(a) {
      if let y = integer(b) { return x < y ? .less : x == y ? .equal : .greater }
      if let y = float(b) { return compare(x, y) }
      return nil
    }
    guard let x = float(a) else { return nil }
    if let y = float(b) { return x < y ? .less : x == y ? .equal : x > y ? .greater : .unordered }
    guard let y = integer(b) else { return nil }
    switch compare(y, x) {
    case .less: return .greater
    case .greater: return .less
    case let same: return same
    }
  }
  /// Exactly, also where the integer has more digits than a double holds.
  private static func compare(_ i: Int, _ d: Double) -> Order {
    if d.isNaN { return .unordered }
    if d >= 9_223_372_036_854_775_808 { return .less }
    if d < -9_223_372_036_854_775_808 { return .greater }
    let whole = Int(d.rounded(.towardZero))
    if i != whole { return i < whole ? .less : .greater }
    let fraction = d - d.rounded(.towardZero)
    return fraction > 0 ? .less : fraction < 0 ? .greater : .equal
  }

  /// Integers stay integers until 64 bits overflow, then the result is a float. nil when either is no number.
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
    guard let x = number(a), let y = number(b) else { return nil }
    switch operation {
    case .add: return heap.double(x + y)
    case .subtract: return heap.double(x - y)
    case .multiply: return heap.double(x * y)
    }
  }

  /// The integer nearest to a whole double; the double itself when it lies beyond 64 bits.
  static func integral(_ d: Double, _ heap: Heap) -> Value {
    if d >= -9_223_372_036_854_775_808, d < 9_223_372_036_854_775_808 { return heap.int(Int(d)) }
    return heap.double(d)
  }
}
