@testable import SXHost

extension NativeProperty {
  /// The body of a request in gzip: what was packed unpacks to the same up to the limit, not when its end is missing, and whatever follows
  /// it, what unpacks begins with it. The first byte says how much is missing.
  static let gzip = NativeProperty {
    { input in
      let first = Int(input.first ?? 0), bytes = Array(input.dropFirst())
      let limit = 100_000
      let packed = Gzip.compressed(bytes)
      guard try Gzip.unpacked(packed, limit: bytes.count) == bytes else { throw Violation("\(bytes.count) bytes unpack to others") }
      guard problem(packed, limit: bytes.count - 1) == .tooLong || bytes.isEmpty else { throw Violation("the limit does not count") }
      guard problem(Array(packed.dropLast(first + 1)), limit: bytes.count) == .truncated else { throw Violation("a missing end is not seen") }
      _ = problem(bytes, limit: limit)
      if let all = try? Gzip.unpacked(packed + bytes, limit: limit) {
        guard all.count <= limit, all.starts(with: bytes) else { throw Violation("what follows changes what was packed") }
      }
    }
  }

  private static func problem(_ stream: [UInt8], limit: Int) -> Gzip.Problem? {
    do throws(Gzip.Problem) {
      _ = try Gzip.unpacked(stream, limit: limit)
      return nil
    } catch {
      return error
    }
  }
}
