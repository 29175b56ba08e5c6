import CGzip

/// Gzip streams (RFC 1952) as a whole, in memory. Thread-safe.
public enum Gzip {
  /// What a stream was found to be that is not whole and sound.
  public enum Problem: Error, Equatable {
    /// It ends before its time.
    case truncated
    /// It is none, or a checksum does not fit.
    case corrupt
    /// It unpacks to more bytes than were allowed. Not many more than those were made.
    case tooLong
  }

  private static let chunk = 64 << 10

  /// Whether the bytes begin as a gzip stream does, which no text does.
  public static func isStream(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x1F, 0x8B]) }

  /// The bytes as a gzip stream. O(n).
  public static func compressed(_ bytes: [UInt8]) -> [UInt8] {
    let made = [UInt8](unsafeUninitializedCapacity: sx_gzip_bound(bytes.count)) { out, count in
      count = bytes.withUnsafeBufferPointer { sx_gzip($0.baseAddress, $0.count, out.baseAddress) }
    }
    precondition(!made.isEmpty, "no memory for compressing \(bytes.count) bytes")
    return made
  }

  /// What a gzip stream, or several in a row, unpack to. O(n).
  ///
  /// - Parameters:
  ///   - bytes: the streams.
  ///   - limit: in bytes, of what is made.
  /// - Throws: what is wrong with them.
  public static func unpacked(_ bytes: [UInt8], limit: Int) throws(Problem) -> [UInt8] {
    let result = bytes.withUnsafeBufferPointer { input -> Result<[UInt8], Problem> in
      guard let stream = sx_gunzip_begin(input.baseAddress, input.count) else { preconditionFailure("no memory for unpacking") }
      defer { sx_gunzip_end(stream) }
      var out: [UInt8] = []
      // The last four bytes say how many there are; it is a hint only, as they may say anything.
      out.reserveCapacity(min(limit + chunk, bytes.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }))
      while true {
        // Growing by itself, an array may take twice the limit.
        if out.capacity - out.count < chunk { out.reserveCapacity(min(limit + chunk, 2 * out.capacity) + chunk) }
        let status = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: chunk) { buffer in
          var made = 0
          let status = sx_gunzip_next(stream, buffer.baseAddress, chunk, &made)
          out.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[..<made]))
          return status
        }
        if out.count > limit { return .failure(.tooLong) }
        switch status {
        case SX_GUNZIP_DONE: return .success(out)
        case SX_GUNZIP_TRUNCATED: return .failure(.truncated)
        case SX_GUNZIP_CORRUPT: return .failure(.corrupt)
        default: continue
        }
      }
    }
    return try result.get()
  }
}
