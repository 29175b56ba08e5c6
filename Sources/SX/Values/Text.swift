/// Strings, symbols and keywords: UTF-8 bytes with a cached hash.
///
/// Word 1: byte count in the low half, hash in the high half (0 = not computed). The bytes follow inline, or lie
/// outside the slab at the address in word 2 when the lowest bit of header byte 2 is 1. The upper half of a string's header is its number
/// of scalars, so a string is ASCII exactly when that equals the byte count, and then indexing costs O(1).
extension Value {
  static let inlineTextBytes = 48

  @inline(__always) var isString: Bool { isKind(.string) }
  /// String, symbol or keyword.
  var isText: Bool {
    switch kind {
    case .string, .symbol, .keyword: true
    default: false
    }
  }
  @inline(__always) var byteCount: Int { Int(UInt32(truncatingIfNeeded: cell[1])) }
  @inline(__always) var bytes: UnsafeMutablePointer<UInt8> {
    header & .variantHeaderBit == 0
      ? UnsafeMutableRawPointer(cell + 2).assumingMemoryBound(to: UInt8.self)
      : UnsafeMutablePointer(bitPattern: UInt(cell[2])).unsafelyUnwrapped
  }
  /// The bytes; valid while the cell is alive.
  @inline(__always) var utf8: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: bytes, count: byteCount) }
  @inline(__always) var isASCII: Bool { length == byteCount }
  /// A Swift copy of the text.
  var text: String { String(decoding: utf8, as: UTF8.self) }

  func textEquals(_ other: Value) -> Bool {
    bits == other.bits || byteCount == other.byteCount && Bytes.equal(bytes, other.bytes, byteCount)
  }
  func textEquals(_ s: StaticString) -> Bool {
    byteCount == s.utf8CodeUnitCount && Bytes.equal(bytes, s.utf8Start, byteCount)
  }
  /// Order by scalars, which for UTF-8 is the order of the bytes.
  func textLess(_ other: Value) -> Bool {
    Bytes.less(bytes, byteCount, other.bytes, other.byteCount)
  }

  /// Computes the hash, caches it in word 1 and returns it; never 0.
  func ensureHash(seed: UInt64) -> UInt32 {
    let cached = UInt32(truncatingIfNeeded: cell[1] &>> 32)
    if cached != 0 { return cached }
    let hash = Bytes.hash(bytes, byteCount, seed: seed)
    cell[1] = cell[1] & 0xFFFF_FFFF | UInt64(hash) &<< 32
    return hash
  }
}

/// Byte loops that need no libc.
enum Bytes {
  @inline(__always) static func equal(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ n: Int) -> Bool {
    let x = UnsafeRawPointer(a), y = UnsafeRawPointer(b)
    var i = 0
    while i &+ 8 <= n {
      if x.loadUnaligned(fromByteOffset: i, as: UInt64.self) != y.loadUnaligned(fromByteOffset: i, as: UInt64.self) { return false }
      i &+= 8
    }
    while i < n {
      if a[i] != b[i] { return false }
      i &+= 1
    }
    return true
  }

  /// Order by bytes. Eight at a time: what is read as a big-endian number has the order of its bytes.
  static func less(_ a: UnsafePointer<UInt8>, _ countA: Int, _ b: UnsafePointer<UInt8>, _ countB: Int) -> Bool {
    let n = min(countA, countB), x = UnsafeRawPointer(a), y = UnsafeRawPointer(b)
    var i = 0
    while i &+ 8 <= n {
      let p = x.loadUnaligned(fromByteOffset: i, as: UInt64.self), q = y.loadUnaligned(fromByteOffset: i, as: UInt64.self)
      if p != q { return p.bigEndian < q.bigEndian }
      i &+= 8
    }
    while i < n {
      if a[i] != b[i] { return a[i] < b[i] }
      i &+= 1
    }
    return countA < countB
  }

  /// Copies a text that is mostly short. Whole words are cheaper than a call that asks how many bytes there are.
  @inline(__always) static func copy(_ from: UnsafePointer<UInt8>, _ n: Int, to out: inout UnsafeMutablePointer<UInt8>) {
    if n > 32 {
      out.update(from: from, count: n)
    } else {
      let source = UnsafeRawPointer(from), target = UnsafeMutableRawPointer(out)
      var i = 0
      while i &+ 8 <= n {
        target.storeBytes(of: source.loadUnaligned(fromByteOffset: i, as: UInt64.self), toByteOffset: i, as: UInt64.self)
        i &+= 8
      }
      while i < n {
        out[i] = from[i]
        i &+= 1
      }
    }
    out += n
  }

