public import SX

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The outside world of an interpreter: files, standard output, clock, random bytes, environment, and the operations
/// that SX reaches through `perform` (see `SystemHost.operations`).
///
/// Confined to the interpreter's thread, like the interpreter. Other threads talk to it through its `mailbox`.
/// Nothing but a few empty tables is made at start: sockets, event loops and the HTTP client come into being on first use.
public final class SystemHost: Host {
  /// Where standard output goes.
  public enum Output: Sendable {
    /// The process's standard output, buffered.
    case standard
    /// Memory, for `takeOutput`. Standard error is kept there as well, in the order in which both were written.
    case captured
    /// The process's standard error: for a command whose standard output is a protocol.
    case standardError
  }

  /// What an embedder may choose.
  public struct Configuration: Sendable {
    /// What `(command-line)` answers: the program first.
    public var arguments: [String]
    /// Where standard output goes.
    public var output: Output
    /// While a server runs, SIGINT and SIGTERM stop it gracefully, and a second one ends the process at once. A command wants
    /// this; a library inside another program does not.
    public var stopsServersOnSignals: Bool
    /// While no server runs, SIGINT and SIGTERM end the program as `exit` does, and then the process as they always do. A second one, or a program
    /// that takes longer than `SystemHost.grace`, ends it at once.
    public var exitsOnSignals: Bool
    /// What scripts on an `InterpreterThread` may use; nothing by default.
    public var capabilities: Capabilities

    /// The defaults are those of a program that has the process for itself but for its signals.
    public init(arguments: [String] = [], output: Output = .standard, stopsServersOnSignals: Bool = false, exitsOnSignals: Bool = false, capabilities: Capabilities = .none) {
      self.capabilities = capabilities
      self.arguments = arguments
      self.output = output
      self.stopsServersOnSignals = stopsServersOnSignals
      self.exitsOnSignals = exitsOnSignals
    }
  }

  /// Where other threads leave work for the interpreter.
  public let mailbox: Mailbox
  public var inbox: Mailbox? { mailbox }
  /// Called on the interpreter's thread when a server accepts connections.
  public var onListening: ((ListeningAddress) -> Void)?
  /// Called on the interpreter's thread instead of ending the process for `(exit)`.
  public var onExit: ((Int32) -> Void)?
  /// Called on the interpreter's thread instead of reading the file of that path, for `load`.
  public var reader: ((String) throws -> [UInt8])?

  let configuration: Configuration
  private let output: BufferedOutput
  var timers = TimerQueue()
  var waiters = Waiters()
  var servers = Servers()
  var exitSignals: ExitSignals?
  private var probe: ProbeServer?
  /// This interpreter among those that share a server; nil where there is only one.
  var work: Work?

  /// A host for one interpreter.
  public convenience init(_ configuration: Configuration = Configuration()) { self.init(configuration, mailbox: Mailbox()) }

  init(_ configuration: Configuration, mailbox: Mailbox) {
    self.configuration = configuration
    self.mailbox = mailbox
    output =
      switch configuration.output {
      case .standard: BufferedOutput(descriptor: STDOUT_FILENO)
      case .captured: BufferedOutput(descriptor: nil)
      case .standardError: BufferedOutput(descriptor: STDERR_FILENO)
      }
  }

  deinit { flush() }

  // MARK: Output

  public func write(_ bytes: UnsafeRawBufferPointer, to stream: OutputStream) {
    if stream == .standardOutput || configuration.output == .captured {
      output.write(bytes)
    } else if configuration.output == .standardError {
      output.write(bytes)
      output.flush()
    } else {
      // What was printed before the error message must stand before it.
      output.flush()
      Descriptor.writeFully(bytes, to: STDERR_FILENO)
    }
  }

  /// Writes a text as the program would.
  public func write(_ text: String, to stream: OutputStream) {
    var text = text
    text.withUTF8 { write(UnsafeRawBufferPointer($0), to: stream) }
  }

  /// Hands what is buffered to the system.
  public func flush() { output.flush() }

  /// Whether standard output stands at the beginning of a line, as far as it went through here.
  public var isAtLineStart: Bool { output.isAtLineStart }

  /// With `Output.captured`: what was written since the last call.
  public func takeOutput() -> String { String(decoding: output.take(), as: UTF8.self) }

  // MARK: The process and its surroundings

  public func readFile(_ path: String) throws -> [UInt8] {
    if let reader { return try reader(path) }
    return try Files.contents(of: path)
  }

  public func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  public var arguments: [String] { configuration.arguments }

  public func nanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  public func randomBytes(_ buffer: UnsafeMutableRawBufferPointer) {
    var rest = buffer[...]
    while !rest.isEmpty {
      // The most that one call gives.
      let part = UnsafeMutableRawBufferPointer(rebasing: rest.prefix(256))
      precondition(getentropy(part.baseAddress, part.count) == 0, "the operating system has no random bytes")
      rest = rest.dropFirst(part.count)
    }
  }

