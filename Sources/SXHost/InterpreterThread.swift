public import SX
import Synchronization

/// A thread of its own for an interpreter and its host, with a stack big enough for whatever the compiler recurses into.
///
/// ```swift
/// let thread = try InterpreterThread()
/// thread.post { interpreter in
///   _ = interpreter.spawn(source: "(println (+ 1 2))", file: "hello.sx") { result in … }
/// }
/// thread.stop()
/// ```
///
/// Thread-safe: the interpreter itself never leaves its thread.
public final class InterpreterThread: Sendable {
  /// Virtual sizes; only what recursion really touches is ever backed by memory.
  private static let stackSizes = [1 << 30, 1 << 28, 1 << 26, 1 << 24]

  private let mailbox: Mailbox
  private let stopped: Mutex<Bool>

  /// Starts the thread. It runs posted jobs, and the fibers they spawn, until `stop`.
  ///
  /// - Parameters:
  ///   - configuration: of the interpreter's host.
  ///   - setUp: runs first, on the new thread.
  /// - Throws: `HostError` when the system refuses a thread.
  public convenience init(
    _ configuration: SystemHost.Configuration = SystemHost.Configuration(),
    setUp: @escaping @Sendable (Interpreter, SystemHost) -> Void = { _, _ in }
  ) throws {
    let started = Handover<Mailbox>()
    let thread = try Self.start {
      let host = SystemHost(configuration)
      let interpreter = Interpreter(host: host, capabilities: configuration.capabilities)
      host.mailbox.expect()
      setUp(interpreter, host)
      started.give(host.mailbox)
      repeat { interpreter.runReady() } while host.waitForEvents(interpreter)
      host.close()
    }
    thread.detach()
    self.init(mailbox: started.take())
  }

  private init(mailbox: Mailbox) {
    self.mailbox = mailbox
    stopped = Mutex(false)
  }

  deinit { stop() }

  /// Leaves a job for the interpreter's thread. It must neither block nor evaluate: it spawns and resumes fibers.
  public func post(_ job: @escaping @Sendable (Interpreter) -> Void) { mailbox.post(job) }

  /// Leaves a job that also needs the host.
  public func post(_ job: @escaping @Sendable (Interpreter, SystemHost) -> Void) { mailbox.post(job) }

  /// Ends the thread as soon as its interpreter has nothing to do and nothing to wait for. Nothing may be posted afterwards.
  public func stop() {
    let isFirst = stopped.withLock { stopped in
      defer { stopped = true }
      return !stopped
    }
    if isFirst { mailbox.fulfil { _, _ in } }
  }

  /// Makes an interpreter on a thread of its own, runs `body` there, and waits for its result.
  ///
  /// The way of a command: one evaluation, then the end of the process. The interpreter's memory is left to that.
  ///
  /// - Throws: `HostError` when the system refuses a thread.
  public static func run<Result: Sendable>(
    _ configuration: SystemHost.Configuration = SystemHost.Configuration(),
    _ body: @escaping @Sendable (Interpreter, SystemHost) -> Result
  ) throws -> Result {
    try run {
      let host = SystemHost(configuration)
      defer { host.close() }
      let interpreter = Interpreter(host: host, capabilities: configuration.capabilities)
      // Giving back cell by cell what the end of the process gives back at once costs a sixth of the start of a small program.
      _ = Unmanaged.passRetained(interpreter)
      return body(interpreter, host)
    }
  }

  /// Runs `body`, which makes interpreters itself, on a thread with a big stack, and waits for its result.
  ///
  /// - Throws: `HostError` when the system refuses a thread.
  public static func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) throws -> Result {
    let result = Handover<Result>()
    let thread = try start { result.give(body()) }
    thread.join()
    return result.take()
  }

  /// Runs `body` with 0 …< `count`, each on a thread with a big stack, and waits for all of them.
  ///
  /// - Throws: `HostError` when the system refuses a thread; what has started by then is waited for.
  public static func runConcurrently(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
    var threads: [NativeThread] = []
    defer { for thread in threads { thread.join() } }
    for index in 0..<count { threads.append(try start { body(index) }) }
  }

  /// Runs `body`, which may block for long, on a thread that nobody waits for.
  ///
  /// - Throws: `HostError` when the system refuses a thread.
  public static func detach(_ body: @escaping @Sendable () -> Void) throws {
    try start(body).detach()
  }

  private static func start(_ body: @escaping @Sendable () -> Void) throws -> NativeThread {
    do {
      return try NativeThread(stackSizes: stackSizes, body)
    } catch {
      throw HostError(error.description)
    }
  }
}
