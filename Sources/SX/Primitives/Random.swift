/// Random bytes of the operating system, drawn many at a time, because every call for them is a system call.
final class RandomPool {
  private let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: RandomPool.size)
  private var left = 0
  private static let size = 4096
  /// The two digits of every byte.
  private let hex = UnsafeMutablePointer<UInt16>.allocate(capacity: 256)

  init() {
    bytes.initialize(repeating: 0, count: RandomPool.size)
    func digit(_ n: Int) -> UInt16 { UInt16(n < 10 ? 0x30 + n : 0x57 + n) }
    for byte in 0..<256 { hex[byte] = (digit(byte >> 4) | digit(byte & 15) << 8).littleEndian }
  }
  deinit {
    bytes.deallocate()
    hex.deallocate()
  }

  func fill(_ out: UnsafeMutableRawBufferPointer, _ host: any Host) {
    guard out.count <= RandomPool.size / 4 else { return host.randomBytes(out) }
    let taken = take(out.count, host)
    for i in 0..<out.count {
      out[i] = taken[i]
      taken[i] = 0
    }
  }
  /// Two digits for each of `count` bytes.
  func fill(hex out: UnsafeMutablePointer<UInt8>, count: Int, _ host: any Host) {
    let digits = UnsafeMutableRawPointer(out)
    var done = 0
    while done < count {
      let n = min(count - done, RandomPool.size / 4), taken = take(n, host)
      for i in 0..<n {
        digits.storeBytes(of: hex[Int(taken[i])], toByteOffset: 2 * (done &+ i), as: UInt16.self)
        taken[i] = 0
      }
      done += n
    }
  }

  /// The next bytes of the pool. Whoever takes them leaves zeros behind.
  private func take(_ count: Int, _ host: any Host) -> UnsafeMutablePointer<UInt8> {
    if left < count {
      host.randomBytes(UnsafeMutableRawBufferPointer(start: bytes, count: RandomPool.size))
      left = RandomPool.size
    }
    left -= count
    return bytes + left
  }
}

extension Machine {
  func randomWord() -> UInt64 {
    var word: UInt64 = 0
    withUnsafeMutableBytes(of: &word) { random.fill($0, host) }
    return word
  }
}

/// Identifiers that do not meet, as those of traces and spans must not. They come out of xoshiro256++ (Blackman and Vigna, 2019), which the operating system
/// seeds once, because a span is made in less time than the system takes for its bytes. Who knows enough of them can foretell the next: they are no secrets.
final class IdentifierGenerator {
  private var state: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  private var isSeeded = false

  /// Two lower-case hex digits for each of `count` bytes, not all of them zero.
  func fill(hex out: UnsafeMutablePointer<UInt8>, count: Int, _ host: any Host) {
    if !isSeeded { seed(host) }
    let digits = UnsafeMutableRawPointer(out)
    var seen: UInt64 = 0
    repeat {
      var done = 0
      while done &+ 8 <= count {
        let word = next()
        seen |= word
        digits.storeBytes(of: Self.hex(UInt32(truncatingIfNeeded: word)), toByteOffset: 2 &* done, as: UInt64.self)
        digits.storeBytes(of: Self.hex(UInt32(truncatingIfNeeded: word >> 32)), toByteOffset: 2 &* done &+ 8, as: UInt64.self)
        done &+= 8
      }
      if done < count {
        let rest = count &- done, word = next() >> (64 &- 8 &* UInt64(rest))
        seen |= word
        for i in 0..<2 * rest {
          out[2 * done + i] = UInt8(truncatingIfNeeded: Self.hex(UInt32(truncatingIfNeeded: word >> (i < 8 ? 0 : 32))) >> (8 * UInt64(i & 7)))
        }
      }
    } while seen == 0
  }

  private func seed(_ host: any Host) {
    var words = state
    withUnsafeMutableBytes(of: &words) { host.randomBytes($0) }
    // A host may have nothing but zeros to give, and of zeros alone nothing else would ever come.
    if words == (0, 0, 0, 0) { words.0 = 1 }
    state = words
    isSeeded = true
  }

  @inline(__always) private func next() -> UInt64 {
    var (a, b, c, d) = state
    func rotated(_ word: UInt64, _ n: UInt64) -> UInt64 { word &<< n | word &>> (64 &- n) }
    let word = rotated(a &+ d, 23) &+ a, shifted = b &<< 17
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotated(d, 45)
    state = (a, b, c, d)
    return word
  }

  /// The eight digits of four bytes, all at once: a digit a byte, then those from ten on moved from behind `9` to `a`.
  @inline(__always) private static func hex(_ bytes: UInt32) -> UInt64 {
    var x = UInt64(bytes)
    x = (x | x &<< 16) & 0x0000_FFFF_0000_FFFF
    x = (x | x &<< 8) & 0x00FF_00FF_00FF_00FF
    let digits = (x &>> 4) & 0x000F_000F_000F_000F | (x & 0x000F_000F_000F_000F) &<< 8
    let letters = ((digits &+ 0x0606_0606_0606_0606) &>> 4) & 0x0101_0101_0101_0101
    return (digits &+ 0x3030_3030_3030_3030 &+ letters &* 0x27).littleEndian
  }
}
