/// The forms that bind variables: `let` and its kin, loops, `letrec`.
extension Analyzer {
  /// `((a 1) (b 2))` or `(a 1 b 2)`.
  func bindings(_ item: Item, _ head: Item) throws -> [(name: Value, value: Item?)] {
    guard item.value.isListOrNil else { throw syntaxError("`\(head.value.text)` needs a list of bindings, got \(shown(item.value))", item.span) }
    let parts = items(item.value, item.span)
    var out: [(name: Value, value: Item?)] = []
    if let first = parts.first, first.value.isKind(.symbol) {
      for i in stride(from: 0, to: parts.count, by: 2) {
        guard parts[i].value.isKind(.symbol) else { throw syntaxError("expected a name, got \(shown(parts[i].value))", parts[i].span) }
        guard i + 1 < parts.count else { throw syntaxError("`\(head.value.text)` binds `\(parts[i].value.text)` to no value", parts[i].span) }
        out.append((parts[i].value, parts[i + 1]))
      }
      return out
    }
    for part in parts {
      guard part.value.isListCell, (1...2).contains(part.value.length) else {
        throw syntaxError("a binding is a list of a name and a value, got \(part.value.isListCell ? "a list of \(part.value.length) forms" : shown(part.value))", part.span)
      }
      let pair = items(part.value, part.span)
      out.append((try parameterName(pair[0]), pair.count > 1 ? pair[1] : nil))
    }
    return out
  }

  /// Names that are bound at once must differ.
  func distinct(_ pairs: [(name: Value, value: Item?)], _ item: Item) throws -> [(name: Value, value: Item?)] {
    var seen: Set<UInt64> = []
    for pair in pairs where !seen.insert(pair.name.bits).inserted { throw syntaxError("`\(pair.name.text)` is bound twice", item.span) }
    return pairs
  }

  mutating func letForm(_ parts: [Item], _ span: SourceSpan, _ scope: Scope, tail: Bool) throws -> Node {
    try expect(parts, 1...Int.max, span)
    if parts[1].value.isKind(.symbol) {
      try expect(parts, 2...Int.max, span)
      return try namedLet(parts, span, scope, tail: tail)
    }
    var bound: [(Local, Node)] = []
    scope.push([])
    defer { scope.pop() }
    for (name, value) in try bindings(parts[1], parts[0]) {
      let node = try value.map { try named(expression($0, scope, tail: false), name) } ?? .constant(.nil)
      let local = Local(name)
      bound.append((local, node))
      scope.add(local)
    }
    return .bind(bound, try body(parts[2...], scope, tail: tail))
  }

  mutating func namedLet(_ parts: [Item], _ span: SourceSpan, _ scope: Scope, tail: Bool) throws -> Node {
    let name = parts[1].value
    let pairs = try distinct(bindings(parts[2], parts[0]), parts[2])
    if pairs.count > 200 { throw syntaxError("a named `let` takes at most 200 variables", parts[2].span) }
    let starts = try pairs.map { try $0.value.map { try expression($0, scope, tail: false) } ?? .constant(.nil) }
    let forms = parts[3...]
    let key = parts[2].value.bits
    if !ordinaryLoops.contains(key), LoopName(name: name, arity: pairs.count, machine: machine).isOnlyTailCalled(in: ArraySlice(forms.map(\.value))) {
      let loop = Loop(pairs.map { Local($0.name) })
      do {
        return .loop(loop, starts, try jumping(loop, name, scope, tail: tail) { try $0.body(forms, scope, tail: true) })
      } catch let failure as NoJump where failure.loop == ObjectIdentifier(loop) {
        // A macro has used the name in another way.
        ordinaryLoops.insert(key)
      }
    }
    let own = Local(name)
    own.isSelf = true
    do {
      let lambda = try loopFunction(name, pairs.map(\.name), forms, span, scope, own: own)
      return .recursive(own, lambda, call(.local(own), starts, span))
    } catch let failure as AssignsItself where failure.own == ObjectIdentifier(own) {
      let local = Local(name)
      local.isAssigned = true
      scope.push([local])
      defer { scope.pop() }
      let lambda = try loopFunction(name, pairs.map(\.name), forms, span, scope, own: nil)
      return .declare([local], .sequence([.initialize(local, .lambda(lambda)), call(.local(local), starts, span)]))
    }
  }

  mutating func loopFunction(_ name: Value, _ variables: [Value], _ forms: ArraySlice<Item>, _ span: SourceSpan, _ scope: Scope, own: Local?) throws -> Lambda {
    let lambda = Lambda(name: name.text, span: span)
    lambda.selfLocal = own
    lambda.isPrelude = scope.lambda.isPrelude
    let inner = Scope(scope, lambda)
    defer { inner.leave() }
    lambda.parameters = variables.map(Local.init)
    lambda.required = variables.count
    inner.push(lambda.parameters)
    lambda.body = try body(forms, inner, tail: true)
    return lambda
  }

