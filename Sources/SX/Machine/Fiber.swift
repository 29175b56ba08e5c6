/// A saved place in a function: where to go on, and the registers of its frame.
struct Frame: BitwiseCopyable {
  var pc: InstructionPointer
  var base: Registers
}
typealias Registers = UnsafeMutablePointer<Value>
typealias FramePointer = UnsafeMutablePointer<Frame>

/// A thread of SX control with stacks and dynamic bindings of its own.
///
/// Both stacks start small, double when full and move; everything that outlives a call stores offsets into them.
/// Layout of the value stack: the function of a frame lies in the slot below the frame's first register (`base[-1]`).
///
/// Invariant for the collector: a slot above the running frame holds nil or a value that was alive at or after the last collection. New
/// memory starts as nil, and a collection clears what lies above the top.
final class Fiber: HeapObject {
  enum Status {
    /// Will run when its turn comes, or a coroutine that was never resumed.
    case ready
    case running
    /// A coroutine that has yielded, or a fiber that resumed one.
    case suspended
    /// Parked until the host answers.
    case waiting
    case finished
  }

  let number: UInt64
  /// The number that its handler records and continuations carry: that of another one, which has ended, when it goes on with a continuation of that one.
  var identity: UInt64
  /// What a switch between fibers reads and writes.
  let record: FiberRecord
  private(set) var stack: Registers {
    get { record.pointee.stack }
    set { record.pointee.stack = newValue }
  }
  private(set) var frames: FramePointer
  private(set) var capacity: Int
  var status: Status {
    get { record.pointee.status }
    set { record.pointee.status = newValue }
  }
  /// The state with which the fiber goes on. While it runs, that is `Machine.state`, as far as the loop has spilled it.
  var saved: MachineState {
    get { record.pointee.saved }
    set { record.pointee.saved = newValue }
  }
  /// Where the value goes that the fiber waits for.
  var resultOffset: Int {
    get { record.pointee.resultOffset }
    set { record.pointee.resultOffset = newValue }
  }
  /// The value or condition that a ready fiber begins with.
  var delivery: Result<Value, Raise>?
  /// Where the condition was raised that is leaving the fiber.
  var leavingTrace: StackTrace?
  /// For a coroutine that runs: who resumed it.
  var resumer: Fiber? {
    get { record.pointee.resumer?.pointee.owner.takeUnretainedValue() }
    set {
      let former = record.pointee.resumer
      record.pointee.resumer = newValue?.record
      newValue?.record.retain()
      former?.release()
    }
  }
  var isCoroutine: Bool { !record.pointee.cell.isNil }
  /// Makes a coroutine of a new fiber: a value that programs resume.
  func makeCoroutine(_ heap: Heap) -> Value {
    record.pointee.cell = heap.allocate(object: self)
    record.pointee.cell.cell[0] |= .variantHeaderBit
    return record.pointee.cell
  }
  /// The host asked for it, and is told how it ends.
  var isEvaluation = false
  /// The run that pays for what it does; see `Machine.charge(for:_:)`.
  var run: RunBudget?
  /// Why it ends instead of running on.
  var interruption: Interruption?
  /// The status with which it exits instead of running on.
  var requestedExit: Int32?
  /// Number of arguments of the function in the bottom slot, until it is called.
  var startArguments: Int? {
    get { record.pointee.startArguments < 0 ? nil : record.pointee.startArguments }
    set { record.pointee.startArguments = newValue ?? -1 }
  }
  /// Told once, when the fiber has ended.
  var completion: ((Result<Value, Raise>) -> Void)?

  /// With all that belongs to it, a parked fiber has less than 2 KB.
  static let initialCapacity = 48
  /// What the host asks for calls functions that call others, as a rule: growing to this would be the first thing it does.
  static let evaluationCapacity = 192
  /// Slots of 24 bytes (a value and a frame): 2^25 of them are 0.8 GB.
  static let mostCapacity = 1 << 25

