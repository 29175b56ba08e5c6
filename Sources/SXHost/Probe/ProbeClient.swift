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

  /// Connects to the probe socket at `path`.
  ///
  /// - Throws: `ProbeFailure` when nobody listens there.
  public init(path: String) throws(ProbeFailure) {
    do {
      socket = try UnixSocket()
      try socket.connect(to: path)
    } catch {
      throw ProbeFailure("cannot connect to the probe: \(error)")
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
    case .evaluate: throw ProbeFailure("the server sent a frame that only clients send")
    }
  }
}
