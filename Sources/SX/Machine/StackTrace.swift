/// The calls that were active when a condition was raised, innermost first.
struct StackTrace {
  struct Entry {
    let name: String
    let span: SourceSpan
  }
  var entries: [Entry] = []
  /// Calls left out in the middle, after `omittedAfter` entries.
  var omitted = 0
  var omittedAfter = 0

  static let mostInner = 24, mostOuter = 8
}

extension Machine {
  /// Walks the frames of the running fiber. O(1): of a deep stack only both ends are looked at.
  func captureTrace() -> StackTrace {
    var trace = StackTrace()
    let fiber = current
    func add(_ base: Registers, _ pc: InstructionPointer) {
      guard base > fiber.stack, base[-1].isKind(.closure) else { return }
      let code = Code.of(closure: base[-1])
      trace.entries.append(StackTrace.Entry(name: code.displayName, span: code.span(before: pc)))
    }
    guard fiber.status == .running else { return trace }
    add(state.pointee.base, state.pointee.pc)
    var frame = state.pointee.fp
    let depth = frame - fiber.frames
    for i in 0..<depth {
      frame -= 1
      if depth > StackTrace.mostInner + StackTrace.mostOuter, i >= StackTrace.mostInner, i < depth - StackTrace.mostOuter {
        if trace.omitted == 0 {
          trace.omitted = depth - StackTrace.mostInner - StackTrace.mostOuter
          trace.omittedAfter = trace.entries.count
        }
        frame = fiber.frames + (StackTrace.mostOuter - 1)
        for j in stride(from: StackTrace.mostOuter - 1, through: 0, by: -1) { add(fiber.frames[j].base, fiber.frames[j].pc) }
        break
      }
      add(frame.pointee.base, frame.pointee.pc)
    }
    return trace
  }
}