  /// A seeded hash; never 0, so that 0 can mean "not computed".
  static func hash(_ bytes: UnsafePointer<UInt8>, _ n: Int, seed: UInt64) -> UInt32 {
    var h = seed ^ (UInt64(n) &* 0x9E37_79B9_7F4A_7C15)
    let raw = UnsafeRawPointer(bytes)
    var i = 0
    while i &+ 8 <= n {
      let wide = (h ^ raw.loadUnaligned(fromByteOffset: i, as: UInt64.self)).multipliedFullWidth(by: 0x9FB2_1C65_1E98_DF25)
      h = wide.high ^ wide.low
      i &+= 8
    }
    var tail: UInt64 = 0
    while i < n {
      tail = tail &<< 8 | UInt64(bytes[i])
      i &+= 1
    }
    let wide = (h ^ tail).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    h = wide.high ^ wide.low
    h ^= h &>> 32
    return UInt32(truncatingIfNeeded: h) | 1
  }

  /// Number of scalars in valid UTF-8: every byte that is no continuation.
  static func scalarCount(_ bytes: UnsafePointer<UInt8>, _ n: Int) -> Int {
    let raw = UnsafeRawPointer(bytes)
    var count = 0, i = 0
    while i &+ 8 <= n {
      let w = raw.loadUnaligned(fromByteOffset: i, as: UInt64.self)
      let continuation = (w &>> 7) & (~w &>> 6) & 0x0101_0101_0101_0101      // 10xxxxxx
      count &+= 8 &- continuation.nonzeroBitCount
      i &+= 8
    }
    while i < n {
      if bytes[i] & 0xC0 != 0x80 { count &+= 1 }
      i &+= 1
    }
    return count
  }

  static func offset(ofScalar index: Int, _ bytes: UnsafePointer<UInt8>, _ n: Int) -> Int {
    var i = 0, seen = 0
    while i < n {
      if bytes[i] & 0xC0 != 0x80 {
        if seen == index { return i }
        seen &+= 1
      }
      i &+= 1
    }
    return n
  }

  /// Index of the first occurrence of `needle` at or after `from`, or nil. An empty needle is found at once.
  static func find(_ needle: UnsafeBufferPointer<UInt8>, in hay: UnsafeBufferPointer<UInt8>, from: Int = 0) -> Int? {
    let n = needle.count
    if n == 0 { return from <= hay.count ? from : nil }
    guard let h = hay.baseAddress, let p = needle.baseAddress, hay.count >= n else { return nil }
    let first = p[0], last = hay.count &- n
    let pattern = UInt64(first) &* 0x0101_0101_0101_0101
    let raw = UnsafeRawPointer(h)
    var i = from
    while i <= last {
      if i &+ 8 <= hay.count {                       // skip eight bytes that cannot start a match
        let x = raw.loadUnaligned(fromByteOffset: i, as: UInt64.self) ^ pattern
        let zero = (x &- 0x0101_0101_0101_0101) & ~x & 0x8080_8080_8080_8080
        if zero == 0 { i &+= 8; continue }
        i &+= zero.trailingZeroBitCount &>> 3
        if i > last { return nil }
      } else if h[i] != first {
        i &+= 1
        continue
      }
      if n == 1 || equal(h + i, p, n) { return i }
      i &+= 1
    }
    return nil
  }
}

extension Heap {
  /// A string of `count` bytes whose contents the caller fills before anything else looks at it.
  @inline(__always) func string(uninitialized count: Int, scalars: Int) -> Value {
    if count <= Value.inlineTextBytes {
      let cell = allocate(words: max(3, 2 &+ (count &+ 7) &>> 3), header: Kind.string.header(length: scalars))
      cell[1] = UInt64(count)
      return Value(cell)
    }
    return longString(count, scalars)
  }
  @inline(never) private func longString(_ count: Int, _ scalars: Int) -> Value {
    let cell = allocate(words: 3, header: Kind.string.header(length: scalars) | .variantHeaderBit | .ownsHeaderBit)
    cell[1] = UInt64(count)
    cell[2] = UInt64(UInt(bitPattern: systemMemory(max(1, count), of: UInt8.self)))
    noteExternal(count)
    return Value(cell)
  }