  init(number: UInt64, function: Value, arguments: [Value], room: Int = Fiber.initialCapacity, halt: InstructionPointer) {
    self.number = number
    identity = number
    capacity = max(room, arguments.count + 8)
    let stack = Registers.allocate(capacity: capacity)
    stack.initialize(repeating: .nil, count: capacity)
    frames = .allocate(capacity: capacity)
    record = .allocate(capacity: 1)
    // One slot for the result below the bottom frame, then the function and its arguments.
    stack[1] = function
    for (i, argument) in arguments.enumerated() { stack[2 + i] = argument }
    let state = MachineState(pc: halt, handlers: .nil, base: stack + 1, winders: .nil, fp: frames, bindings: .nil, stackEnd: stack + capacity)
    super.init()
    record.initialize(to: FiberSwitch(saved: state, stack: stack, resultOffset: 1, startArguments: arguments.count, status: .ready, resumer: nil, cell: .nil, owner: Unmanaged.passUnretained(self)))
  }
  deinit {
    record.pointee.resumer?.release()
    stack.deallocate()
    frames.deallocate()
    record.deallocate()
  }

  override var typeName: String { isCoroutine ? "coroutine" : "fiber" }
  override var externalBytes: Int { capacity * 24 + 500 }

  /// First slot that cannot be used.
  var end: Registers { stack + capacity }

  override func trace(_ marker: inout Marker) {
    if status != .finished, status != .running {
      let top = Fiber.top(saved.base)
      let end = max(top, stack + resultOffset + 1 + (startArguments ?? 0))
      marker.mark(stack, end - stack)
      clear(above: end)
    }
    marker.mark(saved.handlers)
    marker.mark(saved.winders)
    marker.mark(saved.bindings)
    switch delivery {
    case .success(let v)?: marker.mark(v)
    case .failure(let raise)?: marker.mark(raise.condition)
    case nil: break
    }
    marker.mark(record.pointee.cell)
    traceResumer(&marker)
  }
  /// A fiber that is no value counts its memory itself.
  func traceAsRoot(_ marker: inout Marker) {
    trace(&marker)
    if !isCoroutine { marker.note(external: externalBytes) }
  }
  func traceResumer(_ marker: inout Marker) {
    guard let resumer else { return }
    // A chain of coroutines may be long: by way of the marker's own stack.
    if resumer.isCoroutine { marker.mark(resumer.record.pointee.cell) } else { resumer.trace(&marker) }
  }

  /// Ends the fiber: a coroutine together with those that wait for it. Answers the one that was waiting first. Only a resumer that still exists can be
  /// let go, so this has to be done before any of them goes.
  @discardableResult func endWithResumers() -> Fiber {
    var fiber = self
    while let resumer = fiber.resumer {
      fiber.status = .finished
      fiber.resumer = nil
      fiber = resumer
    }
    fiber.status = .finished
    return fiber
  }

  func clear(above top: Registers) {
    if top < end { top.update(repeating: .nil, count: end - top) }
  }

  /// First dead slot above the frame with the given registers.
  @inline(__always) static func top(_ base: Registers) -> Registers {
    base[-1].isKind(.closure) ? base + base[-1].closureFrameSize : base
  }

  /// Makes room for `slots` in all, moving both stacks. Answers how far they moved; nil when the depth limit is reached. Throws when the system
  /// has no memory for it.
  func reserve(_ slots: Int, fp: FramePointer, limit: Int) throws -> (values: Int, frames: Int)? {
    guard slots <= limit else { return nil }
    var bigger = capacity
    while bigger < slots { bigger *= 2 }
    bigger = min(bigger, limit)
    return try relocate(to: bigger, used: capacity, frameCount: fp - frames)
  }

  /// Gives memory back after a deep recursion.
  func shrink(used: Int, fp: FramePointer) throws -> (values: Int, frames: Int)? {
    guard capacity > 1 << 14, used * 8 < capacity else { return nil }
    var smaller = capacity
    while smaller > 1 << 13, used * 4 < smaller { smaller /= 2 }
    return try relocate(to: smaller, used: used, frameCount: fp - frames)
  }

