import SX
import SXHost
import Synchronization

/// Where a session is held: in this process, or inside a running server.
protocol Evaluator: AnyObject {
  /// Runs a turn to its end; throws what went wrong.
  ///
  /// - Parameters:
  ///   - show: gets whole lines, without the last line break, as soon as they are known.
  ///   - print: gets what the turn prints, in pieces, when it runs elsewhere; here the host prints.
  func evaluate(_ turn: Session.Turn, show: @escaping (String) -> Void, print: @escaping (String) -> Void) throws
  /// Globals and special forms that begin like this.
  func completions(of prefix: String) -> [String]
  /// The commands, without the comma.
  var commandNames: [String] { get }
  /// Stops the evaluation that runs; called on any thread.
  var stop: @Sendable () -> Void { get }
  /// Called now and then while nothing is typed: work in the background goes on for as long as the condition holds.
  ///
  /// - Returns: whether there is more of it at once.
  func goOn(while condition: () -> Bool) -> Bool
}

/// A session in an interpreter of this process.
final class LocalEvaluator: Evaluator {
  private let interpreter: Interpreter
  private let host: SystemHost
  private let session: Session
  private let running = Running()
  private(set) lazy var commandNames = session.commandNames()
  let stop: @Sendable () -> Void

  /// The fiber of the evaluation under way, for the thread that gets the signal.
  private final class Running: Sendable {
    private struct State {
      var fiber: FiberID?
      var wasStopped = false
    }
    private let state = Mutex(State())

    func begin(_ fiber: FiberID) { state.withLock { $0 = State(fiber: fiber) } }
    func end() { state.withLock { $0 = State() } }

    /// A fiber that does not end when it is told to waits for another one that keeps the interpreter busy: the second time everything stops.
    func stop(_ cancellation: Cancellation) {
      state.withLock { state in
        if let fiber = state.fiber, !state.wasStopped { cancellation.cancel(fiber) } else { cancellation.cancel() }
        state.wasStopped = true
      }
    }
  }

  init(_ interpreter: Interpreter, _ host: SystemHost) {
    self.interpreter = interpreter
    self.host = host
    session = Session(interpreter)
    let cancellation = interpreter.cancellation
    stop = { [running, mailbox = host.mailbox] in
      running.stop(cancellation)
      // It may wait for events; an empty one lets it look up.
      mailbox.post { _ in }
    }
  }

  func evaluate(_ turn: Session.Turn, show: @escaping (String) -> Void, print: @escaping (String) -> Void) throws {
    // What was meant for work in the background must not hit this.
    interpreter.cancellation.withdraw()
    defer { running.end() }
    try session.run(turn, started: { running.begin($0) }, show: show)
  }

  func completions(of prefix: String) -> [String] { session.completions(of: prefix) }

  func goOn(while condition: () -> Bool) -> Bool { host.runPosted(interpreter, while: condition) }
}

/// A session inside the running server that has a probe socket.
///
/// Every turn has a connection of its own: a session may be left alone for hours, and goes on when the server was restarted.
final class RemoteEvaluator: Evaluator {
  private let path: String
  private let worker: Int
  private let running = Running()
  let commandNames: [String]
  let stop: @Sendable () -> Void

  /// The connection of the evaluation under way, for the thread that gets the signal.
  private final class Running: Sendable {
    let client = Mutex<ProbeClient?>(nil)
  }

  /// - Throws: `ProbeFailure` when nobody answers at the socket, or there is no such worker.
  init(path: String, worker: Int) throws {
    self.path = path
    self.worker = worker
    stop = { [running] in running.client.withLock { $0?.interrupt() } }
    commandNames = try ProbeClient(path: path, worker: worker).completions(of: ",")
  }

  func evaluate(_ turn: Session.Turn, show: @escaping (String) -> Void, print: @escaping (String) -> Void) throws {
    var turn = turn
    turn.directory = Files.workingDirectory
    let client = try ProbeClient(path: path, worker: worker)
    running.client.withLock { $0 = client }
    defer { running.client.withLock { $0 = nil } }
    if let diagnostic = try client.converse(turn, show: show, print: print) { throw RenderedDiagnostic(text: diagnostic) }
  }

  func completions(of prefix: String) -> [String] {
    // A server that does not answer has nothing to suggest; what is typed next will tell.
    (try? ProbeClient(path: path, worker: worker).completions(of: prefix)) ?? []
  }

  func goOn(while condition: () -> Bool) -> Bool { false }
}

/// An error that happened in another process, as text.
struct RenderedDiagnostic: Error {
  let text: String
}
