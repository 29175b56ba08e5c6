import Dispatch
import SX
import Synchronization

/// One request of a probe: it runs in a fiber of the interpreter while the connection's thread passes its answers on. The evaluation of a
/// client that has left, or that says so, is cancelled.
final class ProbeRequest: Sendable {
  private struct State {
    var answers: [ProbeFrame] = []
    /// What was printed after all of them.
    var printed = ""
    /// What runs, and how it is ended.
    var running: (fiber: FiberID, cancellation: Cancellation)?
    var isCancelled = false
    /// The last answer is among `answers` or was taken already.
    var isFinished = false

    mutating func seal() {
      if !printed.isEmpty { answers.append(ProbeFrame(.printed, printed)) }
      printed = ""
    }
  }

  /// How often the thread looks whether the client says something, in milliseconds.
  private static let pulse = 50
  /// Further answers are dropped while so many wait for a slow client, which must not hold up the interpreter.
  private static let mostWaiting = 10_000
  /// Bytes of printed text that wait at most.
  private static let mostPrinted = 1 << 20

  private let mailbox: Mailbox
  private let client: UnixSocket
  private let state = Mutex(State())
  private let arrival = DispatchSemaphore(value: 0)

  init(_ mailbox: Mailbox, _ client: UnixSocket) {
    self.mailbox = mailbox
    self.client = client
  }

  // MARK: On the connection's thread

  func evaluate(_ source: String) {
    mailbox.post { [self] interpreter in
      begin(interpreter) { completion in interpreter.spawn(source: source, file: "<probe>", completion: completion) } answer: { $0.description }
    }
  }

  func converse(_ turn: Session.Turn) {
    mailbox.post { [self] interpreter in
      let session = Session(interpreter)
      begin(interpreter, colors: turn.usesColors) { completion in
        session.begin(turn, show: { [self] in give(ProbeFrame(.shown, $0)) }, output: { [self] in give(printed: $0) }) { [session] in
          // The session must live as long as its turn.
          _ = session
          completion($0)
        }
      } answer: { _ in "" }
    }
  }

  func complete(_ prefix: String) {
    mailbox.post { [self] interpreter in
      let session = Session(interpreter)
      let names = prefix == "," ? session.commandNames() : session.completions(of: prefix)
      give(ProbeFrame(.value, names.joined(separator: "\n")), isLast: true)
    }
  }

  /// Sends answers to the client until the last one.
  ///
  /// - Returns: false when the client has left.
  func passOnAnswers() throws(ProbeFailure) -> Bool {
    var listens = true
    while true {
      _ = arrival.wait(timeout: .now() + .milliseconds(Self.pulse))
      let (answers, isFinished) = state.withLock { state in
        state.seal()
        defer { state.answers = [] }
        return (state.answers, state.isFinished)
      }
      do throws(ProbeFailure) {
        for answer in answers { try client.write(answer.encoded) }
      } catch {
        cancel()
        throw error
      }
      if isFinished { return true }
      if client.isAbandoned {
        cancel()
        return false
      }
      switch listens ? client.nextKind : .none {
      case .frame(ProbeFrame.Kind.interrupt.rawValue):
        _ = try ProbeFrame.read(from: client, limit: 0)
        cancel()
      // The next request, or a client that has closed its sending half and still waits for its answer.
      case .frame, .end: listens = false
      case .none: break
      }
    }
  }

  private func cancel() {
    let isNew = state.withLock { state in
      defer { state.isCancelled = true }
      return !state.isCancelled
    }
    guard isNew else { return }
    // From here and not in a job: a loop inside a macro lets no job run.
    if let running = state.withLock({ $0.running }) { running.cancellation.cancel(running.fiber) }
    // It may wait for the host.
    mailbox.post { _ in }
  }

  // MARK: On the interpreter's thread

  private func begin(
    _ interpreter: Interpreter, colors: Bool = false, _ start: (@escaping (Result<Handle, Diagnostic>) -> Void) -> FiberID, answer: @escaping (Handle) -> String
  ) {
    let fiber = start { [self] result in
      switch result {
      case .success(let value): give(ProbeFrame(.value, answer(value)), isLast: true)
      case .failure(let diagnostic): give(ProbeFrame(.failure, diagnostic.rendered(color: colors)), isLast: true)
      }
    }
    let cancellation = interpreter.cancellation
    let isCancelled = state.withLock { state in
      state.running = (fiber, cancellation)
      return state.isCancelled
    }
    if isCancelled { cancellation.cancel(fiber) }
  }

  /// - Returns: false when nobody listens any more: then the server's own output is the place for it.
  private func give(printed text: String) -> Bool {
    let isNew = state.withLock { state -> Bool? in
      guard !state.isFinished else { return nil }
      // Printing goes piece by piece; what has come together by the time it is fetched travels as one frame.
      defer { if state.printed.utf8.count < Self.mostPrinted { state.printed += text } }
      return state.printed.isEmpty
    }
    if isNew == true { arrival.signal() }
    return isNew != nil
  }

  private func give(_ frame: ProbeFrame, isLast: Bool = false) {
    state.withLock { state in
      // A fiber that the turn has left behind may still have something to show, but nobody looks any more.
      guard !state.isFinished else { return }
      state.seal()
      if isLast { state.isFinished = true }
      if isLast || state.answers.count < Self.mostWaiting { state.answers.append(frame) }
    }
    arrival.signal()
  }
}
