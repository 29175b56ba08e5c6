import SX
import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A running `sx serve` that has a probe socket, as the commands about spans see it.
struct RunningServer {
  private let path: String

  /// Where `make run` puts the socket.
  static let usualPath = "/tmp/sx.probe"

  /// - Parameter path: nil for the one that the variable SX_PROBE names, and without it the usual one.
  init(path: String?) {
    self.path = path ?? getenv("SX_PROBE").map { String(cString: $0) } ?? Self.usualPath
  }

  /// The value of an expression inside the server.
  ///
  /// - Parameter interpreter: reads what the server prints.
  func evaluate(_ source: String, _ interpreter: Interpreter) throws -> Handle {
    switch try ProbeClient(path: path).evaluate(source) {
    case .value(let text): return try interpreter.evaluate(text, file: "<answer>")
    case .failure(let diagnostic): throw RenderedDiagnostic(text: diagnostic)
    }
  }

  /// The bytes that an expression may have.
  static let longestSource = 1 << 20

  /// Hands the spans that were recorded after a sequence number to a function of the interpreter, page by page.
  ///
  /// - Parameters:
  ///   - patience: milliseconds to wait for the first of them.
  ///   - function: the name of a function that takes a page as text and gives `{:seq :missed :more}`.
  /// - Returns: the sequence number of the last span, and how many were gone already.
  func fetch(after sequence: Int, patience: Int = 0, _ function: String, _ interpreter: Interpreter) throws -> (sequence: Int, missed: Int) {
    let take = try interpreter.evaluate(function)
    var last = sequence, missed = 0, hasMore = true, patience = patience
    while hasMore {
      let page = try evaluate("(otel/-page \(last) \(patience))", interpreter)
      let state = try interpreter.call(take, [.string(page.string ?? "")]).datum()
      last = state["seq"]?.integer ?? last
      missed += state["missed"]?.integer ?? 0
      hasMore = state["more"]?.bool ?? false
      patience = 0
    }
    return (last, missed)
  }
}
