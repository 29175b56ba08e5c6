import NIOCore
import NIOHTTP1
import SX

/// A request on its way in: its head as a handler in SX will see it, and what has come of its body.
struct IncomingRequest {
  /// The two ends of the connection.
  struct Origin {
    fileprivate let serverAddress: Datum
    fileprivate let serverPort: Datum
    fileprivate let clientAddress: Datum

    init(local: SocketAddress?, remote: SocketAddress?) {
      serverAddress = .string(local?.ipAddress ?? "")
      serverPort = .integer(local?.port ?? 0)
      clientAddress = .string(remote?.ipAddress ?? "")
    }
  }

  /// Why a head cannot be understood.
  struct Malformed: Error {
    var status = HTTPResponseStatus.badRequest
    let message: String
  }

  let method: HTTPMethod
  let target: String
  /// Bytes.
  let bodyLimit: Int
  /// The limit is the path's, not the server's.
  let hasOwnLimit: Bool
  /// The client waits for leave to send the body.
  let expectsContinue: Bool

  /// The decoder understands nothing behind it: it expects that the wish is granted.
  let asksForAnotherProtocol: Bool

  private var head: DatumDictionary
  private var announcedLength = 0
  private var body = ByteBuffer()
  private var isBodyDropped = false

  init(_ head: HTTPRequestHead, _ origin: Origin, _ options: ListenerOptions) throws(Malformed) {
    var fields = RequestFields(), hosts = 0, expectation: String?, hasUpgrade = false
    for (name, value) in head.headers {
      let name = name.lowercased(), value = FieldSyntax.trimmed(value)
      switch name {
      case "host":
        hosts += 1
        guard FieldSyntax.isHost(value) else { throw Malformed(message: "the request names a host that cannot be one") }
      // More than fits is too long in any case.
      case "content-length": announcedLength = Int(value) ?? .max
      case "transfer-encoding":
        // RFC 9112, section 6.1: what else there may be would be handled as if it were the body, and HTTP/1.0 has none.
        guard value.lowercased() == "chunked" else { throw Malformed(status: .notImplemented, message: "the only transfer coding here is chunked") }
        guard head.version != .http1_0 else { throw Malformed(message: "HTTP/1.0 has no transfer codings") }
      case "expect": expectation = value
      case "upgrade": hasUpgrade = true
      default: break
      }
      fields.add(name, value)
    }
    guard head.version.major == 1 else { throw Malformed(message: "this is not HTTP/1.1") }
    // RFC 9112, section 3.2.
    guard hosts == 1 || hosts == 0 && head.version == .http1_0 else {
      throw Malformed(message: hosts == 0 ? "the request names no host" : "the request names more than one host")
    }
    method = head.method
    target = Self.originForm(head.uri)
    guard let parts = RequestTarget(target) else { throw Malformed(message: "the request target is not valid percent-encoded UTF-8") }
    (bodyLimit, hasOwnLimit) = options.bodyLimit(target: target)
    asksForAnotherProtocol = hasUpgrade || head.method == .CONNECT
    expectsContinue = head.version != .http1_0 && expectation?.lowercased() == "100-continue"
    var entries: [(key: String, value: Datum)] = [
      ("method", .string(head.method.rawValue)),
      ("path", .string(parts.path)),
      ("target", .string(target)),
      ("headers", .dict(fields.joined)),
      ("query", .dict(parts.query)),
      ("params", .dict([:])),
      ("body", ""),
      ("scheme", "http"),
      ("version", head.version == .http1_1 ? "1.1" : .string("1.\(head.version.minor)")),
      ("server-address", origin.serverAddress),
      ("server-port", origin.serverPort),
      ("client-address", origin.clientAddress),
    ]
    if fields.repeated.count > 0 { entries.append(("header-lists", .dict(fields.repeated))) }
    self.head = DatumDictionary(uniqueEntries: entries)
  }

  /// The body is longer than its limit, as far as that is known.
  var isTooLong: Bool { max(announcedLength, body.readableBytes) > bodyLimit }

  mutating func append(_ bytes: ByteBuffer) {
    var bytes = bytes
    if body.readableBytes == 0 { body = bytes } else { body.writeBuffer(&bytes) }
  }

  /// The same without a body, for a handler that is told of the limit instead.
  var withoutBody: IncomingRequest {
    var request = self
    request.body = ByteBuffer()
    request.isBodyDropped = true
    return request
  }

  /// The dict that the handler gets.
  var datum: DatumDictionary {
    var datum = head
    if body.readableBytes > 0 { datum["body"] = Datum(body: body) }
    if isBodyDropped { datum["body-limit"] = .integer(bodyLimit) }
    return datum
  }

  /// `/path?query` of a target that names the server too, as a proxy is asked (RFC 9112, section 3.2.2).
  private static func originForm(_ target: String) -> String {
    guard target.utf8.first != UInt8(ascii: "/"), let scheme = ["http://", "https://"].first(where: { target.lowercased().hasPrefix($0) }) else { return target }
    let rest = target.utf8.dropFirst(scheme.utf8.count)
    guard let end = rest.firstIndex(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }) else { return "/" }
    return (rest[end] == UInt8(ascii: "?") ? "/" : "") + String(Substring(rest[end...]))
  }
}
