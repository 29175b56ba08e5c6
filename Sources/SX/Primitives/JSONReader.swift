/// Reads JSON (RFC 8259, strictly) straight off the bytes of a string. Keeps its own stack, so depth costs memory only.
struct JSONReader: ~Copyable {
  /// A container whose members are being read: they wait in `values` from `first` on, for an object keys and values in turn.
  private struct Open {
    let first: Int
    let isObject: Bool
  }

  private let machine: Machine
  private let p: UnsafeMutablePointer<UInt8>
  private let n: Int
  /// The text has only ASCII, so every piece of it has as many scalars as bytes.
  private let isASCII: Bool
  private var i = 0
  private var values: [Value] = []
  private var open: [Open] = []
  private var scratch = ByteWriter(capacity: 64)
  /// Keys seen lately, by a cheap hash: an array of like objects has one cell for each key.
  private let keys: UnsafeMutablePointer<Value>
  private static let keySlots = 256
  private static let longestCachedKey = 40

  /// `text` must be a string and stay alive.
  init(_ text: Value, _ machine: Machine) {
    self.machine = machine
    p = text.bytes
    n = text.byteCount
    isASCII = text.isASCII
    keys = .allocate(capacity: JSONReader.keySlots)
    keys.initialize(repeating: .nil, count: JSONReader.keySlots)
  }
  deinit { keys.deallocate() }

  mutating func decode() throws -> Value {
    while true {
      // At the beginning of a value.
      skipBlanks()
      guard i < n else { throw expected("a value") }
      let v: Value
      switch p[i] {
      case UInt8(ascii: "\""): v = try string(isKey: false)
      case UInt8(ascii: "{"):
        i &+= 1
        skipBlanks()
        if i < n, p[i] == UInt8(ascii: "}") {
          i &+= 1
          v = machine.heap.dict()
          break
        }
        open.append(Open(first: values.count, isObject: true))
        try key("a string or }")
        continue
      case UInt8(ascii: "["):
        i &+= 1
        skipBlanks()
        if i < n, p[i] == UInt8(ascii: "]") {
          i &+= 1
          v = machine.heap.emptyList()
          break
        }
        open.append(Open(first: values.count, isObject: false))
        continue
      case UInt8(ascii: "-"), 0x30...0x39: v = try number()
      case UInt8(ascii: "t"): v = try word("true", .true)
      case UInt8(ascii: "f"): v = try word("false", .false)
      case UInt8(ascii: "n"): v = try word("null", .nil)
      default: throw expected("a value")
      }
      if try finish(v) { return values[0] }
    }
  }

