/// The lexical environment during analysis: one per function, with the variables that are visible now.
final class Scope {
  let parent: Scope?
  let lambda: Lambda
  private enum Visible {
    case locals([Local])
    /// A named let that is a jump; visible only in its own function.
    case loop(name: Value, Loop)
    /// Macros of `let-syntax` and of inner `define-syntax`.
    case macros([(name: Value, macro: Macro)])
  }
  /// Innermost last. The serial numbers grow from outer to inner groups, over all scopes of a form: they say what was visible where a macro was defined.
  private var groups: [(serial: Int, visible: Visible)] = []

  /// How many variables of each name are visible in the whole chain of scopes. Most names that are looked up are global, and this says so
  /// without a walk, which keeps deep nesting linear.
  private final class Names {
    var counts = IdentityMap<Int>()
    var serial = 0
    let aliases: AliasTable
    init(_ aliases: AliasTable) { self.aliases = aliases }
  }
  private let names: Names
  private let ownSerial: Int

  /// The scope of a form at top level.
  convenience init(topLevel lambda: Lambda, _ aliases: AliasTable) { self.init(nil, lambda, Names(aliases)) }
  /// The scope of a function inside another.
  convenience init(_ parent: Scope, _ lambda: Lambda) { self.init(parent, lambda, parent.names) }

  private init(_ parent: Scope?, _ lambda: Lambda, _ names: Names) {
    self.parent = parent
    self.lambda = lambda
    self.names = names
    names.serial += 1
    ownSerial = names.serial
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
    /// A jump; `serial` tells whether it is still in reach, see `Analyzer.barrier`.
    case loop(Loop, serial: Int)
    case macro(Macro)
  }

  /// The serial number of what is visible now.
  var serial: Int { names.serial }

  /// At top level, outside every function and every binding form.
  var isTopLevel: Bool { parent == nil && groups.isEmpty }

  private func push(_ visible: Visible) {
    names.serial += 1
    groups.append((names.serial, visible))
  }
  func push(_ locals: [Local]) {
    push(.locals(locals))
    for local in locals { names.counts[local.name.bits, default: 0] += 1 }
  }
  func push(_ loop: Loop, named name: Value) {
    push(.loop(name: name, loop))
    names.counts[name.bits, default: 0] += 1
  }
  func push(macros: [(name: Value, macro: Macro)]) {
    push(.macros(macros))
    for entry in macros { names.counts[entry.name.bits, default: 0] += 1 }
  }
  func pop() {
    switch groups.removeLast().visible {
    case .locals(let locals): for local in locals { names.counts[local.name.bits, default: 1] -= 1 }
    case .loop(let name, _): names.counts[name.bits, default: 1] -= 1
    case .macros(let macros): for entry in macros { names.counts[entry.name.bits, default: 1] -= 1 }
    }
  }
  /// Number of groups, for `pop(to:)`.
  var depth: Int { groups.count }
  func pop(to depth: Int) { while groups.count > depth { pop() } }

  /// Makes one more variable visible in the innermost group of variables.
  func add(_ local: Local) {
    if let at = groups.lastIndex(where: { if case .locals = $0.visible { true } else { false } }) {
      add(local, to: at)
    } else {
      push([local])
    }
  }
  /// Makes one more variable visible in a group of variables.
  func add(_ local: Local, to group: Int) {
    guard case .locals(var locals) = groups[group].visible else { return }
    names.counts[local.name.bits, default: 0] += 1
    groups[group].visible = .locals([])          // so that appending copies nothing
    locals.append(local)
    groups[group].visible = .locals(locals)
  }
  /// Makes one more macro visible in the innermost group.
  func add(_ macro: Macro, named name: Value) {
    guard case .macros(var macros)? = groups.last?.visible else { return push(macros: [(name, macro)]) }
    names.counts[name.bits, default: 0] += 1
    macros.append((name, macro))
    groups[groups.count - 1].visible = .macros(macros)
  }
  func localInInnermostGroup(_ name: Value) -> Local? {
    for group in groups.reversed() {
      switch group.visible {
      case .locals(let locals): return locals.last { $0.name == name }
      case .loop: return nil
      case .macros: continue
      }
    }
    return nil
  }

  /// What a name means here. A name that a macro brought along means what it meant where the macro was defined, unless the
  /// same expansion binds it.
  func find(_ name: Value) -> Binding? { find(name, within: .max) }

  private func find(_ name: Value, within limit: Int) -> Binding? {
    if names.counts[name.bits, default: 0] > 0, let found = search(name, limit) { return found }
    guard name.isAlias, let alias = names.aliases[name], alias.serial > 0 else { return nil }
    return find(alias.original, within: min(limit, alias.serial))
  }

  private func search(_ name: Value, _ limit: Int) -> Binding? {
    for group in groups.reversed() where group.serial <= limit {
      switch group.visible {
      case .locals(let locals): if let local = locals.last(where: { $0.name == name }) { return .local(local) }
      case .loop(let loopName, let loop): if loopName == name { return .loop(loop, serial: group.serial) }
      case .macros(let macros): if let entry = macros.last(where: { $0.name == name }) { return .macro(entry.macro) }
      }
    }
    if let own = lambda.selfLocal, own.name == name, ownSerial <= limit { return .enclosingFunction }
    guard let parent, let found = parent.search(name, limit) else { return nil }
    switch found {
    case .local(let local):
      local.isCaptured = true
      return .upvalue(capture(.local(local), local), local)
    case .upvalue(let index, let local): return .upvalue(capture(.upvalue(index), local), local)
    case .enclosingFunction:
      guard let own = parent.lambda.selfLocal else { return nil }
      return .upvalue(capture(.enclosingFunction, own), own)
    case .loop(let loop, _): return .loop(loop, serial: 0)      // out of reach: a function lies in between
    case .macro: return found
    }
  }

  private func capture(_ capture: Capture, _ local: Local) -> Int {
    if let known = lambda.capturedLocals.firstIndex(where: { $0 === local }) { return known }
    lambda.captures.append(capture)
    lambda.capturedLocals.append(local)
    return lambda.captures.count - 1
  }
}
