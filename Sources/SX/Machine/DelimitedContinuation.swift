/// The work between a `shift` and its `reset`, as a function: a copy of that part of both stacks, from the frame of `control/-reset` on. Each
/// call puts a fresh copy on top of the stack, so it may be called any number of times, in any fiber.
///
/// Everything in the copied part that says where something stands on the stack is made anew on each call: handler records of guards, and the
/// entries of winders and bindings that lead to what surrounds the `reset`. The mark of the prompt, a handler record without
/// clauses and a binding of no parameter, tells where the part begins.
final class DelimitedContinuation: HeapObject {
  /// From the function slot of the prompt's frame on.
  let stack: CapturedStack
  /// Where the part stood when it was captured.
  let origin: Int
  let frameOrigin: Int
  let mark: Value

  init(_ fiber: Fiber, _ state: MachineState, slot: Registers, prompt: Prompt) {
    let start = prompt.base - 1
    origin = start - fiber.stack
    frameOrigin = prompt.frame
    mark = prompt.mark
    stack = CapturedStack(fiber, state, from: start, firstFrame: prompt.frame, to: slot)
  }
  override var typeName: String { "continuation" }
  override var externalBytes: Int { stack.externalBytes + 32 }
  override func trace(_ marker: inout Marker) {
    stack.trace(&marker)
    marker.mark(mark)
  }

  /// Winders that were put in place inside the `reset`.
  var innerWinders: Int { max(0, stack.winders.listCount - mark.word(HandlerRecord.winders).listCount) }
}

/// The innermost `reset` of the running fiber.
struct Prompt {
  /// Registers of its frame.
  let base: Registers
  /// Index of the saved frame, or of the first free one when it is the running frame.
  let frame: Int
  let mark: Value
}

extension Machine {
  /// Puts the mark of a prompt in place; the frame of `control/-reset` keeps it in a register.
  func pushPrompt() -> Value {
    let binding = heap.allocate(words: 5, header: Kind.entries.header(length: 2))
    binding[1] = Value.nil.bits
    binding[2] = Value.nil.bits
    binding[3] = state.pointee.bindings.bits
    binding[4] = Value.nil.bits
    let outer = state.pointee.bindings
    state.pointee.bindings = Value(binding)
    pushHandlers(heap.emptyList())
    let mark = state.pointee.handlers
    mark.setWord(HandlerRecord.frame, outer)
    mark.setWord(HandlerRecord.winders, state.pointee.winders)
    mark.setWord(HandlerRecord.bindings, state.pointee.bindings)
    return mark
  }
  /// Handlers and bindings as they were around a prompt.
  func popPrompt(_ mark: Value) {
    state.pointee.handlers = mark.word(HandlerRecord.next)
    state.pointee.bindings = mark.word(HandlerRecord.frame)
  }

  /// O(frames above it).
  func innermostPrompt() throws -> Prompt {
    let reset = try preludeValue("control/-reset")
    let fiber = current
    var base = state.pointee.base, frame = state.pointee.fp - fiber.frames
    while true {
      if base > fiber.stack, base[-1] == reset {
        // Its registers are the thunk and the mark.
        for i in 0..<reset.closureFrameSize where base[i].isKind(.handler) { return Prompt(base: base, frame: frame, mark: base[i]) }
      }
      guard frame > 0 else { throw error("shift: there is no `reset` around it") }
      frame -= 1
      base = fiber.frames[frame].base
    }
  }

  /// `(control/-shift f)`: leaves for the prompt, and calls `f` there with what was left.
  func shift(_ f: Value, slot: Registers) throws {
    let slot = try roomForCall(slot)
    let prompt = try innermostPrompt()
    try reserve(bytes: (slot - prompt.base) * 32)
    try charge(slot - prompt.base)
    let k = heap.allocate(object: DelimitedContinuation(current, state.pointee, slot: slot, prompt: prompt))
    slot[1] = f
    slot[2] = k
    if state.pointee.winders == prompt.mark.word(HandlerRecord.winders) { return try abort(f, k) }
    slot[3] = prompt.mark.word(HandlerRecord.winders)
    try enter(try preludeValue("control/-shift-out"), slot, 3)
  }

