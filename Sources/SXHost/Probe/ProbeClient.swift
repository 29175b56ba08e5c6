public import SX

/// The asking end of the probe: evaluates source inside a running server.
public struct ProbeClient: Sendable {
  /// What the server made of the source.
  public enum Answer: Sendable {
    /// As the printer writes it.
    case value(String)
    /// A rendered diagnostic.
    case failure(String)
  }

  private let socket: UnixSocket

  /// Connects to a probe socket.
  ///
  /// - Parameters:
  ///   - path: where the socket is.
  ///   - worker: the number of the interpreter to ask, where several share the server.
  /// - Throws: `ProbeFailure` when nobody listens there, or there is no such worker.
  public init(path: String, worker: Int = 0) throws(ProbeFailure) {
    do {
      socket = try UnixSocket()
      try socket.connect(to: path)
    } catch {
      throw ProbeFailure("cannot connect to the probe: \(error)")
    }
    guard worker != 0 else { return }
    try socket.write(ProbeFrame(.worker, String(worker)).encoded)
    switch try ProbeFrame.read(from: socket, limit: ProbeFrame.answerLimit) {
    case let answer? where answer.kind == .value: return
    case let answer? where answer.kind == .refusal: throw ProbeFailure("refused: \(answer.text)")
    default: throw ProbeFailure("the server did not answer")
    }
  }

  /// Evaluates all forms of `source` in a fiber of the server's interpreter and waits for the value of the last one.
  ///
  /// - Throws: `ProbeFailure` when the connection breaks or the server refuses the source.
  public func evaluate(_ source: String) throws(ProbeFailure) -> Answer {
    let request = ProbeFrame(.evaluate, source)
    guard request.payload.count <= ProbeFrame.sourceLimit else {
      throw ProbeFailure("the source is longer than \(ProbeFrame.sourceLimit) bytes")
    }
    try socket.write(request.encoded)
    guard let answer = try ProbeFrame.read(from: socket, limit: ProbeFrame.answerLimit) else {
      throw ProbeFailure("the server closed the connection without an answer")
    }
    switch answer.kind {
    case .value: return .value(answer.text)
    case .failure: return .failure(answer.text)
    case .refusal: throw ProbeFailure("refused: \(answer.text)")
    default: throw ProbeFailure("the server sent a frame that does not fit: \(answer.kind)")
    }
  }

  /// Holds one turn of a session inside the server and waits for its end.
  ///
  /// - Parameters:
  ///   - turn: forms or a command.
  ///   - show: gets what is to be shown, as soon as it arrives: whole lines, without the last line break.
  ///   - print: gets what the turn prints, in pieces.
  /// - Returns: a rendered diagnostic when the turn ended with an error.
  /// - Throws: `ProbeFailure` when the connection breaks or the server refuses the turn.
  public func converse(_ turn: Session.Turn, show: (String) -> Void, print: (String) -> Void) throws(ProbeFailure) -> String? {
    let request = ProbeFrame(.converse, ProbeTurn.encode(turn))
    guard request.payload.count <= ProbeFrame.sourceLimit else {
      throw ProbeFailure("the source is longer than \(ProbeFrame.sourceLimit) bytes")
    }
    try socket.write(request.encoded)
    while let answer = try ProbeFrame.read(from: socket, limit: ProbeFrame.answerLimit) {
      switch answer.kind {
      case .shown: show(answer.text)
      case .printed: print(answer.text)
      case .value: return nil
      case .failure: return answer.text
      case .refusal: throw ProbeFailure("refused: \(answer.text)")
      default: throw ProbeFailure("the server sent a frame that does not fit: \(answer.kind)")
      }
    }
    throw ProbeFailure("the server closed the connection without an answer")
  }

  /// Names that begin like `prefix` in the server's interpreter; with `,` the commands of a session.
  ///
  /// - Throws: `ProbeFailure` when the connection breaks or the server refuses.
  public func completions(of prefix: String) throws(ProbeFailure) -> [String] {
    try socket.write(ProbeFrame(.complete, prefix).encoded)
    guard let answer = try ProbeFrame.read(from: socket, limit: ProbeFrame.answerLimit), answer.kind == .value else {
      throw ProbeFailure("the server did not answer")
    }
    return answer.text.split(separator: "\n").map(String.init)
  }

  /// Ends the evaluation that this client waits for. May be called on another thread than the one that waits; does nothing when the
  /// server is gone, because the one that waits hears about that.
  public func interrupt() { try? socket.write(ProbeFrame(.interrupt, "").encoded) }
}
