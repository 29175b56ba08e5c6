/// The rest of a fiber's work, as a value: copies of both stacks and the dynamic state. May be resumed any number of times.
final class Continuation: HeapObject {
  let values: [Value]
  let frames: [(pc: InstructionPointer, base: Int)]
  let pc: InstructionPointer
  let base: Int
  /// Where the value goes that it is resumed with.
  let result: Int
  let handlers: Value, winders: Value, bindings: Value

  init(_ fiber: Fiber, _ state: MachineState, slot: Registers) {
    let n = slot - fiber.stack
    values = Array(UnsafeBufferPointer(start: fiber.stack, count: n))
    // From here on two places may go on from this turn of a walking loop, see `Machine.advance`.
    for v in values where v.isKind(.slice) { v.cell[0] &= ~UInt64.variantHeaderBit }
    let stack = fiber.stack
    frames = UnsafeBufferPointer(start: fiber.frames, count: state.fp - fiber.frames).map { ($0.pc, $0.base - stack) }
    pc = state.pc
    base = state.base - fiber.stack
    result = n
    handlers = state.handlers
    winders = state.winders
    bindings = state.bindings
  }
  override var typeName: String { "continuation" }
  override var externalBytes: Int { values.count * 8 + frames.count * 16 + 128 }
  override func trace(_ marker: inout Marker) {
    for v in values { marker.mark(v) }
    marker.mark(handlers)
    marker.mark(winders)
    marker.mark(bindings)
  }
}

extension Machine {
  /// Goes on with a continuation. When winders have to run on the way, SX code does that first.
  func resume(_ continuation: Continuation, _ k: Value, with v: Value, _ slot: Registers) throws {
    if continuation.winders == state.pointee.winders { return try reinstate(continuation, v) }
    slot[1] = k
    slot[2] = v
    try enter(try boundGlobal(globalIndex(symbol("control/-reenter"))), slot, 2)
  }

  func reinstate(_ continuation: Continuation, _ v: Value) throws {
    let fiber = current
    let needed = continuation.values.count + 64
    if fiber.stack + needed > state.pointee.stackEnd { try growStack(to: needed) }
    continuation.values.withUnsafeBufferPointer { fiber.stack.update(from: $0.baseAddress.unsafelyUnwrapped, count: $0.count) }
    for (i, frame) in continuation.frames.enumerated() { fiber.frames[i] = Frame(pc: frame.pc, base: fiber.stack + frame.base) }
    state.pointee.pc = continuation.pc
    state.pointee.base = fiber.stack + continuation.base
    state.pointee.fp = fiber.frames + continuation.frames.count
    state.pointee.handlers = continuation.handlers
    state.pointee.winders = continuation.winders
    state.pointee.bindings = continuation.bindings
    fiber.stack[continuation.result] = v
    // The frame that goes on may need more than what was copied.
    let top = Fiber.top(state.pointee.base)
    if top > state.pointee.stackEnd { try growStack(to: top - fiber.stack) }
  }
}
