/// Where output goes.
public enum OutputStream: Sendable {
  /// What a program prints.
  case standardOutput
  /// Errors and warnings.
  case standardError
}

/// Names one fiber of an interpreter, for `Interpreter.resume`.
public struct FiberID: Hashable, Sendable {
  let number: UInt64
}

/// What `(perform {:op name :args (…)})` asks of the host. Used on the interpreter's thread.
public struct Operation {
  /// What `:op` says.
  public let name: String
  /// What `:args` lists.
  public let arguments: [Handle]
  /// The fiber that waits for the answer.
  public let fiber: FiberID
}

/// A failure of the host, which becomes an error value in SX.
public struct HostError: Error, Sendable {
  /// What is wrong, in one sentence.
  public let message: String
  /// A failure with its message.
  public init(_ message: String) { self.message = message }
}

/// Everything outside the language. An interpreter reaches the world through its host alone, and calls it on its own thread.
public protocol Host: AnyObject {
  /// Takes output, which is UTF-8 unless a program writes other bytes. The buffer is valid during the call alone.
  func write(_ bytes: UnsafeRawBufferPointer, to stream: OutputStream)
  /// The contents of a source file, for `load`. Throws `HostError`.
  func readFile(_ path: String) throws -> [UInt8]
  /// Starts an operation; false when the host does not know it. A known one must lead to exactly one `resume` of its fiber, now or later.
  func perform(_ operation: Operation, for interpreter: Interpreter) -> Bool
  /// What a script needs for an operation; nil for one that anybody may ask for, which is the default. It is asked before `perform`.
  func capability(of operation: String) -> Capability?
  /// Every fiber waits: block until something has happened and tell the interpreter. False when nothing ever can.
  func waitForEvents(_ interpreter: Interpreter) -> Bool
  /// The same, but blocks no longer than until the deadline, for `Limits.time`: true when it has passed. By default the deadline is not
  /// looked at, so that a limit of time takes effect only when something happens.
  func waitForEvents(_ interpreter: Interpreter, until deadline: ContinuousClock.Instant?) -> Bool
  /// A fiber has used up a time slice: handle what has happened meanwhile, without blocking. Does nothing by default.
  func pollEvents(_ interpreter: Interpreter)
  /// Where other threads leave work, when the host returns from waiting for events as soon as there is some; it runs the jobs itself then. Nil, which is
  /// the default: the interpreter has a mailbox of its own, and looks into it whenever the host has returned.
  var inbox: Mailbox? { get }
  /// When something will happen by itself, as a timer, for those who wait without blocking; nil, the default, when only a job in the inbox can be next.
  func nextEvent() -> ContinuousClock.Instant?
  /// A variable of the environment, for `env`; nil for one that is not set.
  func environment(_ name: String) -> String?
  /// The arguments of the program.
  var arguments: [String] { get }
  /// Wall clock in nanoseconds since 1970. May step back; the interpreter evens that out.
  func nanoseconds() -> Int64
  /// Fills the buffer with bytes that nobody can predict: for ids, for random numbers, and for the seed of hashing.
  func randomBytes(_ buffer: UnsafeMutableRawBufferPointer)
  /// The name of the machine, for `host-name`.
  var hostName: String { get }
  /// The number of the process, for `process-id`.
  var processIdentifier: Int { get }
  /// Ends the program, for `exit`.
  func exit(_ status: Int32)
}

extension Host {
  public func pollEvents(_ interpreter: Interpreter) {}
  public var inbox: Mailbox? { nil }
  public func nextEvent() -> ContinuousClock.Instant? { nil }
  public func capability(of operation: String) -> Capability? { nil }
  public func waitForEvents(_ interpreter: Interpreter, until deadline: ContinuousClock.Instant?) -> Bool { waitForEvents(interpreter) }
}

/// The default of the library: no output, no files, no operations, a clock that stands still. Random numbers come from the system,
/// because the hashing of strings is seeded with them.
public final class SilentHost: Host {
  /// There is nothing to set.
  public init() {}
  public func write(_ bytes: UnsafeRawBufferPointer, to stream: OutputStream) {}
  public func readFile(_ path: String) throws -> [UInt8] { throw HostError("this host has no files") }
  public func perform(_ operation: Operation, for interpreter: Interpreter) -> Bool { false }
  public func waitForEvents(_ interpreter: Interpreter) -> Bool { false }
  public func environment(_ name: String) -> String? { nil }
  public var arguments: [String] { [] }
  public func nanoseconds() -> Int64 { 0 }
  public func randomBytes(_ buffer: UnsafeMutableRawBufferPointer) {
    var generator = SystemRandomNumberGenerator()
    for i in buffer.indices { buffer[i] = UInt8.random(in: 0...255, using: &generator) }
  }
  public var hostName: String { "" }
  public var processIdentifier: Int { 0 }
  public func exit(_ status: Int32) {}
}
