import NIOCore
import SX

/// What `http-serve` was asked for: the address, and how much of everything a client may take.
///
/// Each limit has a default that holds for every server; README, "Limits of the server", is the list for its users.
struct ListenerOptions: Sendable {
  var host = "127.0.0.1"
  var port = 8080
  /// Bytes; a longer request body is answered with 413.
  var bodyLimit = 16 << 20
  /// Paths, without slashes at the end, whose bodies have a limit of their own.
  var bodyLimits: [(path: String, bytes: Int)] = []
  /// Bytes of all request bodies that are being received or handled at a time; beyond it 503 is the answer.
  var bodyBudget = 256 << 20
  /// Bytes of the request line and all header fields; more is answered with 431.
  var headerLimit = 64 << 10
  /// Header fields; more are answered with 431.
  var headerCount = 200
  /// From the first bytes of a head to its end; then 408 is the answer.
  var headerTimeout: TimeAmount = .seconds(10)
  /// From the head to the end of the body, and a second more for every `bodyRate` bytes that have come; then 408 is the answer.
  var bodyTimeout: TimeAmount = .seconds(20)
  /// The slowest body that is waited for, in bytes per second.
  var bodyRate = 4096
  /// A connection without a request is closed after this.
  var idleTimeout: TimeAmount = .seconds(60)
  /// A connection whose client accepts nothing of its response for so long is cut off.
  var writeTimeout: TimeAmount = .seconds(30)
  /// Connections; further ones wait in the system's queue until one of them ends.
  var connectionLimit = 4096
  /// How long requests in flight may go on after `stop`.
  var grace: Duration = .seconds(10)

  /// A quarter of the files that the process may have open is not for connections: handlers read files and ask others, and the probe answers.
  static var mostConnections: Int { max(1, ResourceLimit.openFiles.current / 4 * 3) }

  /// The interpreters that were started for it answer requests too.
  var isShared: Bool { !firstPaths.isEmpty }
  /// Of a shared server: paths that are for the first interpreter, with all below them.
  var firstPaths: [String] = []

  func isForFirst(path: String?) -> Bool {
    guard let path else { return true }
    return firstPaths.contains { path.hasPrefix($0) && (path.utf8.count == $0.utf8.count || path.utf8.dropFirst($0.utf8.count).first == UInt8(ascii: "/")) }
  }

  /// The longest body that a request for this target may have, and whether its path asks for that. As for the router, a slash at the end makes no difference.
  func bodyLimit(target: String) -> (bytes: Int, isOwn: Bool) {
    for (path, bytes) in bodyLimits where target.utf8.starts(with: path.utf8) {
      var rest = target.utf8.dropFirst(path.utf8.count)
      while rest.first == UInt8(ascii: "/") { rest.removeFirst() }
      if rest.isEmpty || rest.first == UInt8(ascii: "?") { return (bytes, true) }
    }
    return (bodyLimit, false)
  }
}

extension ListenerOptions {
  /// - Parameter options: the dict of `http-serve`; what it leaves out keeps its default.
  init(_ options: DatumDictionary) throws(OperationFailure) {
    func integer(_ name: String, _ range: ClosedRange<Int>, _ fallback: Int) throws(OperationFailure) -> Int {
      guard let value = options[name], !value.isNull else { return fallback }
      return try Self.integer(value, name, range)
    }
    func time(_ name: String, _ fallback: TimeAmount) throws(OperationFailure) -> TimeAmount {
      .milliseconds(Int64(try integer(name, 1...3_600_000, Int(fallback.nanoseconds / 1_000_000))))
    }
    if let value = options["host"], !value.isNull {
      guard let name = value.string, !name.isEmpty else { throw OperationFailure("http-serve: host must be a string, got \(value)") }
      host = name
    }
    if let value = options["body-limits"], !value.isNull {
      guard let limits = value.dict else { throw OperationFailure("http-serve: body-limits must be a dict, got \(value)") }
      for (path, limit) in limits {
        guard !path.utf8.contains(UInt8(ascii: "?")) else { throw OperationFailure("http-serve: body-limits: a path has no ?, got \(path.debugDescription)") }
        var name = path.utf8[...]
        while name.last == UInt8(ascii: "/") { name.removeLast() }
        bodyLimits.append((String(Substring(name)), try Self.integer(limit, "body-limits", Self.sizes)))
      }
    }
    if let value = options["first-paths"], !value.isNull {
      guard let paths = value.list, paths.allSatisfy({ $0.string != nil }) else { throw OperationFailure("http-serve: first-paths must be a list of strings, got \(value)") }
      firstPaths = paths.compactMap(\.string)
    }
    port = try integer("port", 0...65535, port)
    bodyLimit = try integer("body-limit", Self.sizes, bodyLimit)
    bodyBudget = try integer("body-budget", Self.sizes, bodyBudget)
    headerLimit = try integer("header-limit", 1024...(1 << 24), headerLimit)
    headerCount = try integer("header-count", 1...100_000, headerCount)
    headerTimeout = try time("header-timeout-ms", headerTimeout)
    bodyTimeout = try time("body-timeout-ms", bodyTimeout)
    bodyRate = try integer("body-rate", 1...(1 << 30), bodyRate)
    idleTimeout = try time("idle-timeout-ms", idleTimeout)
    writeTimeout = try time("write-timeout-ms", writeTimeout)
    connectionLimit = try integer("connection-limit", 1...1_000_000, connectionLimit)
    grace = .milliseconds(try integer("grace-ms", 0...3_600_000, 10_000))
  }

  private static let sizes = 0...(1 << 30)

  private static func integer(_ value: Datum, _ name: String, _ range: ClosedRange<Int>) throws(OperationFailure) -> Int {
    guard let integer = value.integer, range.contains(integer) else {
      throw OperationFailure("http-serve: \(name) must be an integer from \(range.lowerBound) to \(range.upperBound), got \(value)")
    }
    return integer
  }
}