  /// Drops what lies above the innermost prompt and calls `f` with `k` in its place. The winders have been left.
  func abort(_ f: Value, _ k: Value) throws {
    let prompt = try innermostPrompt()
    let fiber = current
    if fiber.frames + prompt.frame < state.pointee.fp {
      state.pointee.fp = fiber.frames + prompt.frame
      state.pointee.pc = fiber.frames[prompt.frame].pc
      state.pointee.base = fiber.frames[prompt.frame].base
    }
    state.pointee.handlers = prompt.mark
    state.pointee.bindings = prompt.mark.word(HandlerRecord.bindings)
    state.pointee.winders = prompt.mark.word(HandlerRecord.winders)
    // The prompt waits for the value of its thunk in the window of that call, which is the last one of its frame.
    let window = prompt.base + resultRegister(of: state.pointee.pc)
    window[1] = k
    try enter(f, window, 1)
  }
  /// The register in which the call before `pc` leaves its value.
  private func resultRegister(of pc: InstructionPointer) -> Int { Int((pc - 1).pointee.a) }

  /// Goes on with a copy of the part. When winders have to run on the way in, SX code does that first.
  func resume(_ k: DelimitedContinuation, _ value: Value, with v: Value, _ slot: Registers) throws {
    if k.innerWinders == 0 { return try reinstate(k, v, slot: slot, leaving: 0) }
    slot[1] = value
    slot[2] = v
    try enter(try preludeValue("control/-shift-in"), slot, 2)
  }

  /// `entered`: winders in place that SX code has put there in the name of the part; its own take their place.
  func reinstate(_ k: DelimitedContinuation, _ v: Value, slot: Registers, leaving entered: Int) throws {
    let fiber = current
    try charge(k.stack.values.count)
    let slot = try room(at: slot, k.stack.values.count + 64)
    var outerWinders = state.pointee.winders
    for _ in 0..<entered { outerWinders = outerWinders.listCount <= 1 ? .nil : heap.rest(outerWinders) }
    var relocation = Relocation(
      k, heap, fiber: fiber.identity, registers: (slot - fiber.stack) - k.origin, frames: (state.pointee.fp - fiber.frames) + 1 - k.frameOrigin,
      handlers: state.pointee.handlers, winders: outerWinders, bindings: state.pointee.bindings)

    fiber.frames[state.pointee.fp - fiber.frames] = Frame(pc: state.pointee.pc, base: state.pointee.base)
    state.pointee.fp += 1
    for (i, value) in k.stack.values.enumerated() { slot[i] = relocation.map(value) }
    for frame in k.stack.frames {
      state.pointee.fp.pointee = Frame(pc: frame.pc, base: slot + frame.base)
      state.pointee.fp += 1
    }
    state.pointee.pc = k.stack.pc
    state.pointee.base = slot + k.stack.base
    state.pointee.handlers = relocation.map(k.stack.handlers)
    state.pointee.bindings = relocation.map(k.stack.bindings)
    state.pointee.winders = relocation.winders(k.stack.winders)
    slot[k.stack.values.count] = v
    let top = Fiber.top(state.pointee.base)
    if top > state.pointee.stackEnd { try growStack(to: top - fiber.stack) }
  }
}

/// Makes the dynamic state of a captured part fit the place where it goes on.
private struct Relocation {
  private let heap: Heap
  private let fiber: UInt64
  private let registers: Int, frames: Int
  private let outerWinders: Value
  private let markedWinders: Int
  private var known: [UInt64: Value] = [:]
  /// Records of chains that do not lead to the part's end: registers that nobody has cleared may hold long ones, again and again.
  private var foreign: Set<UInt64> = []
  private var knownWinders: [UInt64: Value] = [:]
  private var guards: [Value] = []

