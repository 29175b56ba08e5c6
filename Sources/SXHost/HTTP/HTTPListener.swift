import NIOCore
import NIOHTTP1
import NIOPosix
import SX
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Where a server can be reached.
public struct ListeningAddress: Sendable, Hashable {
  /// The address that the socket is bound to, or the name that was asked for.
  public let host: String
  /// The port: the one that the system has chosen, where 0 was asked for.
  public let port: Int

  /// `http://host:port`.
  public var url: String { host.contains(":") ? "http://[\(host)]:\(port)" : "http://\(host):\(port)" }
}

/// One HTTP server: connections in front, an interpreter's mailbox behind.
///
/// Thread-safe. Each request is posted to the interpreter as an `Exchange`.
final class HTTPListener: Sendable {
  enum Ending: Sendable {
    case stopped
    case failed(String)
  }

  private struct State {
    var server: (any Channel)?
    var connections: [ObjectIdentifier: Connection] = [:]
    var isStopping = false
    var ended: (@Sendable (Ending) -> Void)?
  }

  private struct Connection: Sendable {
    let channel: any Channel
    let handler: NIOLoopBound<HTTPConnection>

    func perform(_ action: @escaping @Sendable (HTTPConnection) -> Void) { channel.eventLoop.execute { action(handler.value) } }
  }

  private let options: ListenerOptions
  private let budget: RequestBodyBudget
  private let date = DateField()
  private let begin: HTTPConnection.Begin
  private let state = Mutex(State())

  /// - Parameter begin: hands a request to the interpreter; called on the connections' event loops.
  init(_ options: ListenerOptions, begin: @escaping HTTPConnection.Begin) {
    self.options = options
    self.begin = begin
    budget = RequestBodyBudget(options.bodyBudget)
  }

  /// Opens the port and serves until `stop`.
  ///
  /// - Parameters:
  ///   - started: called once, when the port is open.
  ///   - ended: called once, when everything is over.
  func start(started: @escaping @Sendable (ListeningAddress) -> Void, ended: @escaping @Sendable (Ending) -> Void) {
    state.withLock { $0.ended = ended }
    let connectionLimit = min(options.connectionLimit, ListenerOptions.mostConnections)
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      // Thousands may come at once; the system puts its own limit below this one.
      .serverChannelOption(.backlog, value: 4096)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      // One at a time, so that the limit of connections is none of about so many.
      .serverChannelOption(.maxMessagesPerRead, value: 1)
      .serverChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(ConnectionLimit(connectionLimit)) }
      }
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      // The system would hold megabytes back until it takes more: a client that accepts them slowly would look as if it accepted nothing.
      .childChannelOption(.tcpOption(.init(rawValue: TCP_NOTSENT_LOWAT)), value: 128 << 10)
      // Whoever has sent a request and then ends the output still wants the answer.
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { [self] channel in
        channel.eventLoop.makeCompletedFuture { try add(channel) }
      }
    // A name may take long to be looked up.
    Task { [options] in
      do {
        let server = try await bootstrap.bind(host: options.host, port: options.port).get()
        started(ListeningAddress(host: server.localAddress?.ipAddress ?? options.host, port: server.localAddress?.port ?? options.port))
        opened(server)
      } catch {
        end(.failed(Self.reason(error, options)))
      }
    }
  }

  private func opened(_ server: any Channel) {
    server.closeFuture.whenComplete { [self] _ in
      state.withLock { state in
        state.server = nil
        state.isStopping = true
      }
      endIfDone()
    }
    let isStopping = state.withLock { state in
      state.server = server
      return state.isStopping
    }
    if isStopping { server.close(promise: nil) }
  }

  /// On the event loop of the channel.
  private func add(_ channel: any Channel) throws {
    let pipeline = channel.pipeline.syncOperations
    var framing = HTTPResponseEncoder.Configuration()
    framing.automaticallySetFramingHeaders = false
    var limits = NIOHTTPDecoderLimitConfiguration()
    (limits.maxHeaderFieldSize, limits.maxHeaderListSize, limits.maxHeaderFieldCount) = (options.headerLimit, options.headerLimit, options.headerCount)
    try pipeline.addHandler(HTTPResponseEncoder(configuration: framing))
    // The decoder counts no blanks, but keeps those between a name and its value.
    let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: limits)
    try pipeline.addHandler(ByteToMessageHandler(decoder, maximumBufferSize: options.headerLimit))
    let handler = HTTPConnection(options, budget, date, begin: begin)
    try pipeline.addHandler(handler)

    let identifier = ObjectIdentifier(channel), connection = Connection(channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop))
    let isStopping = state.withLock { state in
      state.connections[identifier] = connection
      return state.isStopping
    }
    channel.closeFuture.whenComplete { [self] _ in
      state.withLock { $0.connections[identifier] = nil }
      endIfDone()
    }
    if isStopping { connection.perform { $0.finish() } }
  }

  /// Stops accepting; lets requests in flight finish; ends streams. What is not done when the grace time is over is cut off.
  func stop() {
    let (server, connections, isFirst) = state.withLock { state in
      defer { state.isStopping = true }
      return (state.server, Array(state.connections.values), !state.isStopping)
    }
    guard isFirst else { return }
    server?.close(promise: nil)
    for connection in connections { connection.perform { $0.finish() } }
    let grace = options.grace
    Task {
      try? await Task.sleep(for: grace)
      for connection in state.withLock({ Array($0.connections.values) }) { connection.perform { $0.cutOff() } }
      try? await Task.sleep(for: .milliseconds(250))
      for connection in state.withLock({ Array($0.connections.values) }) { connection.channel.close(promise: nil) }
    }
  }

  var isStopping: Bool { state.withLock { $0.isStopping } }

  private func endIfDone() {
    if state.withLock({ $0.isStopping && $0.server == nil && $0.connections.isEmpty }) { end(.stopped) }
  }

  private func end(_ ending: Ending) {
    state.withLock { $0.ended.take() }?(ending)
  }

  private static func reason(_ error: any Error, _ options: ListenerOptions) -> String {
    if let error = error as? SocketAddressError.UnknownHost { return "unknown host \(error.host)" }
    guard let error = error as? IOError else { return "\(error)" }
    return switch error.errnoCode {
    case EADDRINUSE: "port \(options.port) on \(options.host) is already in use"
    case EACCES: "no permission to open port \(options.port) on \(options.host)"
    case EADDRNOTAVAIL: "\(options.host) is not an address of this machine"
    default: "\(error)"
    }
  }
}
