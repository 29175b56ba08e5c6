import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The system's function, out of reach for a method of the same name.
private let systemSend = send as @convention(c) (Int32, UnsafeRawPointer?, Int, Int32) -> Int

/// A blocking TCP or Unix-domain connection, for what a well-behaved HTTP client would not do.
final class RawConnection: Sendable {
  struct Failure: Error, CustomStringConvertible {
    let description: String
    init(description: String) { self.description = description }
    init(_ action: String) { description = "\(action): \(String(cString: strerror(errno)))" }
  }

  private let descriptor: Int32

  convenience init(_ address: ListeningAddress) throws { try self.init(host: address.host, port: address.port) }

  init(host: String = "127.0.0.1", port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var target = sockaddr_in()
    target.sin_family = sa_family_t(AF_INET)
    target.sin_port = in_port_t(port).bigEndian
    target.sin_addr.s_addr = inet_addr(host)
    let result = withUnsafePointer(to: &target) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    guard result == 0 else { throw Failure("cannot connect") }
    limitWaiting()
  }

  init(unix path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var target = sockaddr_un()
    target.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &target) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    guard result == 0 else { throw Failure("cannot connect") }
    limitWaiting()
  }

  deinit { close(descriptor) }

  /// A broken server must not hang the tests.
  private func limitWaiting() {
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  func send(_ text: String) async throws { try await send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) async throws {
    try await blocking { [descriptor] in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes { systemSend(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard count > 0 else { throw Failure("cannot send") }
        rest = rest.dropFirst(count)
      }
    }
  }

  /// Some bytes; none at the end, however the other side brought it about.
  func read() async throws -> [UInt8] {
    try await blocking { [descriptor] in
      var chunk = [UInt8](repeating: 0, count: 64 * 1024)
      let count = recv(descriptor, &chunk, chunk.count, 0)
      guard count >= 0 || errno == ECONNRESET else { throw Failure("cannot receive") }
      return Array(chunk[..<max(0, count)])
    }
  }

  func readToEnd() async throws -> String {
    var all: [UInt8] = []
    while case let bytes = try await read(), !bytes.isEmpty { all += bytes }
    return String(decoding: all, as: UTF8.self)
  }

  /// Everything up to and including the first `mark`, and what came with it.
  func read(until mark: String) async throws -> String {
    var all = ""
    while !all.contains(mark) {
      let bytes = try await read()
      guard !bytes.isEmpty else { throw Failure(description: "the connection ended after \(all.debugDescription)") }
      all += String(decoding: bytes, as: UTF8.self)
    }
    return all
  }

  /// The whole answer to a GET, on a connection of its own.
  func get(_ target: String) async throws -> String {
    try await send("GET \(target) HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
    return try await readToEnd()
  }
}
