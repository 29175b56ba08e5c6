/// How single values stand in the JSON encoding of OTLP.

/// Integers of 64 bits: decimal text, as the encoding demands, or numbers, as it allows.
enum OTLPInteger {
  static func signed(_ v: Value) -> Int? {
    if let i = Arithmetic.integer(v) { return i }
    if v.isString { return Decimal.parse(v.utf8) }
    return Arithmetic.float(v).flatMap { Int(exactly: $0) }
  }
  static func unsigned(_ v: Value) -> UInt64? {
    if v.isString { return v.byteCount < 19 ? Decimal.parse(v.utf8).flatMap { UInt64(exactly: $0) } : UInt64(v.text) }
    return signed(v).flatMap { UInt64(exactly: $0) }
  }
}

extension Decimal {
  /// The integer that all of the text is; nil when it is none or has more than 64 bits.
  static func parse(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
    let isNegative = text.first == UInt8(ascii: "-")
    let digits = isNegative ? text.dropFirst() : text[...]
    guard !digits.isEmpty else { return nil }
    // Downwards, because there is one negative number more.
    var value = 0
    for byte in digits {
      guard byte &- 0x30 < 10 else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflowToo) = product.subtractingReportingOverflow(Int(byte &- 0x30))
      if overflow || overflowToo { return nil }
      value = sum
    }
    return isNegative ? value : value == .min ? nil : -value
  }
}

/// Doubles: numbers, and text for the three that JSON has no numbers for.
enum OTLPDouble {
  static func value(_ d: Double, _ heap: Heap) -> Value {
    if d.isFinite { return heap.double(d) }
    return d.isNaN ? heap.constantString("NaN") : heap.constantString(d > 0 ? "Infinity" : "-Infinity")
  }
  static func number(_ v: Value) -> Double? {
    guard v.isString else { return Arithmetic.number(v) }
    switch v.text {
    case "NaN": return .nan
    case "Infinity": return .infinity
    case "-Infinity": return -.infinity
    case let text: return text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x3A || $0 | 0x20 == UInt8(ascii: "e") } ? Double(text) : nil
    }
  }
}

/// Two lower-case digits a byte.
enum Hexadecimal {
  static func encode(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ heap: Heap) -> Value {
    let text = heap.string(uninitialized: 2 * count, scalars: 2 * count)
    let out = text.bytes
    for k in 0..<count {
      out[2 * k] = digit(bytes[k] >> 4)
      out[2 * k + 1] = digit(bytes[k] & 15)
    }
    return text
  }
  @inline(__always) private static func digit(_ n: UInt8) -> UInt8 { n < 10 ? 0x30 + n : 0x57 + n }

  /// nil unless every pair of characters is two digits, in either case.
  static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    guard text.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 2)
    for k in stride(from: 0, to: text.count, by: 2) {
      guard let high = value(text[k]), let low = value(text[k + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }
  private static func value(_ byte: UInt8) -> UInt8? {
    if byte >= 0x30, byte <= 0x39 { return byte - 0x30 }
    let letter = byte | 0x20
    return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : nil
  }
}

/// Base64 (RFC 4648), with padding.
enum Base64 {
  private static let digits: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

  static func encode(_ bytes: UnsafeBufferPointer<UInt8>, _ heap: Heap) -> Value {
    let count = (bytes.count + 2) / 3 * 4
    let text = heap.string(uninitialized: count, scalars: count)
    let out = text.bytes
    for (group, from) in stride(from: 0, to: bytes.count, by: 3).enumerated() {
      let left = bytes.count - from
      let bits = Int(bytes[from]) << 16 | (left > 1 ? Int(bytes[from + 1]) << 8 : 0) | (left > 2 ? Int(bytes[from + 2]) : 0)
      for k in 0..<4 { out[4 * group + k] = k > left ? UInt8(ascii: "=") : digits.utf8Start[bits >> (18 - 6 * k) & 63] }
    }
    return text
  }

  /// nil for what is no base64. The URL-safe letters are taken too, and padding may be missing, as the JSON mapping of protobuf allows.
  static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    var end = text.count
    while end > 0, text.count - end < 2, text[end - 1] == UInt8(ascii: "=") { end -= 1 }
    guard end % 4 != 1 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(end / 4 * 3 + 2)
    var bits = 0, have = 0
    for k in 0..<end {
      guard let digit = value(text[k]) else { return nil }
      bits = (bits << 6 | digit) & 0xFFFF
      have += 6
      if have >= 8 {
        have -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> have))
      }
    }
    return bytes
  }
  private static func value(_ byte: UInt8) -> Int? {
    switch byte {
    case 0x41...0x5A: Int(byte) - 0x41
    case 0x61...0x7A: Int(byte) - 0x61 + 26
    case 0x30...0x39: Int(byte) - 0x30 + 52
    case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
    case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
    default: nil
    }
  }
}
