extension NativeTable {
  mutating func installStringNumbers() {
    add("parse-int", required("value"), optional("default"), walks: true, doc: "The integer that a string spells, white space around it aside; `default` (nil) when it spells none. A number loses its fraction.", example: "(parse-int \" 42 \") → 42") { m, args in
      StringNumbers.integer(args[0], m) ?? args.optional(1) ?? .nil
    }
    add("parse-float", required("value"), optional("default"), walks: true, doc: "The number that a string spells, as a float; `default` (nil) when it spells none.", example: "(parse-float \"2.5\") → 2.5") { m, args in
      if let d = Arithmetic.number(args[0]) { return m.heap.double(d) }
      guard args[0].isString else { return args.optional(1) ?? .nil }
      let text = LetterCase.trim(args[0], m, left: true, right: true)
      guard let v = Numbers.parse(text.utf8, m.heap), let d = Arithmetic.number(v) else { return args.optional(1) ?? .nil }
      return m.heap.double(d)
    }
    add("number->string", required("number", .number), optional("radix", .integer), doc: "The number as `string->number` reads it back, in a radix from 2 to 36 (10).", example: "(number->string 255 16) → \"ff\"") { m, args in
      let radix = try m.radix("number->string", args)
      if let x = Arithmetic.exact(args[0]) { return m.heap.string(String(x.numerator, radix: radix) + (x.denominator == 1 ? "" : "/" + String(x.denominator, radix: radix))) }
      guard radix == 10 else { throw m.error("number->string: a float has a text in radix 10 only") }
      return m.heap.string(Numbers.format(args.number(0), point: true))
    }
    add("string->number", required("string", .string), optional("radix", .integer), walks: true, doc: "The number that the whole string spells in a radix from 2 to 36 (10), or nil.", example: "(string->number \"ff\" 16) → 255") { m, args in
      let radix = try m.radix("string->number", args), text = args[0].utf8
      if radix == 10 { return Numbers.parse(text, m.heap) ?? .nil }
      let sign = text.first.map { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") ? 1 : 0 } ?? 0
      return Numbers.integer(text, from: sign, radix: radix, text.first == UInt8(ascii: "-"), m.heap) ?? Numbers.rational(text, radix: radix, m.heap) ?? .nil
    }
    add("format-decimal", required("number", .number), optional("digits", .integer), doc: "The number with a fixed number of digits (2) behind the point, correctly rounded.", example: "(format-decimal 3.14159 2) → \"3.14\"") { m, args in
      let digits = args.integer(1, default: 2)
      guard 0...1000 ~= digits else { throw m.error("format-decimal: argument 2: expected 0 to 1000 digits, got \(digits)") }
      if let i = Arithmetic.integer(args[0]) { return m.heap.string(digits == 0 ? "\(i)" : "\(i)." + String(repeating: "0", count: digits)) }
      return m.heap.string(FixedPoint.format(args.number(0), digits: digits))
    }
  }
}

extension Machine {
  fileprivate func radix(_ name: String, _ args: Arguments) throws -> Int {
    let radix = args.integer(1, default: 10)
    guard 2...36 ~= radix else { throw error("\(name): argument 2: expected a radix from 2 to 36, got \(radix)") }
    return radix
  }
}

enum StringNumbers {
  static func integer(_ v: Value, _ machine: Machine) -> Value? {
    if Arithmetic.integer(v) != nil { return v }
    if let x = Arithmetic.rational(v) { return machine.heap.int(x.rounded(.towardZero)) }
    if let d = Arithmetic.float(v) { return d.isFinite ? Arithmetic.integral(d.rounded(.towardZero), machine.heap) : nil }
    guard v.isString else { return nil }
    let text = LetterCase.trim(v, machine, left: true, right: true).utf8
    let sign = text.first == UInt8(ascii: "-") || text.first == UInt8(ascii: "+") ? 1 : 0
    return Numbers.integer(text, from: sign, radix: 10, text.first == UInt8(ascii: "-"), machine.heap)
  }
}

/// Doubles with a fixed number of digits behind the point. Exact: a double is an integer times a power of two, and the
/// rounding looks at that, so 2.675 (which is a little less) becomes 2.67, and a tie goes to the even digit.
enum FixedPoint {
  static func format(_ d: Double, digits: Int) -> String {
    guard d.isFinite else { return Numbers.format(d, point: false) }
    let mantissa = d.isNormal ? d.significandBitPattern | 1 << 52 : d.significandBitPattern
    let exponent = (d.isNormal ? Int(d.exponentBitPattern) : 1) - 1075
    var n = Magnitude(mantissa)
    for _ in 0..<digits { n.multiply(by: 10) }
    if exponent >= 0 { n.shiftLeft(exponent) } else { n.shiftRightRounding(-exponent) }
    var text = n.decimal
    if text.utf8.count <= digits { text = String(repeating: "0", count: digits + 1 - text.utf8.count) + text }
    if digits > 0 { text = text.dropLast(digits) + "." + text.suffix(digits) }
    let negative = d < 0 && text.utf8.contains { $0 > UInt8(ascii: "0") }       // no "-0.00"
    return negative ? "-" + text : text
  }

  /// A natural number of any size, least significant word first.
  private struct Magnitude {
    var words: [UInt32]

    init(_ n: UInt64) { words = [UInt32(truncatingIfNeeded: n), UInt32(truncatingIfNeeded: n >> 32)] }

    mutating func multiply(by factor: UInt64) {
      var carry: UInt64 = 0
      for i in words.indices {
        carry += UInt64(words[i]) * factor
        words[i] = UInt32(truncatingIfNeeded: carry)
        carry >>= 32
      }
      if carry > 0 { words.append(UInt32(carry)) }
    }
    mutating func shiftLeft(_ bits: Int) {
      multiply(by: 1 << UInt64(bits % 32))
      words.insert(contentsOf: repeatElement(0, count: bits / 32), at: 0)
    }
    /// Half goes to even.
    mutating func shiftRightRounding(_ bits: Int) {
      let whole = (bits - 1) / 32, part = UInt32((bits - 1) % 32)
      guard whole < words.count else {
        words = [0]
        return
      }
      var rest = words[..<whole].contains { $0 != 0 } || words[whole] & (1 << part - 1) != 0
      let half = words[whole] >> part & 1 == 1
      words.removeFirst(whole)
      words.append(0)
      for i in 0..<(words.count - 1) {                       // by part + 1 bits, which may be 32
        let both = UInt64(words[i]) | UInt64(words[i + 1]) << 32
        words[i] = UInt32(truncatingIfNeeded: both >> UInt64(part + 1))
      }
      rest = rest || words[0] & 1 == 1
      guard half, rest else { return }
      var i = 0
      while true {
        words[i] &+= 1
        if words[i] != 0 { return }
        i += 1
      }
    }
    var decimal: String {
      var rest = words, groups: [String] = []
      while let top = rest.last {
        if top == 0 {
          rest.removeLast()
          continue
        }
        var remainder: UInt64 = 0
        for i in rest.indices.reversed() {
          remainder = remainder << 32 | UInt64(rest[i])
          rest[i] = UInt32(truncatingIfNeeded: remainder / 1_000_000_000)
          remainder %= 1_000_000_000
        }
        groups.append(String(remainder))
      }
      guard let first = groups.last else { return "0" }
      return groups.dropLast().reversed().reduce(first) { $0 + String(repeating: "0", count: 9 - $1.utf8.count) + $1 }
    }
  }
}