  /// Analyses the body of a loop, in which its name is a jump.
  mutating func jumping(_ loop: Loop, _ name: Value, _ scope: Scope, tail: Bool, _ body: (inout Analyzer) throws -> Node) throws -> Node {
    let depth = scope.depth, outer = barrier
    if !tail { barrier = scope.serial }
    defer {
      barrier = outer
      scope.pop(to: depth)
    }
    scope.push(loop, named: name)
    scope.push(loop.variables)
    return try body(&self)
  }

  mutating func letrec(_ parts: [Item], _ span: SourceSpan, _ scope: Scope, tail: Bool) throws -> Node {
    try expect(parts, 1...Int.max, span)
    let pairs = try distinct(bindings(parts[1], parts[0]), parts[1])
    let locals = pairs.map { Local($0.name) }
    scope.push(locals)
    defer { scope.pop() }
    let assigned = assignedNames(in: parts[2...])
    for local in locals where assigned.contains(local.name.bits) { local.isAssigned = true }
    var nodes: [Node] = []
    for (local, pair) in zip(locals, pairs) {
      let value = try pair.value.map { try definition(of: local, $0, scope) } ?? .constant(.nil)
      // Captured by a value before it: the closure must see the variable, not what it holds now.
      if local.isCaptured { local.isAssigned = true }
      nodes.append(.initialize(local, value))
    }
    nodes.append(try body(parts[2...], scope, tail: tail))
    return .declare(locals, .sequence(nodes))
  }

  /// The value of a recursive binding. A function that is never assigned calls itself without a captured variable.
  mutating func definition(of local: Local, _ item: Item, _ scope: Scope) throws -> Node {
    if !local.isAssigned, item.value.isPair, item.value.length > 2 {
      let head = machine.heap.element(item.value, 0)
      if let form = SpecialForm(head, machine), form == .fn || form == .lambda, !isBound(head, scope) {
        let parts = items(item.value, item.span)
        return .lambda(try recursive(local, local.name.text, parts[1], parts[2...], item.span, scope))
      }
    }
    return named(try expression(item, scope, tail: false), local.name)
  }

  /// A function that may call itself without a captured variable, unless a macro turns out to assign its name.
  mutating func recursive(_ local: Local?, _ name: String, _ parameters: Item, _ forms: ArraySlice<Item>, _ span: SourceSpan, _ scope: Scope, form: String = "fn") throws -> Lambda {
    if let local, !local.isAssigned {
      let own = Local(local.name)
      own.isSelf = true
      do {
        return try function(name, parameters, forms, span, scope, own: own, form: form)
      } catch let failure as AssignsItself where failure.own == ObjectIdentifier(own) {
        local.isAssigned = true
      }
    }
    return try function(name, parameters, forms, span, scope, form: form)
  }

  /// The names that any of the forms assigns. Looks at the unexpanded source.
  func assignedNames(in forms: ArraySlice<Item>) -> Set<UInt64> {
    var names: Set<UInt64> = []
    var pending = forms.map(\.value)
    while let v = pending.popLast() {
      if v.isListCell, v.length > 0 {
        if v.length >= 2, case let head = machine.heap.element(v, 0), head.isKind(.symbol), SpecialForm(head, machine) == .set { names.insert(machine.heap.element(v, 1).bits) }
        pending.append(contentsOf: ListElements(v))
      } else if v.isDict {
        pending.append(contentsOf: machine.heap.entries(of: v).map(\.value))
      }
    }
    return names
  }

  /// A function bound to a name takes it as its own.
  func named(_ node: Node, _ name: Value) -> Node {
    if case .lambda(let lambda) = node, lambda.name.isEmpty { lambda.name = name.text }
    return node
  }

  /// `(do ((v init step) …) (test result…) body…)`, or a plain sequence.
  mutating func doForm(_ parts: [Item], _ span: SourceSpan, _ scope: Scope, tail: Bool) throws -> Node {
    guard parts.count >= 3, parts[1].value.isListCell, parts[2].value.isListCell, parts[2].value.length > 0,
      ListElements(parts[1].value).allSatisfy({ $0.isListCell && (2...3).contains($0.length) && machine.heap.element($0, 0).isKind(.symbol) })
    else { return try body(parts[1...], scope, tail: tail) }
    let specs = items(parts[1].value, parts[1].span).map { items($0.value, $0.span) }
    let starts = try specs.map { try expression($0[1], scope, tail: false) }
    let loop = Loop(specs.map { Local($0[0].value) })
    let exit = items(parts[2].value, parts[2].span)
    return .loop(loop, starts, try jumping(loop, .unbound, scope, tail: tail) { analyzer in
      let test = try analyzer.expression(exit[0], scope, tail: false)
      let result = exit.count > 1 ? try analyzer.body(exit[1...], scope, tail: true) : .constant(.nil)
      let run = try parts[3...].map { try analyzer.expression($0, scope, tail: false) }
      let steps: [Node] = try zip(specs, loop.variables).map { try $0.count > 2 ? analyzer.expression($0[2], scope, tail: false) : .local($1) }
      return .conditional(test, result, .sequence(run + [.again(loop, steps, span)]))
    })
  }
}
