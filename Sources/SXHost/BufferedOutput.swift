#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Standard output, collected until it is worth a system call. Confined to the interpreter's thread.
///
/// Flushed when 64 KB are waiting, before the interpreter blocks, at exit, and after every line on a terminal.
final class BufferedOutput {
  private static let capacity = 64 * 1024

  private let descriptor: Int32?
  private lazy var isTerminal = descriptor.map { isatty($0) == 1 } ?? false
  private var pending: [UInt8] = []
  /// What was written last ended a line, or nothing was written yet.
  private(set) var isAtLineStart = true
  /// Why output was lost, if it was.
  private(set) var failure: String?

  /// - Parameter descriptor: where it goes; nil keeps everything in memory for `take`.
  init(descriptor: Int32?) {
    self.descriptor = descriptor
  }

  func write(_ bytes: UnsafeRawBufferPointer) {
    pending.append(contentsOf: bytes)
    if let last = bytes.last { isAtLineStart = last == UInt8(ascii: "\n") }
    guard descriptor != nil else { return }
    if pending.count >= Self.capacity || (isTerminal && bytes.contains(UInt8(ascii: "\n"))) { flush() }
  }

  func flush() {
    guard let descriptor, !pending.isEmpty else { return }
    let error = pending.withUnsafeBytes { Descriptor.writeFully($0, to: descriptor) }
    // Whoever stops reading wants no more; that is no failure.
    if let error, error != EPIPE, failure == nil { failure = String(cString: strerror(error)) }
    pending.removeAll(keepingCapacity: true)
  }

  /// What was written since the last call, for an output without a descriptor.
  func take() -> [UInt8] {
    defer { pending = [] }
    return pending
  }
}

/// Output without a buffer.
public enum Descriptor {
  /// Whether what is written to one is read by whoever reads the other: one pipe, one file, one terminal.
  public static func isSameFile(_ one: Int32, _ other: Int32) -> Bool {
    var first = stat(), second = stat()
    guard fstat(one, &first) == 0, fstat(other, &second) == 0 else { return false }
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino
  }

  /// Writes all bytes, waiting while the descriptor cannot take any.
  ///
  /// - Returns: the system's error number when it gave up, as when nobody can read them anymore.
  @discardableResult
  public static func writeFully(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32? {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if written > 0 {
        rest = rest.dropFirst(written)
      } else if written < 0, errno == EINTR {
        continue
      } else if written < 0, errno == EAGAIN {
        var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&ready, 1, -1)
      } else {
        return errno
      }
    }
    return nil
  }
}
