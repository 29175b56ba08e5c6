import Dispatch
import SX
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The listening end of the probe: a Unix-domain socket of mode 0600 whose connections evaluate source in fresh fibers of the
/// running interpreter. `ProbeFrame` is the protocol, `ProbeRequest` what happens to a request.
///
/// Every connection has a small thread of its own and blocks there, so a client that is slow, silent or talks nonsense costs
/// the interpreter nothing.
final class ProbeServer: Sendable {
  /// More at the same time are refused.
  private static let connectionLimit = 16
  /// Seconds that a client may take to send a frame or to accept an answer. Between its requests it may stay silent for as long as it
  /// likes, unless its place is needed.
  private static let patience = 10

  private let path: String
  private let identity: FileIdentity
  /// Of the interpreters that can be asked, by their numbers.
  private let mailboxes: [Mailbox]
  private let listener: UnixSocket
  private let connections = Mutex(0)

  /// Opens the socket and begins to accept.
  ///
  /// - Throws: `HostError` when a live server owns the path, when the path is something else than a socket, or when the system refuses.
  init(path: String, mailboxes: [Mailbox]) throws {
    self.path = path
    self.mailboxes = mailboxes
    do {
      listener = try Self.open(path)
      guard let identity = FileIdentity(path) else { throw SystemError(path) }
      self.identity = identity
      try NativeThread(stackSizes: [256 * 1024]) { [self] in acceptUntilClosed() }.detach()
    } catch let error as SystemError {
      throw HostError("probe: \(error)")
    }
  }

  /// Stops accepting and removes the socket, unless somebody else has put another one there.
  func close() {
    shutdown(listener.descriptor, Int32(SHUT_RDWR))
    if FileIdentity(path) == identity { unlink(path) }
  }

  // MARK: The path

  /// Which file a path names at the moment.
  private struct FileIdentity: Equatable {
    let device: UInt64
    let inode: UInt64
    let isSocket: Bool

    init?(_ path: String) {
      var status = stat()
      guard lstat(path, &status) == 0 else { return nil }
      device = UInt64(status.st_dev)
      inode = UInt64(status.st_ino)
      isSocket = status.st_mode & S_IFMT == S_IFSOCK
    }
  }

  private static func open(_ path: String) throws -> UnixSocket {
    let socket = try UnixSocket()
    do {
      try socket.bind(to: path)
    } catch {
      guard error.code == EADDRINUSE else { throw error }
      try removeStaleSocket(path)
      try socket.bind(to: path)
    }
    // Between `bind` and `listen` nobody can connect: the mode is in force before the first client.
    guard chmod(path, 0o600) == 0 else { throw SystemError("cannot protect \(path)") }
    guard listen(socket.descriptor, 16) == 0 else { throw SystemError("cannot listen on \(path)") }
    return socket
  }

  /// A socket that nobody answers is what a killed server leaves behind.
  private static func removeStaleSocket(_ path: String) throws {
    guard FileIdentity(path)?.isSocket == true else { throw HostError("probe: \(path) exists and is not a socket") }
    do throws(SystemError) {
      try UnixSocket().connect(to: path)
    } catch {
      guard error.code == ECONNREFUSED else { throw error }
      unlink(path)
      return
    }
    throw HostError("probe: another server is listening on \(path)")
  }

  // MARK: Connections

  private func acceptUntilClosed() {
    while true {
      let descriptor = accept(listener.descriptor, nil, nil)
      if descriptor >= 0 {
        admit(UnixSocket(descriptor: descriptor))
      } else if errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS {
        // No descriptors at the moment; trying again at once would only burn time.
        usleep(100_000)
      } else if errno != EINTR && errno != ECONNABORTED {
        return
      }
    }
  }

  private func admit(_ client: UnixSocket) {
    client.setTimeout(seconds: Self.patience)
    let isAdmitted = connections.withLock { count in
      guard count < Self.connectionLimit else { return false }
      count += 1
      return true
    }
    guard isAdmitted else {
      try? client.write(ProbeFrame(.refusal, "more than \(Self.connectionLimit) probes at a time").encoded)
      return
    }
    let thread = try? NativeThread(stackSizes: [256 * 1024]) { [self] in
      serve(client)
      connections.withLock { $0 -= 1 }
    }
    if let thread { thread.detach() } else { connections.withLock { $0 -= 1 } }
  }

  private func serve(_ client: UnixSocket) {
    var mailbox = mailboxes[0]
    do throws(ProbeFailure) {
      while waitForRequest(client), let frame = try ProbeFrame.read(from: client, limit: ProbeFrame.sourceLimit) {
        guard let text = String(validating: frame.payload, as: UTF8.self) else { throw ProbeFailure("the source is not UTF-8") }
        let request = ProbeRequest(mailbox, client)
        switch frame.kind {
        case .evaluate: request.evaluate(text)
        case .converse:
          guard let turn = ProbeTurn.decode(text) else { throw ProbeFailure("not a turn of a session") }
          request.converse(turn)
        case .complete: request.complete(text)
        case .worker:
          guard let number = Int(text), mailboxes.indices.contains(number) else {
            let known = mailboxes.count == 1 ? "there is only one, 0; see sx serve --workers" : "they are 0 to \(mailboxes.count - 1)"
            throw ProbeFailure("there is no worker \(text): \(known)")
          }
          mailbox = mailboxes[number]
          try client.write(ProbeFrame(.value, "").encoded)
          continue
        // It came too late: what it was to end has ended.
        case .interrupt: continue
        case .value, .failure, .refusal, .shown, .printed: throw ProbeFailure("unexpected kind of frame: \(frame.kind.rawValue)")
        }
        guard try request.passOnAnswers() else { return }
      }
    } catch {
      try? client.write(ProbeFrame(.refusal, error.description).encoded)
    }
  }

  /// - Returns: false when the client has been silent for longer than its patience allows and all places are taken.
  private func waitForRequest(_ client: UnixSocket) -> Bool {
    var silence = 0
    while !client.waitForInput(seconds: 1) {
      silence += 1
      if silence > Self.patience, connections.withLock({ $0 >= Self.connectionLimit }) { return false }
    }
    return true
  }
}
