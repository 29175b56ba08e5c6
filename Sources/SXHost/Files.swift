import SX

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Whole files as bytes.
public enum Files {
  /// Reads the file at `path`.
  ///
  /// - Throws: `HostError` with the path and the system's reason.
  public static func contents(of path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw HostError(SystemError("cannot read \(path)").description) }
    defer { close(descriptor) }
    return try contents(ofDescriptor: descriptor, named: path)
  }

  /// Reads standard input to its end.
  ///
  /// - Throws: `HostError` with the system's reason.
  public static func standardInput() throws -> [UInt8] {
    try contents(ofDescriptor: STDIN_FILENO, named: "standard input")
  }

  /// The working directory of the process; nil when it was removed.
  public static var workingDirectory: String? {
    guard let path = getcwd(nil, 0) else { return nil }
    defer { free(path) }
    return String(cString: path)
  }

  private static func contents(ofDescriptor descriptor: Int32, named name: String) throws -> [UInt8] {
    var status = stat()
    let size = fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    var bytes: [UInt8] = []
    // One byte more than the file has, so that its end is noticed at once; pipes and devices say nothing about their size.
    var capacity = max(size + 1, 16 * 1024)
    while true {
      let part = try [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        while count < buffer.count {
          let read = read(descriptor, buffer.baseAddress! + count, buffer.count - count)
          if read < 0 {
            if errno == EINTR { continue }
            throw HostError(SystemError("cannot read \(name)").description)
          }
          if read == 0 { break }
          count += read
        }
      }
      if bytes.isEmpty { bytes = part } else { bytes.append(contentsOf: part) }
      if part.count < capacity { return bytes }
      capacity = max(bytes.count, 16 * 1024)
    }
  }

  /// Writes a file anew. What others see is the old contents or the new ones, never a part.
  ///
  /// - Throws: `HostError` with the path and the system's reason.
  public static func replace(_ path: String, with bytes: [UInt8]) throws {
    // A link stays a link, and what it leads to is replaced.
    let target = realpath(path, nil).map { resolved in
      defer { free(resolved) }
      return String(cString: resolved)
    } ?? path
    let temporary = "\(target).\(getpid()).new"
    var status = stat()
    let mode = stat(target, &status) == 0 ? status.st_mode & 0o7777 : 0o644
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw HostError(SystemError("cannot write \(path)").description) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { break }
      rest = rest.dropFirst(count)
    }
    fchmod(descriptor, mode)
    guard rest.isEmpty, fsync(descriptor) == 0, rename(temporary, target) == 0 else {
      let failure = SystemError("cannot write \(path)")
      close(descriptor)
      unlink(temporary)
      throw HostError(failure.description)
    }
    close(descriptor)
  }
}
