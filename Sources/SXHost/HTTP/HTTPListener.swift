import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import SX
import ServiceLifecycle
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

/// One HTTP server: Hummingbird in front, an interpreter's mailbox behind.
///
/// Thread-safe. Each request is posted to the interpreter as an `Exchange`, and the connection's task waits for the answer.
final class HTTPListener: Sendable {
  enum Ending: Sendable {
    case stopped
    case failed(String)
  }

  typealias Begin = @Sendable (Exchange, DatumDictionary) -> Void

  private struct State {
    var exchanges: [ObjectIdentifier: Exchange] = [:]
    var isStopping = false
    var services: ServiceGroup?
    var task: Task<Void, Never>?
  }

  private let options: ListenerOptions
  private let begin: Begin
  private let state = Mutex(State())

  /// - Parameter begin: hands a request to the interpreter; called on the connections' tasks.
  init(_ options: ListenerOptions, begin: @escaping Begin) {
    self.options = options
    self.begin = begin
  }

  /// Opens the port and serves until `stop`.
  ///
  /// - Parameters:
  ///   - started: called once, when the port is open.
  ///   - ended: called once, when everything is over.
  func start(started: @escaping @Sendable (ListeningAddress) -> Void, ended: @escaping @Sendable (Ending) -> Void) {
    let options = options
    let budget = RequestBodyBudget(options.bodyBudget)
    let application = Application(
      responder: Responder(listener: self),
      server: .http1(
        configuration: HTTP1Channel.Configuration(
          additionalChannelHandlers: [HTTPConnectionGuard(options, budget)], idleTimeout: options.idleTimeout,
          httpDecoderConfiguration: .init(
            maxHeaderFieldSize: options.headerLimit, maxHeaderListSize: options.headerLimit, maxHeaderFieldCount: options.headerCount))),
      configuration: ApplicationConfiguration(
        address: .hostname(options.host, port: options.port), serverName: "sx",
        // Thousands may come at once; the system puts its own limit below this one.
        backlog: 4096,
        availableConnectionsDelegate: MaximumAvailableConnections(options.connectionLimit, logger: Self.quietLogger)),
      onServerRunning: { channel in
        let address = channel.localAddress
        started(ListeningAddress(host: address?.ipAddress ?? options.host, port: address?.port ?? options.port))
      },
      logger: Self.quietLogger)
    let services = ServiceGroup(
      configuration: ServiceGroupConfiguration(services: [application], logger: Self.quietLogger))
    let task = Task {
      do {
        try await services.run()
        ended(.stopped)
      } catch {
        ended(.failed(Self.reason(error, options)))
      }
    }
    state.withLock { state in
      state.services = services
      state.task = task
    }
  }

  /// Stops accepting; lets requests in flight finish; ends streams. What is not done when the grace time is over is cut off.
  func stop() {
    let (services, task, exchanges) = state.withLock { state -> (ServiceGroup?, Task<Void, Never>?, [Exchange]) in
      guard !state.isStopping else { return (nil, nil, []) }
      state.isStopping = true
      return (state.services, state.task, Array(state.exchanges.values))
    }
    guard let services, let task else { return }
    for exchange in exchanges where exchange.isAnswered { exchange.end() }
    let grace = options.grace
    Task {
      await services.triggerGracefulShutdown()
      try? await Task.sleep(for: grace)
      for exchange in self.state.withLock({ Array($0.exchanges.values) }) {
        exchange.answer(.unavailable)
        exchange.abort()
      }
      try? await Task.sleep(for: .milliseconds(250))
      task.cancel()
    }
  }

  var isStopping: Bool { state.withLock { $0.isStopping } }

  /// What goes wrong is told to the caller of `start` or to the client; the library's own log would say it twice.
  private static let quietLogger = Logger(label: "sx.http", factory: { _ in SwiftLogNoOpLogHandler() })

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

  // MARK: Requests

