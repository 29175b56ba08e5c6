/// The lexical environment during analysis: one per function, with the variables that are visible now.
final class Scope {
  let parent: Scope?
  let lambda: Lambda
  private enum Visible {
    case locals([Local])
    /// A named let that is a jump; visible only in its own function.
    case loop(name: Value, Loop)
  }
  /// Innermost last.
  private var groups: [Visible] = []

  /// How many variables of each name are visible in the whole chain of scopes. Most names that are looked up are global, and this says so
  /// without a walk, which keeps deep nesting linear.
  private final class Names {
    var counts: [UInt64: Int] = [:]
  }
  private let names: Names

  init(_ parent: Scope?, _ lambda: Lambda) {
    self.parent = parent
    self.lambda = lambda
    names = parent?.names ?? Names()
    if let own = lambda.selfLocal { names.counts[own.name.bits, default: 0] += 1 }
  }

  /// The function is analysed: its variables are no longer visible.
  func leave() {
    while !groups.isEmpty { pop() }
    if let own = lambda.selfLocal { names.counts[own.name.bits, default: 1] -= 1 }
  }

  enum Binding {
    case local(Local)
    case upvalue(Int, Local)
    case enclosingFunction
    case loop(Loop)
  }

  /// At top level, outside every function and every binding form.
  var isTopLevel: Bool { parent == nil && groups.isEmpty }

  func push(_ locals: [Local]) {
    groups.append(.locals(locals))
    for local in locals { names.counts[local.name.bits, default: 0] += 1 }
  }
  func push(_ loop: Loop, named name: Value) {
    groups.append(.loop(name: name, loop))
    names.counts[name.bits, default: 0] += 1
  }
  func pop() {
    switch groups.removeLast() {
    case .locals(let locals): for local in locals { names.counts[local.name.bits, default: 1] -= 1 }
    case .loop(let name, _): names.counts[name.bits, default: 1] -= 1
    }
  }

  /// Makes one more variable visible in the innermost group of variables.
  func add(_ local: Local) {
    names.counts[local.name.bits, default: 0] += 1
    if case .locals(var locals)? = groups.last {
      groups[groups.count - 1] = .locals([])          // so that appending copies nothing
      locals.append(local)
      groups[groups.count - 1] = .locals(locals)
    } else {
      groups.append(.locals([local]))
    }
  }
  func localInInnermostGroup(_ name: Value) -> Local? {
    guard case .locals(let locals)? = groups.last else { return nil }
    return locals.last { $0.name == name }
  }

  func find(_ name: Value) -> Binding? {
    guard names.counts[name.bits, default: 0] > 0 else { return nil }
    for group in groups.reversed() {
      switch group {
      case .locals(let locals): if let local = locals.last(where: { $0.name == name }) { return .local(local) }
      case .loop(let loopName, let loop): if loopName == name { return .loop(loop) }
      }
    }
    if let own = lambda.selfLocal, own.name == name { return .enclosingFunction }
    guard let parent, let found = parent.find(name) else { return nil }
    switch found {
    case .local(let local):
      local.isCaptured = true
      return .upvalue(capture(.local(local), local), local)
    case .upvalue(let index, let local): return .upvalue(capture(.upvalue(index), local), local)
    case .enclosingFunction:
      guard let own = parent.lambda.selfLocal else { return nil }
      return .upvalue(capture(.enclosingFunction, own), own)
    case .loop: return nil                          // `LoopName` made sure that no closure refers to a jump
    }
  }

  private func capture(_ capture: Capture, _ local: Local) -> Int {
    if let known = lambda.capturedLocals.firstIndex(where: { $0 === local }) { return known }
    lambda.captures.append(capture)
    lambda.capturedLocals.append(local)
    return lambda.captures.count - 1
  }
}
