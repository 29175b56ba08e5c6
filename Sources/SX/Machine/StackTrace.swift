/// The calls that were active when a condition was raised, innermost first.
struct StackTrace {
  struct Entry {
    let name: String
    let span: SourceSpan
    /// The frame below called another function, which has handed over by a tail call.
    var isTailCall = false
  }
  var entries: [Entry] = []
  /// Calls left out in the middle, after `omittedAfter` entries.
  var omitted = 0
  var omittedAfter = 0

  /// About what it takes of the memory.
  var bytes: Int { 48 + entries.capacity * MemoryLayout<Entry>.stride }

  static let mostInner = 24, mostOuter = 8
}

extension Machine {
  /// Where the running fiber is; empty when none runs.
  func captureTrace() -> StackTrace {
    current.status == .running ? captureTrace(of: current) : StackTrace()
  }

  /// Walks the frames of a fiber, and in a coroutine some of those that wait for it. O(1): of a deep stack only both ends are looked at.
  func captureTrace(of fiber: Fiber) -> StackTrace {
    var trace = StackTrace()
    walk(fiber, fiber.saved, &trace, inner: StackTrace.mostInner, outer: StackTrace.mostOuter)
    var resumer = fiber.resumer, count = 0
    while let fiber = resumer, count < StackTrace.mostOuter {
      walk(fiber, fiber.saved, &trace, inner: StackTrace.mostOuter, outer: 0)
      resumer = fiber.resumer
      count += 1
    }
    return trace
  }

  private func walk(_ fiber: Fiber, _ state: MachineState, _ trace: inout StackTrace, inner: Int, outer: Int) {
    // The function of the entry that was added last.
    var callee: Code?
    func add(_ base: Registers, _ pc: InstructionPointer) {
      guard base > fiber.stack, base[-1].isKind(.closure) else { return }
      let code = Code.of(closure: base[-1])
      if let callee, let named = calledGlobal(before: pc, from: code), named !== callee { trace.entries[trace.entries.count - 1].isTailCall = true }
      callee = code
      trace.entries.append(StackTrace.Entry(name: code.displayName, span: code.span(before: pc)))
    }
    add(state.base, state.pc)
    let depth = state.fp - fiber.frames
    for i in 0..<depth {
      if depth > inner + outer, i >= inner {
        if trace.omitted == 0 {
          trace.omitted = depth - inner - outer
          trace.omittedAfter = trace.entries.count
          callee = nil
        }
        for j in stride(from: outer - 1, through: 0, by: -1) { add(fiber.frames[j].base, fiber.frames[j].pc) }
        return
      }
      add(fiber.frames[depth - 1 - i].base, fiber.frames[depth - 1 - i].pc)
    }
  }

  /// The function that the call before `pc` names, as far as that can be told: it names a global, or itself.
  private func calledGlobal(before pc: InstructionPointer, from caller: Code) -> Code? {
    let call = pc - 1
    switch call.pointee.op {
    case .callSelf: return caller
    case .callGlobal:
      let function = globals[call.index]
      return function.isKind(.closure) ? Code.of(closure: function) : nil
    default: return nil
    }
  }
}
