/// What a run may use of a machine. Nil means: as much as there is.
///
/// A run is one call of `evaluate`, `call` or `run`, or one call of `runReady` from outside of these; every run has all of it anew, also one that others of the
/// same actor overlap. What fibers do counts for the run that they were begun in, and when that has ended for the one that runs them.
///
/// When something is used up, the fiber that runs ends with an error that no script can catch and whose `Diagnostic.interruption` says what
/// it was. The `after` thunks of the `dynamic-wind`s that it is in still run, all of them together for at most 65,536 steps and 100 ms, with a megabyte of heap and what
/// is left of the output; they cannot wait for the host, and nothing in them brings the fiber back. The interpreter remains usable: globals keep the values that they had, other fibers go on in the next run. While this one lasts, its fibers end as well as soon as
/// they are noticed to use what is used up.
public struct Limits: Sendable, Equatable {
  /// Calls and turns of loops, and the work inside of primitives, the reader and the compiler in steps of about an element, a byte or a node.
  /// The same program takes the same steps. They are looked at where slices of work end, so a run may exceed the limit by as much again,
  /// at most by 65,536.
  public var steps: Int?
  /// From the beginning of the run to its end, waiting for the host included. Noticed within milliseconds; while every fiber waits,
  /// when the host keeps `Host.waitForEvents(_:until:)`.
  public var time: Duration?
  /// Bytes that the values on the heap may take together, garbage included. Not per run: what earlier runs have left counts. Looked at
  /// where the collector runs, so an evaluation may exceed it for a moment, at most by a quarter and the size of one value.
  public var heapBytes: Int?
  /// How deep the calls of one fiber may nest, in slots of its stack: a call takes one for each parameter and local variable and about two more.
  /// At least 192. Without it the language has a limit of its own, 33,554,432 slots, which is an error that a script can catch.
  public var stackSlots: Int?
  /// Bytes that may go to the host's standard output and standard error. What would go beyond is not written. Ports in memory count as heap.
  public var outputBytes: Int?

  /// Limits; those that are left out are none.
  public init(steps: Int? = nil, time: Duration? = nil, heapBytes: Int? = nil, stackSlots: Int? = nil, outputBytes: Int? = nil) {
    self.steps = steps
    self.time = time
    self.heapBytes = heapBytes
    self.stackSlots = stackSlots
    self.outputBytes = outputBytes
  }

  /// No limit at all.
  public static let none = Limits()
}

/// Why a script had to end: something that it cannot catch.
public enum Interruption: Error, Sendable, Equatable, CustomStringConvertible {
  /// `Limits.steps` are used up.
  case steps
  /// `Limits.time` has passed.
  case time
  /// `Limits.heapBytes` are not enough.
  case heap
  /// The system has no memory left.
  case memory
  /// Calls nest deeper than `Limits.stackSlots`.
  case stack
  /// `Limits.outputBytes` would be exceeded.
  case output
  /// Somebody asked for it, see `Cancellation`.
  case cancelled(reason: String?)

  public var description: String {
    switch self {
    case .steps: "out of steps: the limit of this run is reached"
    case .time: "out of time: the limit of this run is reached"
    case .heap: "out of memory: the heap limit is reached"
    case .memory: "out of memory: the system has none left"
    case .stack: "stack overflow: the stack limit is reached"
    case .output: "too much output: the limit of this run is reached"
    case .cancelled(let reason): reason.map { "cancelled: \($0)" } ?? "cancelled"
    }
  }
}
