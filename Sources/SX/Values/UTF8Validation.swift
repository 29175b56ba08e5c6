extension Bytes {
  /// Offset of the first byte that is no part of valid UTF-8.
  static func firstInvalidUTF8(_ bytes: [UInt8]) -> Int? {
    bytes.withUnsafeBufferPointer { all in
      guard let base = all.baseAddress else { return nil }
      return scanUTF8(base, all.count).invalid
    }
  }

  /// How many scalars the bytes spell; nil when they are not UTF-8.
  static func validScalarCount(_ p: UnsafePointer<UInt8>, _ n: Int) -> Int? {
    let (scalars, invalid) = scanUTF8(p, n)
    return invalid == nil ? scalars : nil
  }

  private static func scanUTF8(_ p: UnsafePointer<UInt8>, _ n: Int) -> (scalars: Int, invalid: Int?) {
    var i = 0, scalars = 0
    while i < n {
      // Eight ASCII characters at a time.
      if i &+ 8 <= n, UnsafeRawPointer(p).loadUnaligned(fromByteOffset: i, as: UInt64.self) & 0x8080_8080_8080_8080 == 0 {
        i &+= 8
        scalars &+= 8
        continue
      }
      let b = p[i]
      scalars &+= 1
      if b < 0x80 {
        i &+= 1
        continue
      }
      let width = b >= 0xF0 && b < 0xF5 ? 4 : b >= 0xE0 && b < 0xF0 ? 3 : b >= 0xC2 && b < 0xE0 ? 2 : 0
      guard width > 0, i + width <= n else { return (scalars, i) }
      for j in 1..<width where p[i + j] & 0xC0 != 0x80 { return (scalars, i) }
      let second = p[i + 1]
      // Overlong forms, surrogates, and codes beyond U+10FFFF.
      if b == 0xE0 && second < 0xA0 || b == 0xED && second > 0x9F || b == 0xF0 && second < 0x90 || b == 0xF4 && second > 0x8F { return (scalars, i) }
      i &+= width
    }
    return (scalars, nil)
  }
}