  public var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  public var processIdentifier: Int { Int(getpid()) }

  public func exit(_ code: Int32) {
    if let onExit { return onExit(code) }
    if let work, work.member.number > 0 {
      // The first one has more to do before the process ends.
      flush()
      return work.team.exit(code)
    }
    close()
    exitSignals?.endProcess()
    // The system keeps the last eight bits: a failure must not look like success.
    Self.endProcess(code != 0 && code & 0xFF == 0 ? 255 : code)
  }

  /// Ends the process without running exit handlers: event loops and other threads may still run, and destructors of globals would
  /// pull the ground from under them.
  public static func endProcess(_ code: Int32) -> Never { _exit(code) }

  /// Why some of the standard output could not be written, if that is so; looked at after `flush`.
  public var outputFailure: String? { output.failure }

  /// Flushes the output and removes the probe's socket.
  public func close() {
    flush()
    probe?.close()
    probe = nil
  }

  // MARK: Events

  /// The operations that reach beyond this process; the others let fibers wait, or compute.
  public func capability(of operation: String) -> Capability? {
    if Self.httpClientOperations[operation] != nil { return .networkClient }
    return Self.httpServerOperations[operation] != nil ? .networkServer : nil
  }

  public func perform(_ operation: Operation, for interpreter: Interpreter) -> Bool {
    guard let handler = Self.operations[operation.name] else { return false }
    do {
      try handler(self, OperationCall(operation, interpreter))
    } catch {
      interpreter.resume(operation.fiber, throwing: error.message)
    }
    return true
  }

  /// Runs what has arrived: due timers, then posted jobs. Blocks until there is something.
  ///
  /// - Returns: false when no timer is set and nobody is left who could post.
  public func waitForEvents(_ interpreter: Interpreter) -> Bool { waitForEvents(interpreter, until: nil) }

  public func waitForEvents(_ interpreter: Interpreter, until limit: ContinuousClock.Instant?) -> Bool {
    watchExitSignals(interpreter)
    flush()
    while true {
      let (ran, mayReceive) = runArrived(interpreter)
      if ran { return true }
      let due = timers.soonest()
      if due == nil && !mayReceive { return false }
      guard let limit else {
        mailbox.wait(until: due)
        continue
      }
      let left = ContinuousClock.now.duration(to: limit)
      if left <= .zero { return true }
      let (seconds, attoseconds) = left.components
      let end = TimerQueue.now + Nanoseconds(clamping: min(seconds, 1 << 30) * 1_000_000_000 + attoseconds / 1_000_000_000)
      mailbox.wait(until: due.map { min($0, end) } ?? end)
    }
  }

  /// When the next timer is due.
  public func nextEvent() -> ContinuousClock.Instant? {
    timers.soonest().map { due in
      let now = TimerQueue.now
      return ContinuousClock.now + .nanoseconds(due > now ? Int64(clamping: due - now) : 0)
    }
  }

  /// Between two time slices of fibers that never wait: timers fire and requests are taken in.
  /// What was printed is shown as well: a program that computes for long, or is ended meanwhile, is not to keep it to itself.
  public func pollEvents(_ interpreter: Interpreter) {
    watchExitSignals(interpreter)
    flush()
    _ = runArrived(interpreter)
  }

  /// Runs what has arrived and the fibers that are ready, without blocking, for as long as the condition holds.
  ///
  /// - Returns: whether fibers are still ready.
  public func runPosted(_ interpreter: Interpreter, while condition: () -> Bool) -> Bool {
    defer { flush() }
    while true {
      let isBusy = interpreter.runReady(while: condition)
      guard condition(), runArrived(interpreter).ran else { return isBusy }
    }
  }

  private func runArrived(_ interpreter: Interpreter) -> (ran: Bool, mayReceive: Bool) {
    var ran = false
    let now = TimerQueue.now
    while let action = timers.popDue(at: now) {
      action()
      ran = true
    }
    let (jobs, mayReceive) = mailbox.take()
    for job in jobs {
      job(interpreter)
      ran = true
    }
    return (ran, mayReceive)
  }

  // MARK: Probe

  /// Lets other processes evaluate source inside the running interpreter, through a Unix-domain socket that only this user may open.
  /// When it has started workers by then, those can be asked too.
  ///
  /// - Throws: `HostError` when a live server owns the socket, or the path cannot be used.
  public func openProbe(at path: String) throws {
    probe?.close()
    probe = try ProbeServer(path: path, mailboxes: work?.team.members.map(\.mailbox) ?? [mailbox])
  }
}
