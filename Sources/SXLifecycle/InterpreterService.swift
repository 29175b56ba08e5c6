public import ServiceLifecycle
public import SX
public import SXHost
import Synchronization

/// A program of SX as a service of a swift-service-lifecycle `ServiceGroup`: it begins with the group, and ends in order when the group shuts down.
///
/// ```swift
/// let program = try Program(bytes: Files.contents(of: "hello.sx"), file: "hello.sx")
/// let hello = InterpreterService(program, SystemHost.Configuration(capabilities: .all))
/// try await ServiceGroup(services: [hello], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
///
/// Each `run` has an interpreter with a `SystemHost`, on a thread of its own.
///
/// - When the group shuts down gracefully, the servers of the program stop: requests in flight finish, streams end, and `host/serve` answers, after which the program may go on to its end.
///   A program without a server exits with status 0. See `SystemHost.stop`.
/// - When the task of the service is cancelled, as groups do that have waited long enough, the program ends at its next time slice; see `Cancellation`.
/// - What the program has given to `at-exit` is done in the first case, and when it comes to its end, exits or fails.
///
/// An immutable value that may cross threads.
public struct InterpreterService: Service {
  /// Prepares an interpreter before the program runs: functions, limits, `SystemHost.onListening`. Called on the interpreter's thread.
  public typealias SetUp = @Sendable (Interpreter, SystemHost) throws -> Void

  private let program: Program
  private let configuration: SystemHost.Configuration
  private let setUp: SetUp

  /// A service that runs a program.
  ///
  /// - Parameters:
  ///   - program: what is run; a server begins with `host/serve`.
  ///   - configuration: of the interpreter's host, with what the program may use. Signals are for the group.
  ///   - setUp: is called first.
  public init(_ program: Program, _ configuration: SystemHost.Configuration = SystemHost.Configuration(), setUp: @escaping SetUp = { _, _ in }) {
    self.program = program
    self.configuration = configuration
    self.setUp = setUp
  }

  /// Runs the program to its end.
  ///
  /// - Throws: what `setUp` has thrown; the `Diagnostic` of a program that has failed or was cancelled; a `HostError` for one that has exited with another status than 0, or when the
  ///   system refuses a thread.
  public func run() async throws {
    let end = ProgramEnd()
    try await withTaskCancellationHandler {
      try await withGracefulShutdownHandler {
        try await withCheckedThrowingContinuation { (ended: CheckedContinuation<Void, any Error>) in
          do {
            try InterpreterThread.detach { ended.resume(with: Result { try execute(until: end) }) }
          } catch {
            ended.resume(throwing: error)
          }
        }
      } onGracefulShutdown: {
        end.ask(.shutdown)
      }
    } onCancel: {
      end.ask(.cancellation)
    }
  }

  private func execute(until end: ProgramEnd) throws {
    let host = SystemHost(configuration)
    defer { host.close() }
    let interpreter = Interpreter(host: host, capabilities: configuration.capabilities)
    var status: Int32?
    host.onExit = { [cancellation = interpreter.cancellation] code in
      status = code
      cancellation.cancel()
    }
    end.watch(interpreter)
    do {
      try setUp(interpreter, host)
      do {
        try interpreter.evaluate(program)
      } catch {
        // Whoever cancels does not wait. After an exit nothing is left of it.
        if !end.isCancelled { try? interpreter.runAtExit() }
        throw error
      }
      try interpreter.runAtExit()
    } catch {
      switch status {
      case nil: throw error
      case 0: return
      case let status?: throw HostError("\(program.file) has exited with status \(status)")
      }
    }
  }
}

/// Tells a program that it is to end, whether it has begun or not.
private final class ProgramEnd: Sendable {
  enum Reason {
    case shutdown, cancellation
  }

  private struct State {
    var asked: Reason?
    var program: (mailbox: Mailbox, cancellation: Cancellation)?
  }
  private let state = Mutex(State())

  /// From now on this is the one. Called on its thread.
  func watch(_ interpreter: Interpreter) {
    let asked = state.withLock { state in
      state.program = (interpreter.mailbox, interpreter.cancellation)
      return state.asked
    }
    if let asked { ask(asked) }
  }

  var isCancelled: Bool { state.withLock { $0.asked == .cancellation } }

  func ask(_ reason: Reason) {
    let program = state.withLock { state in
      // Who has been cancelled does not go on to shut down.
      if state.asked != .cancellation { state.asked = reason }
      return state.program
    }
    guard let program else { return }
    switch reason {
    case .shutdown: program.mailbox.post { interpreter in (interpreter.host as? SystemHost)?.stop(interpreter) }
    case .cancellation: program.cancellation.cancel(reason: "the service was cancelled")
    }
  }
}
