import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOHTTPCompression
import NIOPosix
import SX

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// http-request.
extension SystemHost {
  static let httpClientOperations: [String: OperationHandler] = [
    "http-request": { (host, call) throws(OperationFailure) in
      let request = try ClientRequest(call.dictionary(0))
      let reply = Reply(to: call.fiber, through: host.mailbox)
      Task {
        do {
          reply.succeed(try await request.send())
        } catch {
          reply.fail("http/request: \(request.reason(error))")
        }
      }
    }
  ]
}

/// One request to another server, as SX describes it: `{:method :url :headers :body :timeout-ms :redirects}`.
///
/// Up to five redirects are followed, none when `:redirects` is false. A compressed answer is unpacked.
private struct ClientRequest: Sendable {
  /// One pool of connections for the whole process. It is never shut down: connections end with the process.
  private static let client = client(.follow(max: 5, allowCycles: false))
  /// For those who must not be sent elsewhere, with their body and their credentials.
  private static let stayingClient = client(.disallow)

  private static func client(_ redirects: HTTPClient.Configuration.RedirectConfiguration) -> HTTPClient {
    var configuration = HTTPClient.Configuration(
      redirectConfiguration: redirects,
      timeout: HTTPClient.Configuration.Timeout(connect: .seconds(10)),
      decompression: .enabled(limit: .size(bodyLimit)))
    configuration.connectionPool.idleTimeout = .seconds(30)
    // A refused connection is an answer; whether to try again is the program's decision.
    configuration.connectionPool.retryConnectionEstablishment = false
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }

  /// Bytes of an answer; a longer one is an error.
  private static let bodyLimit = 64 << 20
  private static let defaultTimeout = 30_000
  /// In milliseconds. Before that the client's own deadline, which knows other words, must not come first.
  private static let day = 86_400_000

  private let request: HTTPClientRequest
  private let milliseconds: Int
  private let followsRedirects: Bool

  private struct TimedOut: Error {}

  init(_ description: DatumDictionary) throws(OperationFailure) {
    guard let url = description["url"]?.string else { throw OperationFailure("http/request: :url must be a string") }
    var request = HTTPClientRequest(url: url)
    request.method = HTTPMethod(rawValue: description["method"]?.string?.uppercased() ?? "GET")
    for (name, value) in description["headers"]?.dict ?? [:] {
      for value in value.list ?? [value] {
        guard let text = value.string ?? value.integer.map({ String($0) }) else {
          throw OperationFailure("http/request: the header \(name) must be a string, got \(value)")
        }
        request.headers.add(name: name, value: text)
      }
    }
    if !request.headers.contains(name: "user-agent") { request.headers.add(name: "user-agent", value: "sx") }
    if !request.headers.contains(name: "accept-encoding") { request.headers.add(name: "accept-encoding", value: "gzip, deflate") }
    if let body = description["body"], !body.isNull {
      guard var bytes = body.bytes ?? body.string.map({ Array($0.utf8) }) else {
        throw OperationFailure("http/request: :body must be a string or a bytevector, got \(body)")
      }
      switch description["compression"]?.string {
      case nil, "none": break
      case "gzip":
        bytes = Gzip.compressed(bytes)
        request.headers.replaceOrAdd(name: "content-encoding", value: "gzip")
      case let other?: throw OperationFailure("http/request: :compression must be \"gzip\" or \"none\", got \"\(other)\"")
      }
      request.body = .bytes(ByteBuffer(bytes: bytes))
    }
    self.request = request
    followsRedirects = description["redirects"] != .bool(false)
    milliseconds = max(1, description["timeout-ms"]?.number.map { Int(min($0, 1e12)) } ?? Self.defaultTimeout)
  }

  /// The answer as SX gets it: `{:status :headers :body}`.
  func send() async throws -> Datum {
    // The client's own deadline covers the head only; this one covers the body as well.
    try await withThrowingTaskGroup(of: Datum.self) { group in
      group.addTask {
        let response = try await (followsRedirects ? Self.client : Self.stayingClient).execute(request, timeout: .milliseconds(Int64(max(milliseconds, Self.day))))
        let body = try await response.body.collect(upTo: Self.bodyLimit)
        return Self.datum(response, body)
      }
      group.addTask {
        try await Task.sleep(for: .milliseconds(milliseconds))
        throw TimedOut()
      }
      defer { group.cancelAll() }
      return try await group.next() ?? .null
    }
  }

  private static func datum(_ response: HTTPClientResponse, _ body: ByteBuffer) -> Datum {
    var headers = DatumDictionary()
    let wasCompressed = response.headers.contains(name: "content-encoding")
    for (name, value) in response.headers {
      let name = name.lowercased()
      // They describe the bytes that were sent, not the body that SX sees.
      if wasCompressed && (name == "content-encoding" || name == "content-length") { continue }
      headers[name] = .string(headers[name]?.string.map { "\($0), \(value)" } ?? value)
    }
    return .dict(["status": .integer(Int(response.status.code)), "headers": .dict(headers), "body": Datum(body: body)])
  }

  /// What went wrong, in words, and with whom.
  func reason(_ error: any Error) -> String {
    let target = "\(request.method.rawValue) \(request.url)"
    switch error {
    case is TimedOut: return "no answer within \(milliseconds) ms: \(target)"
    case is NIOTooManyBytesError: return "the answer is longer than \(Self.bodyLimit) bytes: \(target)"
    case let error as NIOConnectionError:
      let cause = error.connectionErrors.first?.error ?? error.dnsAError ?? error.dnsAAAAError
      return "cannot connect to \(error.host):\(error.port): \(cause.map(Self.words) ?? "no address found")"
    case is IOError, is ChannelError: return "\(Self.words(error)): \(target)"
    case let error as HTTPClientError:
      let words: String =
        switch error {
        case .invalidURL: "not a URL"
        case .emptyHost: "the URL has no host"
        case .emptyScheme: "the URL has no scheme"
        case .connectTimeout: "no connection within 10 s"
        case .remoteConnectionClosed: "the server closed the connection"
        case .redirectLimitReached: "too many redirects"
        case .redirectCycleDetected: "the redirects go in a circle"
        default: error.shortDescription
        }
      return "\(words): \(target)"
    default: return "\(error): \(target)"
    }
  }

  /// The system's own words, without the library's.
  private static func words(_ error: any Error) -> String {
    switch error {
    case let error as IOError: String(cString: strerror(error.errnoCode))
    case ChannelError.connectTimeout: "no answer"
    case let error as SocketAddressError.UnknownHost: "unknown host \(error.host)"
    default: "\(error)"
    }
  }
}
