#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The unit of the probe's protocol, in both directions:
///
///     offset 0  4 bytes  length of the payload, big-endian
///     offset 4  1 byte   kind
///     offset 5  payload, UTF-8
///
/// The client sends one request at a time:
///
/// - `evaluate` with source text gets one answer: `value` with what the printer wrote, or `failure` with a rendered diagnostic.
/// - `converse` with a turn of a session gets `shown` for every text that is to be shown and `printed` for what it prints meanwhile, then `value` without payload or `failure`.
/// - `worker` with a number in decimal gets an empty `value`: what follows on this connection is for the worker of this number, and not for number 0.
/// - `complete` with the beginning of a name gets `value` with all names that begin like it, one a line; `,` asks for the commands.
///
/// While it waits for an answer it may send `interrupt`, which ends the evaluation with a `failure`. A frame that is not acceptable is
/// answered by `refusal`, after which the server closes the connection.
struct ProbeFrame: Sendable, Equatable {
  enum Kind: UInt8, Sendable {
    case evaluate = 1
    case value = 2
    case failure = 3
    case refusal = 4
    case converse = 5
    case shown = 6
    case complete = 7
    case interrupt = 8
    case printed = 9
    case worker = 10
  }

  /// Longest source text, in bytes.
  static let sourceLimit = 1 << 20
  /// Longest answer, in bytes; a longer one is cut off.
  static let answerLimit = 64 << 20

  static let headerLength = 5

  let kind: Kind
  let payload: [UInt8]

  init(_ kind: Kind, _ text: String) {
    self.kind = kind
    payload = Array(text.utf8)
  }

  private init(_ kind: Kind, _ payload: [UInt8]) {
    self.kind = kind
    self.payload = payload
  }

  var text: String { String(decoding: payload, as: UTF8.self) }

  var encoded: [UInt8] {
    let body = payload.prefix(Self.answerLimit)
    var bytes = withUnsafeBytes(of: UInt32(body.count).bigEndian) { Array($0) }
    bytes.append(kind.rawValue)
    bytes.append(contentsOf: body)
    return bytes
  }

  /// Reads one frame.
  ///
  /// - Returns: nil when the other side closed the connection before a frame began.
  /// - Throws: `ProbeFailure` for everything else that is not a whole frame.
  static func read(from socket: UnixSocket, limit: Int) throws(ProbeFailure) -> ProbeFrame? {
    guard let header = try socket.read(headerLength) else { return nil }
    let length = header[..<4].reduce(0) { $0 << 8 | Int($1) }
    guard length <= limit else { throw ProbeFailure("a frame of \(length) bytes is longer than \(limit) bytes") }
    guard let kind = Kind(rawValue: header[4]) else { throw ProbeFailure("unknown kind of frame: \(header[4])") }
    guard length > 0 else { return ProbeFrame(kind, []) }
    guard let payload = try socket.read(length) else { throw ProbeFailure("the connection ended inside a frame") }
    return ProbeFrame(kind, payload)
  }
}

/// Why a probe did not get its answer.
public struct ProbeFailure: Error, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}
