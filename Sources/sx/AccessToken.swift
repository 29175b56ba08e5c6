#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What a request for the telemetry of `sx serve` must bring.
///
/// Traces tell about everybody's requests. On loopback, those who can reach them are on the machine anyway; where others can, a server
/// without a token makes one.
struct AccessToken: Sendable {
  /// Nil when nothing is asked for.
  let text: String?
  /// It is nobody's choice, so it must be shown.
  let isMade: Bool
  /// A line for standard error.
  let warning: String?

  /// - Parameters:
  ///   - chosen: from the command line; otherwise that of the variable SX_TOKEN counts.
  ///   - host: where the server will listen.
  init(_ chosen: String?, host: String) {
    let named = chosen ?? Self.fromEnvironment
    isMade = named == nil && !Self.isLoopback(host)
    text = isMade ? Self.random() : named
    warning = isMade ? "sx: \(host) can be reached by others: /otel and /v1/traces ask for a token, --token chooses it\n" : nil
  }

  /// The variable SX_TOKEN; empty is the same as none.
  static var fromEnvironment: String? {
    getenv("SX_TOKEN").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Something that needs no quoting in addresses, headers and cookies, and that is not guessed at once.
  static func isUsable(_ text: String) -> Bool {
    text.utf8.count >= 8 && text.unicodeScalars.allSatisfy { $0.isASCII && ($0.properties.isAlphabetic || $0.properties.numericType != nil || "-._~".unicodeScalars.contains($0)) }
  }

  private static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || host == "::1" || host.hasPrefix("127.")
  }

  /// 128 bits from the system.
  private static func random() -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<2).map { _ in
      let digits = String(generator.next() as UInt64, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}