  init(_ k: DelimitedContinuation, _ heap: Heap, fiber: UInt64, registers: Int, frames: Int, handlers: Value, winders: Value, bindings: Value) {
    self.heap = heap
    self.fiber = fiber
    self.registers = registers
    self.frames = frames
    outerWinders = winders
    markedWinders = k.mark.word(HandlerRecord.winders).listCount
    // The binding of the prompt first: what lies below it is that of the caller.
    let marked = k.mark.word(HandlerRecord.bindings)
    known[marked.bits] = Relocation.binding(marked, next: bindings, heap)
    let mark = Relocation.record(k.mark, next: handlers, heap, fiber)
    mark.setWord(HandlerRecord.frame, bindings)
    mark.setWord(HandlerRecord.winders, winders)
    mark.setWord(HandlerRecord.bindings, known[marked.bits] ?? .nil)
    known[k.mark.bits] = mark
    copyBindings(k.stack.bindings)
    copyHandlers(k.stack.handlers)
    // Handlers that are out of force for the moment, because one of them runs, and bindings to go back to are kept in registers.
    for v in k.stack.values {
      if v.isKind(.handler) { copyHandlers(v) }
      if v.isKind(.entries) { copyBindings(v) }
    }
    for record in guards {
      record.setWord(HandlerRecord.bindings, map(record.word(HandlerRecord.bindings)))
      record.setWord(HandlerRecord.winders, self.winders(record.word(HandlerRecord.winders)))
    }
  }

  private mutating func copyHandlers(_ start: Value) {
    for v in fresh(start, HandlerRecord.next) {
      let copy = Relocation.record(v, next: known[v.word(HandlerRecord.next).bits] ?? .nil, heap, fiber)
      if v.word(HandlerRecord.clauses).isNil {
        let frame = v.word(HandlerRecord.frame).fixValue
        copy.setWord(HandlerRecord.base, HandlerRecord.place(HandlerRecord.base(of: v) + registers, fiber))
        copy.setWord(HandlerRecord.frame, .fix(((frame >> 17) + frames) << 17 | frame & 0x1FFFF))
        guards.append(copy)
      }
      known[v.bits] = copy
    }
  }
  private mutating func copyBindings(_ start: Value) {
    for v in fresh(start, 3) { known[v.bits] = Relocation.binding(v, next: known[v.word(3).bits] ?? .nil, heap) }
  }
  /// What stands in front of the part's end, which is known already, outermost first. A chain that does not lead there belongs to something else.
  private mutating func fresh(_ start: Value, _ next: Int) -> [Value] {
    var found: [Value] = [], v = start
    while !v.isNil, known[v.bits] == nil, !foreign.contains(v.bits) {
      found.append(v)
      v = v.word(next)
    }
    if !v.isNil, known[v.bits] != nil { return found.reversed() }
    for other in found { foreign.insert(other.bits) }
    return []
  }
  private static func record(_ v: Value, next: Value, _ heap: Heap, _ fiber: UInt64) -> Value {
    let cell = heap.allocate(words: HandlerRecord.words, header: Kind.handler.header)
    for i in 1..<HandlerRecord.words { cell[i] = v.cell[i] }
    cell[HandlerRecord.next] = next.bits
    cell[HandlerRecord.base] = HandlerRecord.place(0, fiber).bits
    return Value(cell)
  }
  private static func binding(_ v: Value, next: Value, _ heap: Heap) -> Value {
    let cell = heap.allocate(words: 5, header: Kind.entries.header(length: 2))
    for i in 1..<5 { cell[i] = v.cell[i] }
    cell[3] = next.bits
    return Value(cell)
  }

  func map(_ v: Value) -> Value { v.isCell ? known[v.bits] ?? v : v }

  /// The winders of the part on top of those of the caller.
  mutating func winders(_ list: Value) -> Value {
    let inner = list.listCount - markedWinders
    guard inner > 0 else { return outerWinders }
    var result = outerWinders
    for winder in Array(ListElements(list).prefix(inner)).reversed() { result = heap.cons(copy(winder), result) }
    return result
  }
  private mutating func copy(_ winder: Value) -> Value {
    if let made = knownWinders[winder.bits] { return made }
    let made = heap.list([heap.element(winder, 0), heap.element(winder, 1), map(heap.element(winder, 2)), map(heap.element(winder, 3))])
    knownWinders[winder.bits] = made
    return made
  }
}