  /// A string from valid UTF-8. An empty one when there is no memory for a long one; the evaluation ends then.
  func string(_ bytes: UnsafePointer<UInt8>, _ count: Int, scalars: Int? = nil) -> Value {
    if count > 1 << 16, lacks(count) { return string(uninitialized: 0, scalars: 0) }
    let v = string(uninitialized: count, scalars: scalars ?? Bytes.scalarCount(bytes, count))
    v.bytes.update(from: bytes, count: count)
    return v
  }
  func string(_ buffer: UnsafeBufferPointer<UInt8>) -> Value {
    guard let base = buffer.baseAddress else { return string(uninitialized: 0, scalars: 0) }
    return string(base, buffer.count)
  }
  func string(_ bytes: [UInt8]) -> Value { bytes.withUnsafeBufferPointer { string($0) } }
  func string(_ s: String) -> Value {
    var s = s
    return s.withUTF8 { string($0) }
  }
  func string(_ s: StaticString) -> Value { string(UnsafeBufferPointer(start: s.utf8Start, count: s.utf8CodeUnitCount)) }
}

/// Interns texts of one kind: symbols, keywords, or the strings of constants. Interned cells are permanent: they lie outside the slabs
/// and carry the mark bit for ever, so the collector never looks at them.
///
/// The upper half of a symbol's header is the index of its global plus one, or 0.
final class InternTable {
  private let kind: Kind
  private let seed: UInt64
  private var slots: UnsafeMutablePointer<Value>
  private var capacity = 2048
  private(set) var count = 0
  private(set) var bytes = 0

  init(_ kind: Kind, seed: UInt64) {
    self.kind = kind
    self.seed = seed
    slots = .allocate(capacity: capacity)
    slots.initialize(repeating: .nil, count: capacity)
  }

  deinit {
    for i in 0..<capacity where !slots[i].isNil {
      if slots[i].header & .variantHeaderBit != 0 { slots[i].bytes.deallocate() }
      slots[i].cell.deallocate()
    }
    slots.deallocate()
  }

  /// The one cell with this text.
  func intern(_ bytes: UnsafeBufferPointer<UInt8>) -> Value {
    let n = bytes.count
    return withExtendedLifetime(bytes) {
      var empty: UInt8 = 0
      return withUnsafePointer(to: &empty) { none in
        let start = bytes.baseAddress ?? none
        let hash = Bytes.hash(start, n, seed: seed)
        var i = Int(hash) & (capacity - 1)
        while !slots[i].isNil {
          let v = slots[i]
          if UInt32(truncatingIfNeeded: v.cell[1] >> 32) == hash, v.byteCount == n, Bytes.equal(v.bytes, start, n) { return v }
          i = (i + 1) & (capacity - 1)
        }
        let cell = Cell.allocate(capacity: 3 + n / 8)
        cell[0] = kind.header(length: kind == .symbol ? 0 : Bytes.scalarCount(start, n)) | 1
        cell[1] = UInt64(n) | UInt64(hash) << 32
        let v = Value(cell)
        v.bytes.update(from: start, count: n)
        slots[i] = v
        count += 1
        self.bytes += 40 + n
        if count * 2 > capacity { grow() }
        return v
      }
    }
  }

  /// The cell with this text, if there is one.
  func find(_ bytes: UnsafeBufferPointer<UInt8>) -> Value? {
    guard let start = bytes.baseAddress else { return nil }
    let n = bytes.count, hash = Bytes.hash(start, n, seed: seed)
    var i = Int(hash) & (capacity - 1)
    while !slots[i].isNil {
      let v = slots[i]
      if UInt32(truncatingIfNeeded: v.cell[1] >> 32) == hash, v.byteCount == n, Bytes.equal(v.bytes, start, n) { return v }
      i = (i + 1) & (capacity - 1)
    }
    return nil
  }

  /// Without memory for a bigger table this one goes on getting fuller, which it may do until there is none for cells either.
  private func grow() {
    guard let bigger = SystemMemory.tryAllocate(capacity * 2, of: Value.self) else { return }
    let old = slots, oldCapacity = capacity
    capacity *= 2
    bytes += capacity * 4
    slots = bigger
    slots.initialize(repeating: .nil, count: capacity)
    for j in 0..<oldCapacity where !old[j].isNil {
      var i = Int(old[j].cell[1] >> 32) & (capacity - 1)
      while !slots[i].isNil { i = (i + 1) & (capacity - 1) }
      slots[i] = old[j]
    }
    old.deallocate()
  }
}
