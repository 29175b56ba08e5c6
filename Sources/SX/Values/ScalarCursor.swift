/// Where the last look into a string that is not ASCII ended, so that a walk along it takes a step for each scalar and not the way from its start.
///
/// A string is known by its address, which no other has before the next collection.
struct ScalarCursor {
  private var string: UInt64 = 0
  private var collections = -1
  private var scalar = 0, byte = 0

  /// The byte at which scalar `index` begins; the length when there are just so many scalars.
  mutating func byteOffset(of s: Value, scalar index: Int, collections now: Int) -> Int {
    let isKnown = string == s.bits && collections == now
    if !isKnown || index < scalar / 2 {
      (string, collections, scalar, byte) = (s.bits, now, 0, 0)
    }
    let bytes = s.bytes
    if index >= scalar {
      byte += Bytes.offset(ofScalar: index - scalar, bytes + byte, s.byteCount - byte)
    } else {
      var left = scalar - index
      while left > 0 {
        byte -= 1
        if bytes[byte] & 0xC0 != 0x80 { left -= 1 }
      }
    }
    scalar = index
    return byte
  }
}

extension Heap {
  /// The byte at which a scalar of a string begins. O(1) in ASCII, else O(distance from the last look into the same string).
  func byteOffset(of s: Value, scalar index: Int) -> Int {
    s.isASCII ? index : scalarCursor.byteOffset(of: s, scalar: index, collections: collections)
  }
}
