/// Growing memory for text that is being made: what `[UInt8]` does, without a check of uniqueness for every byte.
///
/// Invariant: the first `count` of `capacity` bytes at `bytes` are initialised, and they are whole UTF-8 scalars
/// whenever a value is made of them.
struct ByteWriter: ~Copyable {
  private(set) var bytes: UnsafeMutablePointer<UInt8>
  private(set) var count = 0
  private(set) var capacity: Int

  init(capacity: Int = 256) {
    self.capacity = max(16, capacity)
    bytes = .allocate(capacity: self.capacity)
  }
  deinit { bytes.deallocate() }

  @inline(__always) var written: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: bytes, count: count) }

  /// Room for `extra` more bytes.
  @inline(__always) mutating func reserve(_ extra: Int) {
    if capacity &- count < extra { grow(extra) }
  }
  @inline(never) private mutating func grow(_ extra: Int) {
    capacity = max(capacity * 2, count + extra)
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    larger.update(from: bytes, count: count)
    bytes.deallocate()
    bytes = larger
  }

  @inline(__always) mutating func append(_ byte: UInt8) {
    reserve(1)
    bytes[count] = byte
    count &+= 1
  }
  @inline(__always) mutating func append(_ from: UnsafePointer<UInt8>, _ n: Int) {
    reserve(n)
    (bytes + count).update(from: from, count: n)
    count &+= n
  }
  mutating func append(_ buffer: UnsafeBufferPointer<UInt8>) {
    if let base = buffer.baseAddress { append(base, buffer.count) }
  }
  mutating func append(_ s: StaticString) { append(s.utf8Start, s.utf8CodeUnitCount) }
  mutating func append(_ s: String) {
    var s = s
    s.withUTF8 { append($0) }
  }
  mutating func append(_ scalar: Unicode.Scalar) {
    reserve(4)
    count &+= UTF8Text.encode(scalar, bytes + count)
  }
  /// Decimal digits.
  mutating func append(decimal i: Int) {
    reserve(20)
    count &+= Decimal.write(i, bytes + count)
  }
  mutating func removeAll() { count = 0 }
  /// Forgets what was written after the first `n` bytes.
  mutating func truncate(to n: Int) { count = min(count, n) }
  /// Moves what stands at `at` and behind it by `width` bytes. What is between is to be filled.
  mutating func insertGap(_ width: Int, at: Int) {
    reserve(width)
    if at < count { (bytes + at + width).update(from: bytes + at, count: count - at) }
    count &+= width
  }
}

extension Heap {
  /// A string with what was written.
  func string(_ writer: borrowing ByteWriter) -> Value { string(writer.written) }
}

/// Decimal digits of integers, written where they belong.
enum Decimal {
  /// Bytes that `write` takes.
  static func width(_ i: Int) -> Int {
    var n = i < 0 ? 1 : 0, rest = i.magnitude
    while rest >= 10_000 {
      rest /= 10_000
      n &+= 4
    }
    return n &+ (rest < 100 ? (rest < 10 ? 1 : 2) : rest < 1000 ? 3 : 4)
  }
  /// Writes the digits to `out`, which must have room for 20 bytes or `width(i)`; answers how many there are.
  @discardableResult static func write(_ i: Int, _ out: UnsafeMutablePointer<UInt8>) -> Int {
    let n = width(i), sign = i < 0 ? 1 : 0
    var at = n, rest = i.magnitude
    // Two digits a turn: each turn waits for the division of the one before.
    while rest >= 10 {
      let above = rest / 100
      let pair = UInt32(truncatingIfNeeded: rest &- above &* 100)
      at &-= 2
      out[at] = UInt8(truncatingIfNeeded: 0x30 &+ pair / 10)
      out[at &+ 1] = UInt8(truncatingIfNeeded: 0x30 &+ pair % 10)
      rest = above
    }
    if at > sign { out[at &- 1] = UInt8(truncatingIfNeeded: 0x30 &+ rest) }
    if i < 0 { out[0] = UInt8(ascii: "-") }
    return n
  }
}

/// One scalar at a time out of, and into, valid UTF-8.
enum UTF8Text {
  /// Bytes of the scalar that starts with this byte.
  @inline(__always) static func width(_ first: UInt8) -> Int {
    first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
  }
  static func decode(_ p: UnsafePointer<UInt8>) -> (scalar: Unicode.Scalar, width: Int) {
    let first = p[0]
    let width = width(first)
    var code = width == 1 ? UInt32(first) : UInt32(first) & (0x7F &>> UInt32(width))
    for i in 1..<max(1, width) where i < width { code = code &<< 6 | UInt32(p[i] & 0x3F) }
    return (Unicode.Scalar(code) ?? "\u{FFFD}", width)
  }
  /// Writes up to four bytes; answers how many.
  @inline(__always) static func encode(_ scalar: Unicode.Scalar, _ out: UnsafeMutablePointer<UInt8>) -> Int {
    let c = scalar.value
    func tail(_ shift: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: 0x80 | (c &>> shift) & 0x3F) }
    if c < 0x80 {
      out[0] = UInt8(truncatingIfNeeded: c)
      return 1
    }
    if c < 0x800 {
      out[0] = UInt8(truncatingIfNeeded: 0xC0 | c &>> 6)
      out[1] = tail(0)
      return 2
    }
    if c < 0x1_0000 {
      out[0] = UInt8(truncatingIfNeeded: 0xE0 | c &>> 12)
      out[1] = tail(6)
      out[2] = tail(0)
      return 3
    }
    out[0] = UInt8(truncatingIfNeeded: 0xF0 | c &>> 18)
    out[1] = tail(12)
    out[2] = tail(6)
    out[3] = tail(0)
    return 4
  }
}

/// Notices data that contains itself, for walks with a stack of their own. Harmless data rarely reaches the depth from
/// which on it remembers anything; a cycle reaches every depth, so starting late only finds it later.
struct CycleCheck {
  private static let watchedDepth = 64
  private var depth = 0
  private var open: Set<UInt64> = []

  /// False when `v` is open already.
  mutating func enter(_ v: Value) -> Bool {
    depth += 1
    return depth <= CycleCheck.watchedDepth || open.insert(v.bits).inserted
  }
  mutating func leave(_ v: Value) {
    if depth > CycleCheck.watchedDepth { open.remove(v.bits) }
    depth -= 1
  }
}