  private func relocate(to newCapacity: Int, used: Int, frameCount: Int) throws -> (values: Int, frames: Int) {
    guard let newFrames = SystemMemory.tryAllocate(newCapacity, of: Frame.self) else { throw Interruption.memory }
    let oldStack = UInt(bitPattern: stack)
    // The system moves the pages of a long one instead of copying what they hold.
    guard let newStack = SystemMemory.tryReallocate(stack, newCapacity) else {
      newFrames.deallocate()
      throw Interruption.memory
    }
    let kept = min(used, newCapacity)
    (newStack + kept).initialize(repeating: .nil, count: newCapacity - kept)
    let distance = Int(bitPattern: UInt(bitPattern: newStack) &- oldStack)
    for i in 0..<frameCount {
      newFrames[i] = Frame(pc: frames[i].pc, base: (UnsafeMutableRawPointer(frames[i].base) + distance).assumingMemoryBound(to: Value.self))
    }
    let frameDistance = UnsafeMutableRawPointer(newFrames) - UnsafeMutableRawPointer(frames)
    frames.deallocate()
    stack = newStack
    frames = newFrames
    capacity = newCapacity
    return (distance, frameDistance)
  }
}

/// What a switch between fibers touches. In raw memory, so that a switch counts no references.
///
/// Who keeps a fiber alive that runs, or waits for a coroutine? A coroutine belongs to its cell in the heap, which the collector marks as long as
/// the coroutine runs or waits. Any other fiber belongs to `Machine.running`, or to the coroutine's `resumer` while it waits.
struct FiberSwitch {
  /// First, so that a pointer to the record points to it as well.
  var saved: MachineState
  var stack: Registers
  var resultOffset: Int
  /// Negative when the function in the bottom slot has been called.
  var startArguments: Int
  var status: Fiber.Status
  var resumer: FiberRecord?
  /// The coroutine as a value; nil for a fiber that is none.
  var cell: Value
  let owner: Unmanaged<Fiber>
}
typealias FiberRecord = UnsafeMutablePointer<FiberSwitch>

extension FiberRecord {
  /// For a fiber that is no coroutine; a coroutine needs no count.
  func retain() { if pointee.cell.isNil { _ = pointee.owner.retain() } }
  func release() { if pointee.cell.isNil { pointee.owner.release() } }

  @inline(__always) var state: UnsafeMutablePointer<MachineState> { UnsafeMutableRawPointer(self).assumingMemoryBound(to: MachineState.self) }

  /// Leaves the fiber, which goes on when it finds a result in `slot`, for another one.
  @inline(__always) func hand(to next: FiberRecord, resultIn slot: Registers) {
    suspend(resultIn: slot)
    next.pointee.resumer = self
    next.pointee.status = .running
  }
  @inline(__always) func suspend(resultIn slot: Registers) {
    // Both lie in the same stack, in front of each other: no rounding of what could be negative.
    pointee.resultOffset = Int((UInt(bitPattern: slot) &- UInt(bitPattern: pointee.stack)) / UInt(MemoryLayout<Value>.stride))
    pointee.status = .suspended
  }

  /// The record of a coroutine; nil when the value is something else.
  @inline(__always) static func of(_ v: Value) -> FiberRecord? {
    guard v.isCell, v.header & 0xFF_FF00 == UInt64.variantHeaderBit | Kind.object.header else { return nil }
    return Unmanaged<Fiber>.fromOpaque(UnsafeRawPointer(bitPattern: UInt(v.cell[1])).unsafelyUnwrapped)._withUnsafeGuaranteedRef { $0.record }
  }
}

/// The state of the running fiber that the loop keeps in local variables, and spills here before anything that may look at it or change it.
/// In raw memory: class properties would cost exclusivity checks. The four that the loop keeps do not lie beside one another: the optimiser would
/// pair neighbours in one vector register, and take them apart again at every instruction.
struct MachineState: BitwiseCopyable {
  var pc: InstructionPointer
  /// Innermost handler record, or nil.
  var handlers: Value
  var base: Registers
  /// List of winders, innermost first, or nil.
  var winders: Value
  var fp: FramePointer
  /// Chain of dynamic bindings, innermost first, or nil.
  var bindings: Value
  var stackEnd: Registers
}

/// A condition on its way to a handler, as a Swift error.
struct Raise: Error {
  let condition: Value
  /// `raise-continuable`: a handler may return.
  var isContinuable = false
  /// Where it was raised, for conditions that do not carry that themselves.
  var trace: StackTrace?
}