  /// What the responder needs to know of a connection.
  private struct Connection: InitializableFromSource {
    let local: SocketAddress?
    let remote: SocketAddress?

    init(source: ApplicationRequestContextSource) {
      local = source.channel.localAddress
      remote = source.channel.remoteAddress
    }
  }

  private struct Responder: HTTPResponder {
    let listener: HTTPListener

    func respond(to request: Request, context: Connection) async throws -> Response {
      guard var datum = RequestDatum.make(request.head, local: context.local, remote: context.remote) else {
        return Self.refusal(.badRequest, "the request target is not valid percent-encoded UTF-8")
      }
      let limit = listener.options.bodyLimit(target: request.head.path)
      var request = request
      do {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw NIOTooManyBytesError(maxBytes: limit) }
        datum["body"] = Datum(body: try await request.collectBody(upTo: limit))
      } catch is NIOTooManyBytesError {
        guard listener.options.bodyLimits.values.contains(limit) else {
          return Self.refusal(.contentTooLarge, "the request body is longer than \(limit) bytes")
        }
        // Whoever asked for a limit of its own says no in its own words.
        datum["body-limit"] = .integer(limit)
      }
      let exchange = Exchange(label: "\(request.method) \(request.head.path ?? "/")", isHead: request.method == .head)
      return await listener.exchange(exchange, request, datum)
    }

    static func refusal(_ status: HTTPResponse.Status, _ message: String) -> Response {
      Response(
        status: status, headers: [.contentType: "text/plain; charset=utf-8"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: message + "\n")))
    }
  }

  private func exchange(_ exchange: Exchange, _ request: Request, _ datum: DatumDictionary) async -> Response {
    add(exchange)
    begin(exchange, datum)
    switch await exchange.awaitAnswer() {
    case .complete(let head, let body):
      remove(exchange)
      return Self.response(head, body, isHead: exchange.isHead)
    case .unavailable:
      remove(exchange)
      return Responder.refusal(.serviceUnavailable, "the server is stopping")
    case .stream(let head):
      return stream(exchange, request, head)
    }
  }

  private static func response(_ head: ResponseHead, _ body: ByteBuffer, isHead: Bool) -> Response {
    guard head.mayHaveBody else { return Response(status: head.status, headers: head.fields) }
    guard isHead else { return Response(status: head.status, headers: head.fields, body: ResponseBody(byteBuffer: body)) }
    var fields = head.fields
    fields[.contentLength] = String(body.readableBytes)
    return Response(status: head.status, headers: fields)
  }

  private func stream(_ exchange: Exchange, _ request: Request, _ head: ResponseHead) -> Response {
    var fields = head.fields
    // Watching for the client's end of the connection uses the connection up.
    fields[.connection] = "close"
    guard head.mayHaveBody, !exchange.isHead else {
      remove(exchange)
      return Response(status: head.status, headers: fields)
    }
    let body = ResponseBody { writer in
      defer {
        exchange.clientHasGone()
        self.remove(exchange)
      }
      // The callback is the only way to learn of a client that leaves while there is nothing to send.
      let isComplete = try await request.body.consumeWithInboundCloseHandler { _ in
        while true {
          switch await exchange.nextChunk() {
          case .bytes(let bytes): try await writer.write(bytes)
          case .end: return true
          case .abort: return false
          }
        }
      } onInboundClosed: {
        exchange.clientHasGone()
      }
      // Without the final chunk the client sees that the connection broke.
      guard isComplete else { throw Aborted() }
      try await writer.finish(nil)
    }
    return Response(status: head.status, headers: fields, body: body)
  }

  private struct Aborted: Error {}

  private func add(_ exchange: Exchange) {
    state.withLock { $0.exchanges[ObjectIdentifier(exchange)] = exchange }
  }

  private func remove(_ exchange: Exchange) {
    state.withLock { $0.exchanges[ObjectIdentifier(exchange)] = nil }
  }
}
