/// A part of a fiber's stacks from some slot up, with the dynamic state at its end: what a continuation is a copy of.
struct CapturedStack {
  /// Registers from the slot on, up to the one that gets the value.
  let values: [Value]
  /// Saved frames; registers count from the slot.
  let frames: [(pc: InstructionPointer, base: Int)]
  let pc: InstructionPointer
  let base: Int
  let handlers: Value, winders: Value, bindings: Value

  /// - Parameters:
  ///   - start: the first slot.
  ///   - firstFrame: index of the first frame.
  ///   - end: the slot that gets the value.
  init(_ fiber: Fiber, _ state: MachineState, from start: Registers, firstFrame: Int, to end: Registers) {
    values = Array(UnsafeBufferPointer(start: start, count: end - start))
    // From here on two places may go on from this turn of a walking loop, see `Machine.advance`.
    for v in values where v.isKind(.slice) { v.cell[0] &= ~UInt64.variantHeaderBit }
    let saved = fiber.frames
    frames = (firstFrame..<(state.fp - saved)).map { (saved[$0].pc, saved[$0].base - start) }
    pc = state.pc
    base = state.base - start
    handlers = state.handlers
    winders = state.winders
    bindings = state.bindings
  }
  var externalBytes: Int { values.count * 8 + frames.count * 16 + 128 }
  func trace(_ marker: inout Marker) {
    for v in values { marker.mark(v) }
    marker.mark(handlers)
    marker.mark(winders)
    marker.mark(bindings)
  }
}

/// The rest of a fiber's work, as a value: copies of both stacks and the dynamic state. May be resumed any number of times, in that fiber, or in a coroutine
/// that it waits for, which then ends. Another one would lose the rest of its own work.
final class Continuation: HeapObject {
  let stack: CapturedStack
  private let fiber: UInt64
  /// Its fiber is an evaluation that the host asked for.
  private let isOfEvaluation: Bool

  init(_ fiber: Fiber, _ state: MachineState, slot: Registers) {
    self.fiber = fiber.identity
    isOfEvaluation = fiber.isEvaluation
    stack = CapturedStack(fiber, state, from: fiber.stack, firstFrame: 0, to: slot)
  }
  var winders: Value { stack.winders }
  override var typeName: String { "continuation" }
  override var externalBytes: Int { stack.externalBytes }
  override func trace(_ marker: inout Marker) { stack.trace(&marker) }

  /// May a fiber go on with it? At a prompt every turn is an evaluation of its own, and may go back to one that has ended.
  fileprivate func belongs(to other: Fiber, _ machine: Machine) -> Bool {
    if other.identity == fiber { return true }
    return isOfEvaluation && other.isEvaluation && !machine.isAlive(fiber)
  }
  /// May the running fiber go on with it?
  func isOwn(_ machine: Machine) -> Bool { belongs(to: machine.current, machine) }
  /// May a fiber that waits for the running coroutine, or for one that does?
  fileprivate func leadsOut(_ machine: Machine) -> Bool {
    var next = machine.current.resumer
    while let fiber = next {
      if belongs(to: fiber, machine) { return true }
      next = fiber.resumer
    }
    return false
  }
  fileprivate func adopt(_ other: Fiber) { other.identity = fiber }
}

extension Machine {
  /// Goes on with a continuation. When winders have to run on the way, SX code does that first. Coroutines on the way out end.
  func resume(_ continuation: Continuation, _ k: Value, with v: Value, _ slot: Registers) throws {
    var slot = slot
    if !continuation.isOwn(self) {
      guard continuation.leadsOut(self) else {
        throw error("the continuation belongs to another fiber", hint: "a coroutine hands values on with `coroutine-yield`; the continuations of `shift` go on in any fiber")
      }
      while !continuation.isOwn(self), state.pointee.winders.isNil, leaveCoroutineForGood() {}
      slot = try roomForCall(Fiber.top(state.pointee.base))
    }
    if continuation.isOwn(self), continuation.winders == state.pointee.winders { return try reinstate(continuation, v) }
    slot[1] = k
    slot[2] = v
    try enter(try preludeValue("control/-reenter"), slot, 2)
  }

  /// Is there a fiber of that number that has not ended?
  fileprivate func isAlive(_ number: UInt64) -> Bool {
    func leads(_ fiber: Fiber) -> Bool {
      var next: Fiber? = fiber
      while let fiber = next {
        if fiber.identity == number { return true }
        next = fiber.resumer
      }
      return false
    }
    return leads(current) || ready.all.contains(where: leads) || waiting.values.contains(where: leads) || suspendedRuns.contains(where: leads)
  }

  func reinstate(_ continuation: Continuation, _ v: Value) throws {
    let fiber = current, captured = continuation.stack
    try charge(captured.values.count)
    continuation.adopt(fiber)
    let needed = captured.values.count + 64
    if fiber.stack + needed > state.pointee.stackEnd { try growStack(to: needed) }
    captured.values.withUnsafeBufferPointer { fiber.stack.update(from: $0.baseAddress.unsafelyUnwrapped, count: $0.count) }
    for (i, frame) in captured.frames.enumerated() { fiber.frames[i] = Frame(pc: frame.pc, base: fiber.stack + frame.base) }
    state.pointee.pc = captured.pc
    state.pointee.base = fiber.stack + captured.base
    state.pointee.fp = fiber.frames + captured.frames.count
    state.pointee.handlers = captured.handlers
    state.pointee.winders = captured.winders
    state.pointee.bindings = captured.bindings
    fiber.stack[captured.values.count] = v
    // The frame that goes on may need more than what was copied.
    let top = Fiber.top(state.pointee.base)
    if top > state.pointee.stackEnd { try growStack(to: top - fiber.stack) }
  }
}
