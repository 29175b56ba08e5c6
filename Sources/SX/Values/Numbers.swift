/// Reading and writing numbers, without any locale.
enum Numbers {
  /// The number that a whole token spells, or nil. Integers beyond 64 bits become floats.
  static func parse(_ token: UnsafeBufferPointer<UInt8>, _ heap: Heap) -> Value? {
    var i = 0, negative = false
    guard token.count > 0 else { return nil }
    if token[0] == UInt8(ascii: "-") || token[0] == UInt8(ascii: "+") {
      negative = token[0] == UInt8(ascii: "-")
      i = 1
    }
    guard i < token.count else { return nil }
    if i + 2 < token.count, token[i] == UInt8(ascii: "0"), token[i + 1] | 0x20 == UInt8(ascii: "x") {
      return integer(token, from: i + 2, radix: 16, negative, heap)
    }
    if let whole = integer(token, from: i, radix: 10, negative, heap) { return whole }
    if token[i] > UInt8(ascii: "9") || token[i] < UInt8(ascii: "0"), negative || token[0] == UInt8(ascii: "+") {
      switch String(decoding: token, as: UTF8.self) {
      case "+inf.0": return heap.double(.infinity)
      case "-inf.0": return heap.double(-.infinity)
      case "+nan.0", "-nan.0": return heap.double(.nan)
      default: break
      }
    }
    return rational(token, radix: 10, heap) ?? float(token).map(heap.double)
  }

  /// `n/d` with an optional sign in front. A part beyond 64 bits makes the quotient a float; nil for a denominator of 0.
  static func rational(_ token: UnsafeBufferPointer<UInt8>, radix: Int, _ heap: Heap) -> Value? {
    guard let slash = token.firstIndex(of: UInt8(ascii: "/")), slash > 0 else { return nil }
    let negative = token[0] == UInt8(ascii: "-"), sign = negative || token[0] == UInt8(ascii: "+") ? 1 : 0
    guard let n = integer(UnsafeBufferPointer(rebasing: token[..<slash]), from: sign, radix: radix, negative, heap),
      let d = integer(UnsafeBufferPointer(rebasing: token[(slash + 1)...]), from: 0, radix: radix, false, heap)
    else { return nil }
    if let x = Arithmetic.integer(n), let y = Arithmetic.integer(d) { return y == 0 ? nil : heap.quotient(Int128(x), Int128(y)) }
    guard let x = Arithmetic.number(n), let y = Arithmetic.number(d), y != 0 else { return nil }
    return heap.double(x / y)
  }

  /// All digits from `from` on, or nil.
  static func integer(_ token: UnsafeBufferPointer<UInt8>, from: Int, radix: Int, _ negative: Bool, _ heap: Heap) -> Value? {
    guard from < token.count else { return nil }
    var value = 0, overflow = false, approximate = 0.0
    for i in from..<token.count {
      let b = token[i]
      let digit: Int
      switch b {
      case 0x30...0x39: digit = Int(b) - 0x30
      case 0x41...0x5A: digit = Int(b) - 0x41 + 10
      case 0x61...0x7A: digit = Int(b) - 0x61 + 10
      default: return nil
      }
      guard digit < radix else { return nil }
      approximate = approximate * Double(radix) + Double(digit)
      if overflow { continue }
      let (product, o1) = value.multipliedReportingOverflow(by: radix)
      let (sum, o2) = negative ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
      overflow = o1 || o2
      value = sum
    }
    if overflow {
      if radix == 10, let exact = Double(String(decoding: token, as: UTF8.self)) { return heap.double(exact) }
      return heap.double(negative ? -approximate : approximate)
    }
    return heap.int(value)
  }

  /// Digits with a point or an exponent.
  static func float(_ token: UnsafeBufferPointer<UInt8>) -> Double? {
    var digits = 0
    for (i, b) in token.enumerated() {
      switch b {
      case 0x30...0x39: digits += 1
      case UInt8(ascii: "."): break
      case UInt8(ascii: "e"), UInt8(ascii: "E"): if digits == 0 { return nil }
      case UInt8(ascii: "+"), UInt8(ascii: "-"): if i > 0, token[i - 1] | 0x20 != UInt8(ascii: "e") { return nil }
      default: return nil
      }
    }
    guard digits > 0 else { return nil }
    var spelled = String(decoding: token, as: UTF8.self)
    if spelled.hasSuffix(".") { spelled += "0" }
    return Double(spelled)
  }

  /// Shortest text that reads back as the same double. `point`: a whole number keeps its `.0`, and what is not finite has the form that the reader knows.
  static func format(_ d: Double, point: Bool) -> String {
    if point, !d.isFinite { return d.isNaN ? "+nan.0" : d > 0 ? "+inf.0" : "-inf.0" }
    let s = d.description
    if s.hasSuffix(".0") { return point ? s : String(s.dropLast(2)) }
    return s
  }

  /// Decimal digits of an integer, appended.
  static func append(_ i: Int, to out: inout [UInt8]) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { buffer in
      var at = 20, rest = i.magnitude
      repeat {
        at -= 1
        buffer[at] = UInt8(0x30 + rest % 10)
        rest /= 10
      } while rest > 0
      if i < 0 { out.append(UInt8(ascii: "-")) }
      out.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[at..<20]))
    }
  }
}