  /// After a value: closes what closes. True at the end of the text; else the next value follows.
  private mutating func finish(_ v: Value) throws -> Bool {
    values.append(v)
    try machine.charge(1, holding: values.count &* 8)
    while true {
      skipBlanks()
      guard let container = open.last else {
        guard i == n else { throw expected("the end of the text") }
        return true
      }
      guard i < n else { throw expected(container.isObject ? ", or }" : ", or ]") }
      let b = p[i]
      if b == UInt8(ascii: ",") {
        i &+= 1
        if container.isObject {
          skipBlanks()
          try key("a string")
        }
        return false
      }
      guard b == (container.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { throw expected(container.isObject ? ", or }" : ", or ]") }
      i &+= 1
      open.removeLast()
      let count = values.count &- container.first
      if count > 1 << 12 { try machine.reserve(growing: count * (container.isObject ? 64 : 8)) }
      let made = container.isObject ? dict(from: container.first) : list(from: container.first)
      values.removeLast(count)
      values.append(made)
    }
  }

  private func list(from first: Int) -> Value {
    values.withUnsafeBufferPointer { all in
      guard let base = all.baseAddress else { return machine.heap.emptyList() }
      return machine.heap.list(base + first, all.count &- first)
    }
  }
  private func dict(from first: Int) -> Value {
    let d = machine.heap.dict(capacity: (values.count &- first) / 2)
    for k in stride(from: first, to: values.count, by: 2) { machine.heap.set(d, values[k], values[k &+ 1]) }
    return d
  }

  // MARK: Parts

  @inline(__always) private mutating func skipBlanks() {
    while i < n, p[i] <= 0x20, p[i] == 0x20 || p[i] == 0x0A || p[i] == 0x0D || p[i] == 0x09 { i &+= 1 }
  }

  private mutating func key(_ what: String) throws {
    guard i < n, p[i] == UInt8(ascii: "\"") else { throw expected(what) }
    values.append(try string(isKey: true))
    skipBlanks()
    guard i < n, p[i] == UInt8(ascii: ":") else { throw expected(":") }
    i &+= 1
  }

  private mutating func word(_ s: StaticString, _ v: Value) throws -> Value {
    let count = s.utf8CodeUnitCount
    guard n &- i >= count, Bytes.equal(p + i, s.utf8Start, count) else { throw expected("a value") }
    i &+= count
    return v
  }

  private mutating func string(isKey: Bool) throws -> Value {
    let start = i &+ 1
    let end = JSONText.firstSpecial(p, from: start, n)
    guard end < n, p[end] == UInt8(ascii: "\"") else {
      i = end
      return try escapedString(from: start)
    }
    i = end &+ 1
    if isKey, end &- start <= JSONReader.longestCachedKey { return cachedKey(p + start, end &- start) }
    return machine.heap.string(p + start, end &- start, scalars: isASCII ? end &- start : nil)
  }

  private func cachedKey(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Value {
    var hash = UInt64(truncatingIfNeeded: count)
    if count >= 8 {
      let raw = UnsafeRawPointer(bytes)
      hash ^= raw.loadUnaligned(as: UInt64.self) ^ raw.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self) &* 31
    } else {
      for k in 0..<count { hash = hash &<< 8 ^ hash &>> 56 ^ UInt64(bytes[k]) }
    }
    let slot = keys + Int(truncatingIfNeeded: (hash &* 0x9E37_79B9_7F4A_7C15) &>> 56)
    let known = slot.pointee
    if !known.isNil, known.byteCount == count, Bytes.equal(known.bytes, bytes, count) { return known }
    slot.pointee = machine.heap.string(bytes, count, scalars: isASCII ? count : nil)
    return slot.pointee
  }

  /// The rest of a string that has escapes; `i` is at the first special byte.
  private mutating func escapedString(from start: Int) throws -> Value {
    scratch.removeAll()
    scratch.append(p + start, i &- start)
    while true {
      guard i < n else { throw expected("\" at the end of a string") }
      if p[i] == UInt8(ascii: "\"") { break }
      guard p[i] == UInt8(ascii: "\\") else { throw expected("an escape in place of a control character") }
      i &+= 1
      try escape()
      let next = JSONText.firstSpecial(p, from: i, n)
      scratch.append(p + i, next &- i)
      i = next
    }
    i &+= 1
    return machine.heap.string(scratch)
  }

  private mutating func escape() throws {
    guard i < n else { throw expected("an escape") }
    switch p[i] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scratch.append(p[i])
    case UInt8(ascii: "n"): scratch.append(0x0A)
    case UInt8(ascii: "t"): scratch.append(0x09)
    case UInt8(ascii: "r"): scratch.append(0x0D)
    case UInt8(ascii: "b"): scratch.append(0x08)
    case UInt8(ascii: "f"): scratch.append(0x0C)
    case UInt8(ascii: "u"):
      let at = i &- 1
      var code = try hexadecimal()
      if code & 0xFC00 == 0xD800, i &+ 1 < n, p[i] == UInt8(ascii: "\\"), p[i &+ 1] == UInt8(ascii: "u") {
        i &+= 1
        let low = try hexadecimal()
        if low & 0xFC00 == 0xDC00 { code = 0x1_0000 &+ (code & 0x3FF) &<< 10 &+ (low & 0x3FF) }
      }
      guard let scalar = Unicode.Scalar(code) else {
        i = at
        throw expected("a surrogate pair")
      }
      return scratch.append(scalar)
    default: throw expected("an escape")
    }
    i &+= 1
  }
  /// Four digits behind the `u` at `i`.
  private mutating func hexadecimal() throws -> UInt32 {
    i &+= 1
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard i < n, let digit = Character(Unicode.Scalar(p[i])).hexDigitValue else { throw expected("four hexadecimal digits") }
      code = code &<< 4 | UInt32(digit)
      i &+= 1
    }
    return code
  }

  private mutating func number() throws -> Value {
    let start = i, negative = p[i] == UInt8(ascii: "-")
    if negative { i &+= 1 }
    var mantissa: UInt64 = 0, exponent = 0, isExact = true
    guard i < n, isDigit(p[i]) else { throw expected("a digit") }
    if p[i] == UInt8(ascii: "0") {
      i &+= 1
      if i < n, isDigit(p[i]) { throw expected("no digit after a leading zero") }
    } else {
      _ = digits(&mantissa, &isExact)
    }
    var isInteger = true
    if i < n, p[i] == UInt8(ascii: ".") {
      isInteger = false
      i &+= 1
      exponent = -(try digitsOrError(&mantissa, &isExact))
    }
    if i < n, p[i] | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      i &+= 1
      let down = i < n && p[i] == UInt8(ascii: "-")
      if i < n, p[i] == UInt8(ascii: "-") || p[i] == UInt8(ascii: "+") { i &+= 1 }
      var power: UInt64 = 0, fits = true
      _ = try digitsOrError(&power, &fits)
      if !fits || power > 9999 { isExact = false } else { exponent &+= down ? -Int(power) : Int(power) }
    }
    if isInteger, isExact, mantissa <= UInt64(Int.max) { return machine.heap.int(negative ? -Int(mantissa) : Int(mantissa)) }
    if isInteger, negative, isExact, mantissa == 1 << 63 { return machine.heap.int(.min) }
    // Both factors are exact, so one correctly rounded operation gives the right double.
    if isExact, mantissa < 1 << 53, -22...22 ~= exponent {
      let power = JSONReader.powersOfTen[abs(exponent)]
      let d = exponent < 0 ? Double(mantissa) / power : Double(mantissa) * power
      return machine.heap.double(negative ? -d : d)
    }
    let d = Double(String(decoding: UnsafeBufferPointer(start: p + start, count: i &- start), as: UTF8.self)) ?? .nan
    guard d.isFinite else {
      i = start
      throw expected("a number that a float can hold")
    }
    return machine.heap.double(d)
  }
  private static let powersOfTen: [Double] = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22]

  @inline(__always) private func isDigit(_ b: UInt8) -> Bool { b &- 0x30 < 10 }

  /// Reads digits into `sum`, which stays `isExact` while it holds them all; answers how many there were.
  @inline(__always) private mutating func digits(_ sum: inout UInt64, _ isExact: inout Bool) -> Int {
    let start = i
    while i < n, isDigit(p[i]) {
      let (product, o1) = sum.multipliedReportingOverflow(by: 10)
      let (next, o2) = product.addingReportingOverflow(UInt64(p[i] &- 0x30))
      if o1 || o2 { isExact = false }
      sum = next
      i &+= 1
    }
    return i &- start
  }
  private mutating func digitsOrError(_ sum: inout UInt64, _ isExact: inout Bool) throws -> Int {
    let count = digits(&sum, &isExact)
    if count == 0 { throw expected("a digit") }
    return count
  }

  private func expected(_ what: String) -> Raise {
    machine.error("json-decode: expected \(what) at offset \(Bytes.scalarCount(p, min(i, n)))")
  }
}
