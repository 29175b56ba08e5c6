/// What strings are made of: display forms, pieces, and the limit on their size.
extension Machine {
  /// Strings count their bytes in 32 bits.
  static let longestString = Int(UInt32.max)

  /// A string for the caller to fill, once its size is known to be allowed.
  func string(_ name: StaticString, uninitialized count: Int, scalars: Int) throws -> Value {
    if count > 1 << 20 { try checkLength(name, count) }
    return heap.string(uninitialized: count, scalars: scalars)
  }
  func string(_ name: StaticString, _ writer: borrowing ByteWriter) throws -> Value {
    if writer.isCut { throw Interruption.memory }
    try obeyVerdict()
    if writer.count > 1 << 20 { try checkLength(name, writer.count) }
    return heap.string(writer)
  }
  /// Before a long string is made: afterwards would be too late for a host that limits memory.
  @inline(never) func checkLength(_ name: StaticString, _ count: Int) throws {
    if count > Machine.longestString { throw error("\(name): result too long", hint: "a string holds at most 4 GB") }
    if heap.byteLimit != .max, count > heap.byteLimit - heap.bytesInUse { throw Interruption.heap }
    try reserve(bytes: count)
  }

  /// Where a text first stands in another one, in bytes. Searching passes several bytes in a step.
  func find(_ part: Value, in text: Value) throws -> Int? {
    let place = Bytes.find(part.utf8, in: text.utf8)
    try charge((place ?? text.byteCount) >> 2)
    return place
  }

  // MARK: Display forms

  /// `str` of the values.
  func str(_ values: UnsafePointer<Value>, _ n: Int) throws -> Value {
    // Nearly always there are only strings and integers: measure, then write straight into the new string.
    var bytes = 0, scalars = 0
    for i in 0..<n {
      let v = values[i]
      if v.isString {
        bytes &+= v.byteCount
        scalars &+= v.length
      } else if v.isFix {
        let width = Decimal.width(v.fixValue)
        bytes &+= width
        scalars &+= width
      } else if !v.isNil {
        return try strOfAny(values, n)
      }
    }
    if n == 1, values[0].isString { return values[0] }
    let (result, done) = try (n > 0 ? continued(values[0], bytes, scalars) : nil) ?? (string("str", uninitialized: bytes, scalars: scalars), 0)
    var out = result.bytes
    if done > 0 { out += values[0].byteCount }
    for i in done..<n {
      let v = values[i]
      if v.isFix {
        out += Decimal.write(v.fixValue, out)
      } else if !v.isNil {
        let count = v.byteCount
        out.update(from: v.bytes, count: count)
        out += count
      }
    }
    return result
  }
  /// A string that begins with the first value, and how many values are in place: none when the bytes are not shared.
  @inline(__always) private func continued(_ first: Value, _ bytes: Int, _ scalars: Int) throws -> (Value, Int)? {
    guard first.isString, first.byteCount >= Heap.shortestContinuedText, first.byteCount > bytes &>> 1 else { return nil }
    if let result = try share(first, bytes, scalars) { return (result, 1) }
    let result = try string("str", uninitialized: bytes, scalars: scalars)
    result.cell[0] |= .continuedTextBit
    return (result, 0)
  }
  @inline(never) private func share(_ first: Value, _ bytes: Int, _ scalars: Int) throws -> Value? {
    if bytes > 1 << 20 {
      try checkLength("str", bytes)
      // Room to grow is worth having, and no reason to fail.
      guard heap.has(2 * bytes), heap.byteLimit == .max || 2 * bytes < heap.byteLimit - heap.bytesInUse else { return nil }
    }
    return heap.continued(first, bytes, scalars: scalars)
  }
  @inline(never) private func strOfAny(_ values: UnsafePointer<Value>, _ n: Int) throws -> Value {
    // The strings among them are what can be measured; while they are gathered, they may be there twice.
    let strings = (0..<n).reduce(0) { $0 + (values[$1].isString ? values[$1].byteCount : 0) }
    if strings > 1 << 20 {
      try checkLength("str", strings)
      try reserve(bytes: 3 * strings)
    }
    var out = ByteWriter(capacity: max(256, strings + strings / 8))
    for i in 0..<n { appendDisplay(values[i], to: &out) }
    return try string("str", out)
  }

  /// `str` of one value; a string is answered as it is.
  func displayString(_ v: Value) throws -> Value {
    if v.isString { return v }
    return try withUnsafePointer(to: v) { try str($0, 1) }
  }

  /// The form in which `str` shows a value.
  func appendDisplay(_ v: Value, to out: inout ByteWriter) {
    if v.isString || v.isKind(.symbol) {
      out.append(v.utf8)
    } else if let i = Arithmetic.integer(v) {
      out.append(decimal: i)
    } else if let d = Arithmetic.float(v) {
      out.append(Numbers.format(d, point: false))
    } else if v.isCharacter {
      out.append(v.scalar)
    } else if let failure = v.object(as: ErrorObject.self) {
      out.append(failure.message)
    } else if !v.isNil {
      var printer = Printer(self, .write)
      printer.print(v)
      printer.out.withUnsafeBufferPointer { out.append($0) }
    }
  }

  // MARK: Pieces

  /// The scalars `from..<to`, which must lie within the string. O(1) and a copy for ASCII.
  func stringSlice(_ s: Value, _ from: Int, _ to: Int) -> Value {
    if from == 0, to == s.length { return s }
    if s.isASCII { return heap.string(s.bytes + from, to - from, scalars: to - from) }
    let start = heap.byteOffset(of: s, scalar: from)
    let length = Bytes.offset(ofScalar: to - from, s.bytes + start, s.byteCount - start)
    return heap.string(s.bytes + start, length, scalars: to - from)
  }

  /// Index of the first occurrence at or after the scalar `from`.
  func stringIndex(of part: Value, in s: Value, from: Int) -> Int? {
    guard from <= s.length else { return nil }
    guard let at = Bytes.find(part.utf8, in: s.utf8, from: heap.byteOffset(of: s, scalar: from)) else { return nil }
    return s.isASCII ? at : Bytes.scalarCount(s.bytes, at)
  }

  /// The string of one scalar; `index` must lie within the string.
  func stringScalar(_ s: Value, at index: Int) -> Value {
    let p = s.bytes + heap.byteOffset(of: s, scalar: index)
    return heap.string(p, UTF8Text.width(p[0]), scalars: 1)
  }
}

extension Heap {
  func string(_ scalar: Unicode.Scalar) -> Value {
    let v = string(uninitialized: UTF8Text.width(of: scalar), scalars: 1)
    _ = UTF8Text.encode(scalar, v.bytes)
    return v
  }
}

extension UTF8Text {
  static func width(of scalar: Unicode.Scalar) -> Int {
    scalar.value < 0x80 ? 1 : scalar.value < 0x800 ? 2 : scalar.value < 0x1_0000 ? 3 : 4
  }
}
