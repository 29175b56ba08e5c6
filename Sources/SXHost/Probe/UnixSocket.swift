#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The system's functions, out of reach for methods of the same names.
private let systemConnect = connect as @convention(c) (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32
private let systemBind = bind as @convention(c) (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32

/// A blocking Unix-domain stream socket. Closed when nobody refers to it anymore.
final class UnixSocket: Sendable {
  let descriptor: Int32

  init() throws(SystemError) {
    #if canImport(Glibc)
      let kind = Int32(SOCK_STREAM.rawValue)
    #else
      let kind = SOCK_STREAM
    #endif
    descriptor = socket(AF_UNIX, kind, 0)
    guard descriptor >= 0 else { throw SystemError("cannot make a socket") }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  init(descriptor: Int32) {
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  deinit { close(descriptor) }

  // MARK: Addresses

  func connect(to path: String) throws(SystemError) {
    try withAddress(path) { systemConnect(descriptor, $0, $1) }
  }

  func bind(to path: String) throws(SystemError) {
    try withAddress(path) { systemBind(descriptor, $0, $1) }
  }

  private func withAddress(_ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) throws(SystemError) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
      // One byte stays 0: the end of the string.
      guard path.utf8.count < room.count else { return false }
      room.copyBytes(from: path.utf8)
      return true
    }
    guard fits else { throw SystemError("\(path) is too long for a socket", ENAMETOOLONG) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    guard result == 0 else { throw SystemError(path) }
  }

  // MARK: Bytes

  /// Limits every single wait for the other side.
  func setTimeout(seconds: Int) {
    var time = timeval(tv_sec: seconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  /// Reads exactly `count` bytes.
  ///
  /// - Returns: nil when the connection ended before the first of them.
  func read(_ count: Int) throws(ProbeFailure) -> [UInt8]? {
    var bytes: [UInt8] = []
    // Grows as bytes arrive: an announced length alone must not claim memory.
    var chunk = [UInt8](repeating: 0, count: min(count, 64 * 1024))
    while bytes.count < count {
      let wanted = min(chunk.count, count - bytes.count)
      let received = chunk.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, wanted, 0) }
      if received > 0 {
        bytes.append(contentsOf: chunk[..<received])
      } else if received == 0 {
        if bytes.isEmpty { return nil }
        throw ProbeFailure("the connection ended inside a frame")
      } else if errno == EAGAIN {
        throw ProbeFailure("nothing arrived in time")
      } else if errno != EINTR {
        throw ProbeFailure(SystemError("cannot receive").description)
      }
    }
    return bytes
  }

  func write(_ bytes: [UInt8]) throws(ProbeFailure) {
    #if canImport(Darwin)
      let flags: Int32 = 0
    #else
      // A reader that has left is an error code here, not a signal that ends the process.
      let flags = Int32(MSG_NOSIGNAL)
    #endif
    var offset = 0
    while offset < bytes.count {
      let sent = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress! + offset, bytes.count - offset, flags) }
      if sent > 0 {
        offset += sent
      } else if errno != EINTR {
        throw ProbeFailure(SystemError("cannot send").description)
      }
    }
  }

  /// - Returns: whether something arrived, or the other side closed its end, within that time.
  func waitForInput(seconds: Int32) -> Bool {
    var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&state, 1, seconds * 1000) != 0 && state.revents != 0
  }

  /// What can be read next, without reading it or waiting for it.
  enum Next {
    /// The header of a frame of this kind.
    case frame(UInt8)
    /// The other side sends nothing any more.
    case end
    case none
  }

  var nextKind: Next {
    var header = [UInt8](repeating: 0, count: ProbeFrame.headerLength)
    let count = header.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) }
    return count == header.count ? .frame(header[4]) : count == 0 ? .end : .none
  }

  /// Whether the other side has closed its end.
  var isAbandoned: Bool {
    var state = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&state, 1, 0) > 0 && state.revents & Int16(POLLHUP | POLLERR) != 0
  }
}
