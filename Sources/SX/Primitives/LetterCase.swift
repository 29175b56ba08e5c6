extension NativeTable {
  mutating func installLetterCase() {
    add("upper", required("string", .string), growth: 1, doc: "The string in capital letters; a letter may become several.", example: "(upper \"straße\") → \"STRASSE\"") { m, args in
      try LetterCase.map(args[0], m, "upper", letters: 0x61...0x7A) { $0.properties.uppercaseMapping }
    }
    alias("upcase")
    alias("string-upcase")
    add("lower", required("string", .string), growth: 1, doc: "The string in small letters.", example: "(lower \"ABC\") → \"abc\"") { m, args in
      try LetterCase.map(args[0], m, "lower", letters: 0x41...0x5A) { $0.properties.lowercaseMapping }
    }
    alias("downcase")
    alias("string-downcase")
    add("trim", required("string", .string), doc: "The string without white space at both ends.", example: "(trim \" a b \\n\") → \"a b\"") { m, args in LetterCase.trim(args[0], m, left: true, right: true) }
    add("trim-left", required("string", .string), doc: "The string without white space at its beginning.", example: "(trim-left \" a \") → \"a \"") { m, args in LetterCase.trim(args[0], m, left: true, right: false) }
    add("trim-right", required("string", .string), doc: "The string without white space at its end.", example: "(trim-right \" a \") → \" a\"") { m, args in LetterCase.trim(args[0], m, left: false, right: true) }
  }
}

/// Properties of letters: case and white space.
enum LetterCase {
  /// `letters` are the ASCII letters that change, all of them by flipping bit 5.
  static func map(_ s: Value, _ machine: Machine, _ name: StaticString, letters: ClosedRange<UInt8>, _ mapping: (Unicode.Scalar) -> String) throws -> Value {
    let n = s.byteCount, p = s.bytes, low = letters.lowerBound
    if s.isASCII {
      let result = machine.heap.string(uninitialized: n, scalars: n), out = result.bytes
      for i in 0..<n { out[i] = p[i] ^ (p[i] &- low < 26 ? 0x20 : 0) }
      return result
    }
    var out = ByteWriter(capacity: n + 16), i = 0
    while i < n {
      if p[i] < 0x80 {
        out.append(p[i] ^ (p[i] &- low < 26 ? 0x20 : 0))
        i += 1
      } else {
        let (scalar, width) = UTF8Text.decode(p + i)
        out.append(mapping(scalar))
        i += width
      }
    }
    return try machine.string(name, out)
  }

  /// Bytes of the white space at `p`, or 0.
  @inline(__always) static func whiteSpace(_ p: UnsafePointer<UInt8>) -> Int {
    if p[0] < 0x80 { return p[0] == 0x20 || p[0] &- 9 < 5 ? 1 : 0 }
    let (scalar, width) = UTF8Text.decode(p)
    return scalar.properties.isWhitespace ? width : 0
  }

  static func trim(_ s: Value, _ machine: Machine, left: Bool, right: Bool) -> Value {
    let p = s.bytes
    var start = 0, end = s.byteCount
    defer { machine.heap.countSteps(start + s.byteCount - end) }
    while left, start < end {
      let width = whiteSpace(p + start)
      if width == 0 { break }
      start += width
    }
    while right, end > start {
      var last = end - 1
      while p[last] & 0xC0 == 0x80 { last -= 1 }
      if whiteSpace(p + last) == 0 { break }
      end = last
    }
    if end - start == s.byteCount { return s }
    return machine.heap.string(p + start, end - start, scalars: s.isASCII ? end - start : nil)
  }
}
