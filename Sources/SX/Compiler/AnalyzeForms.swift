/// The special forms.
extension Analyzer {
  mutating func special(_ form: SpecialForm, _ parts: [Item], _ span: SourceSpan, _ scope: Scope, tail: Bool) throws -> Node {
    switch form {
    case .quote:
      try expect(parts, 1...1, span)
      return .constant(try datum(parts[1].value))
    case .quasiquote:
      try expect(parts, 1...1, span)
      return try quasiquote(parts[1], 1, scope)
    case .if:
      try expect(parts, 2...3, span)
      return .conditional(
        try expression(parts[1], scope, tail: false), try expression(parts[2], scope, tail: tail),
        parts.count > 3 ? try expression(parts[3], scope, tail: tail) : .constant(.nil))
    case .when, .unless:
      try expect(parts, 1...Int.max, span)
      let test = try expression(parts[1], scope, tail: false)
      let run = try body(parts[2...], scope, tail: tail)
      return form == .when ? .conditional(test, run, .constant(.nil)) : .conditional(test, .constant(.nil), run)
    case .cond: return try cond(parts, span, scope, tail: tail)
    case .case: return try caseOf(parts, span, scope, tail: tail)
    case .and:
      if parts.count == 1 { return .constant(.true) }
      return .and(try operands(parts, scope, tail: tail))
    case .or:
      if parts.count == 1 { return .constant(.nil) }
      return .or(try operands(parts, scope, tail: tail))
    case .begin: return parts.count == 1 ? .constant(.nil) : try sequence(parts[1...], scope, tail: tail)
    case .do: return try doForm(parts, span, scope, tail: tail)
    case .let, .letStar: return try letForm(parts, span, scope, tail: tail)
    case .letrec, .letrecStar: return try letrec(parts, span, scope, tail: tail)
    case .fn, .lambda:
      try expect(parts, 1...Int.max, span)
      return .lambda(try function("", parts[1], parts[2...], span, scope, form: parts[0].value.text))
    case .define: return try define(parts, span, scope)
    case .defmacro:
      try expect(parts, 2...Int.max, span)
      guard parts[1].value.isKind(.symbol) else { throw syntaxError("`defmacro` needs a name, got \(shown(parts[1].value))", parts[1].span) }
      let scopeOfMacro = Scope(topLevel: Lambda(name: "top level", span: span), machine.aliases)
      let lambda = try function(parts[1].value.text, parts[2], parts[3...], span, scopeOfMacro, form: "defmacro")
      try machine.defineMacro(definedIndex(parts[1].value), lambda, namespace.isLibrary ? namespace : nil)
      return .constant(.nil)
    case .defineSyntax:
      guard scope.isTopLevel else {
        try defineSyntax(parts, span, scope)
        return .constant(.nil)
      }
      guard parts.count == 3, parts[1].value.isKind(.symbol) else { throw syntaxError("`define-syntax` takes a name and a macro", span) }
      let macro = try transformer(Item(value: try machine.strippedDatum(parts[2].value), span: parts[2].span), parts[1].value, scope, serial: 0)
      try machine.setGlobal(definedIndex(parts[1].value), machine.heap.allocate(object: macro))
      return .constant(.nil)
    case .letSyntax, .letrecSyntax: return try letSyntax(form, parts, span, scope, tail: tail)
    case .syntaxRules: throw syntaxError("`syntax-rules` makes a macro: it stands in `define-syntax`, `let-syntax` or `letrec-syntax`", span)
    case .set: return try set(parts, span, scope)
    case .thread, .threadLast: return try thread(parts, span, scope, tail: tail, last: form == .threadLast)
    case .threadAs: return try threadAs(parts, span, scope, tail: tail)
    case .guard: return try guardForm(parts, span, scope)
    case .parameterize: return try parameterize(parts, span, scope)
    case .handlerBind: return try handlerBind(parts, span, scope)
    }
  }

  mutating func letSyntax(_ form: SpecialForm, _ parts: [Item], _ span: SourceSpan, _ scope: Scope, tail: Bool) throws -> Node {
    try expect(parts, 1...Int.max, span)
    guard parts[1].value.isListOrNil else { throw syntaxError("`\(parts[0].value.text)` needs a list of bindings", parts[1].span) }
    let pairs = try items(parts[1].value, parts[1].span).map { item in
      guard item.value.isListCell, item.value.length == 2, machine.heap.element(item.value, 0).isKind(.symbol) else { throw syntaxError("a binding is a list of a name and a macro", item.span) }
      return items(item.value, item.span)
    }
    var macros = pairs.map { (name: $0[0].value, macro: Macro(name: $0[0].value.text, closure: .nil)) }
    // In `let-syntax` the macros do not see each other.
    if form == .letSyntax {
      for (i, pair) in pairs.enumerated() { macros[i].macro = try transformer(pair[1], pair[0].value, scope, serial: scope.serial) }
    }
    scope.push(macros: macros)
    defer { scope.pop() }
    if form == .letrecSyntax {
      for (i, pair) in pairs.enumerated() { macros[i].macro.become(try transformer(pair[1], pair[0].value, scope, serial: scope.serial)) }
    }
    return try body(parts[2...], scope, tail: tail)
  }

  /// What `quote` gives: data know nothing of aliases.
  func datum(_ v: Value) throws -> Value {
    let plain = try machine.strippedDatum(v)
    if plain != v { machine.compileRoots.append(plain) }
    return plain
  }

  /// `count` is the number of forms after the head.
  func expect(_ parts: [Item], _ count: ClosedRange<Int>, _ span: SourceSpan) throws {
    let n = parts.count - 1
    guard !count.contains(n) else { return }
    let wanted =
      count.lowerBound == count.upperBound ? "\(count.lowerBound)" : count.upperBound == Int.max ? "at least \(count.lowerBound)" : "\(count.lowerBound) or \(count.upperBound)"
    throw syntaxError("`\(parts[0].value.text)` takes \(wanted) form\(wanted == "1" || wanted == "at least 1" ? "" : "s"), got \(n)", span)
  }

  mutating func operands(_ parts: [Item], _ scope: Scope, tail: Bool) throws -> [Node] {
    var nodes: [Node] = []
    for i in 1..<parts.count { nodes.append(try expression(parts[i], scope, tail: tail && i == parts.count - 1)) }
    return nodes
  }

  // MARK: Conditionals

  mutating func cond(_ parts: [Item], _ span: SourceSpan, _ scope: Scope, tail: Bool) throws -> Node {
    let clauses = Array(parts.dropFirst())
    let style = CondStyle.of(clauses.map(\.value), machine)
    var built: [(Clause)] = []
    if style == .scheme {
      for clause in clauses {
        let items = self.items(clause.value, clause.span)
        built.append(Clause(test: items[0], body: items[1...]))
      }
    } else {
      var i = 0
      while i < clauses.count {
        if i + 1 == clauses.count {                  // a last expression alone is the default
          throw syntaxError("`cond` has a test without an expression", clauses[i].span)
        }
        built.append(Clause(test: clauses[i], body: clauses[(i + 1)...(i + 1)]))
        i += 2
      }
    }
    return try clauseChain(built[...], "cond", scope, tail: tail, otherwise: .constant(.nil))
  }

  struct Clause {
    let test: Item
    let body: ArraySlice<Item>
  }

  /// `(test body…)`, `(test)`, `(test => function)`, `(else body…)` in turn.
  mutating func clauseChain(_ clauses: ArraySlice<Clause>, _ form: String, _ scope: Scope, tail: Bool, otherwise: Node) throws -> Node {
    var alternatives: [(build: (Node) -> Node, Void)] = []
    var last = otherwise
    for (i, clause) in zip(clauses.indices, clauses) {
      if CondStyle.isElse(clause.test.value, machine), !isBound(clause.test.value, scope) {
        if clause.test.value != .true, i + 1 < clauses.endIndex { throw syntaxError("`else` must be the last clause of `\(form)`", clause.test.span) }
        last = try body(clause.body, scope, tail: tail)
        break
      }
      let test = try expression(clause.test, scope, tail: false)
      if clause.body.isEmpty {
        alternatives.append(({ .or([test, $0]) }, ()))
      } else if let arrow = clause.body.first, arrow.value == machine.symbol("=>"), !isBound(arrow.value, scope) {
        guard clause.body.count == 2, let target = clause.body.last else { throw syntaxError("`=>` needs exactly one function after it", arrow.span) }
        let holder = Local(.unbound)
        let function = try expression(target, scope, tail: false)
        alternatives.append(({ .bind([(holder, test)], .conditional(.local(holder), .call(function, [.local(holder)], target.span), $0)) }, ()))
      } else {
        let run = try body(clause.body, scope, tail: tail)
        alternatives.append(({ .conditional(test, run, $0) }, ()))
      }
    }
    for alternative in alternatives.reversed() { last = alternative.build(last) }
    return last
  }

  func isBound(_ name: Value, _ scope: Scope) -> Bool { name.isKind(.symbol) && scope.find(name) != nil }

  mutating func caseOf(_ parts: [Item], _ span: SourceSpan, _ scope: Scope, tail: Bool) throws -> Node {
    try expect(parts, 1...Int.max, span)
    let subject = Local(.unbound)                     // a name that no source can spell
    let value = try expression(parts[1], scope, tail: false)
    scope.push([subject])
    defer { scope.pop() }
    let clauses = Array(parts.dropFirst(2))
    func result(_ body: ArraySlice<Item>) throws -> Node {
      guard body.count == 2, body.first?.value == machine.symbol("=>"), let target = body.last else { return try self.body(body, scope, tail: tail) }
      return .call(try expression(target, scope, tail: false), [.local(subject)], target.span)
    }
    let isScheme = !clauses.isEmpty && clauses.allSatisfy { clause in
      guard clause.value.isListCell, clause.value.length >= 2 else { return false }
      let first = machine.heap.element(clause.value, 0)
      return first.isListCell || first == machine.symbol("else") || first == machine.heap.keyword("else")
    }
    var chain: [(test: Node?, body: Node)] = []
    func equals(_ datum: Value) -> Node {
      .primitive(.equal, [.local(subject), .constant(datum.isKind(.keyword) ? machine.keyString(datum) : machine.stripped(datum))], span)
    }
    func isElse(_ v: Value) -> Bool { v == machine.symbol("else") || v == machine.heap.keyword("else") }
    if isScheme {
      for (i, clause) in clauses.enumerated() {
        if i + 1 < clauses.count, isElse(machine.heap.element(clause.value, 0)) { throw syntaxError("`else` must be the last clause of `case`", clause.span) }
        let items = self.items(clause.value, clause.span)
        if items[0].value.isListCell {
          let tests = ListElements(items[0].value).map(equals)
          chain.append((.or(tests.isEmpty ? [.constant(.false)] : tests), try result(items[1...])))
        } else {
          chain.append((nil, try result(items[1...])))
        }
      }
    } else {
      var i = 0
      while i < clauses.count {
        guard i + 1 < clauses.count else { throw syntaxError("`case` has a datum without an expression", clauses[i].span) }
        let datum = clauses[i].value
        let run = try expression(clauses[i + 1], scope, tail: tail)
        if isElse(datum) {
          if i + 2 < clauses.count { throw syntaxError("`else` must be the last clause of `case`", clauses[i].span) }
          chain.append((nil, run))
        } else {
          // In the flat style the datum is an expression: a constant is itself, a list is evaluated as `quote` and the like want it.
          chain.append((.primitive(.equal, [.local(subject), try expression(clauses[i], scope, tail: false)], span), run))
        }
        i += 2
      }
    }
    var result = Node.constant(.nil)
    for (test, run) in chain.reversed() { result = test.map { .conditional($0, run, result) } ?? run }
    return .bind([(subject, value)], result)
  }

  // MARK: Definition and assignment

  mutating func define(_ parts: [Item], _ span: SourceSpan, _ scope: Scope) throws -> Node {
    try expect(parts, 1...Int.max, span)
    var target = parts[1]
    var forms = parts[2...]
    // (define ((f a) b) …) defines f as a function that returns a function.
    var curried: [Item] = []
    while target.value.isListCell, target.value.length > 0 {
      let signature = items(target.value, target.span)
      curried.append(target)
      target = signature[0]
    }
    if forms.count > 2, forms.first?.value == machine.heap.keyword("effects") { forms = forms.dropFirst(2) }
    guard target.value.isKind(.symbol) else { throw syntaxError("`define` needs a name, got \(shown(target.value))", target.span) }
    let name = target.value
    // Inside a body the name may be local: the closure can then refer to itself without a box.
    let local = scope.isTopLevel ? nil : innerDefinition(name, scope)
    let value: Node
    if let signature = curried.last {
      guard curried.count == 1 else { throw syntaxError("a curried `define` is not supported", parts[1].span, hint: "return a `fn` instead") }
      let parameters = signature.value.length > 1 ? Item(value: machine.heap.rest(signature.value), span: signature.span) : Item(value: .nil, span: signature.span)
      machine.compileRoots.append(parameters.value)
      value = .lambda(try recursive(local, name.text, parameters, forms, span, scope, form: "define"))
    } else {
      guard forms.count <= 1 else { throw syntaxError("`define` of a variable takes one value, got \(forms.count)", span) }
      value = try forms.first.map { form in
        if let local { return try definition(of: local, form, scope) }
        return named(try expression(form, scope, tail: false), name)
      } ?? .constant(.nil)
    }
    guard let local else { return .defineGlobal(definedIndex(name), value, span) }
    if local.isCaptured { local.isAssigned = true }
    return .initialize(local, value)
  }

  /// The local that an inner `define` binds; one that no body announced becomes visible from here on.
  func innerDefinition(_ name: Value, _ scope: Scope) -> Local {
    if let known = scope.localInInnermostGroup(name) { return known }
    if case .local(let outer)? = scope.find(name) { return outer }
    let local = Local(name)
    local.isAssigned = true
    scope.add(local)
    scope.lambda.strayDefinitions.append(local)
    return local
  }

  mutating func set(_ parts: [Item], _ span: SourceSpan, _ scope: Scope) throws -> Node {
    try expect(parts, 2...2, span)
    let name = parts[1].value
    guard name.isKind(.symbol) else { throw syntaxError("`set!` needs a name, got \(shown(name))", parts[1].span) }
    let value = try expression(parts[2], scope, tail: false)
    switch scope.find(name) {
    case .local(let local):
      local.isAssigned = true
      scope.lambda.assignsLocals = true
      return .setLocal(local, value)
    case .upvalue(_, let local) where local.isSelf: throw AssignsItself(own: ObjectIdentifier(local))
    case .upvalue(let index, let local):
      local.isAssigned = true
      return .setUpvalue(index, local, value)
    case .loop(let loop, _): throw NoJump(loop: ObjectIdentifier(loop))
    case .enclosingFunction:
      if let own = scope.lambda.selfLocal, own.isSelf { throw AssignsItself(own: ObjectIdentifier(own)) }
      throw syntaxError("the name of a loop cannot be assigned", parts[1].span)
    case .macro: throw syntaxError("`\(name.text)` is a macro and cannot be assigned", parts[1].span)
    case nil:
      let index = globalIndex(name)
      noteGlobal?(index, parts[1].span)
      if !isPrelude { machine.release(toProgram: index) }
      return .setGlobal(index, value, parts[1].span)
    }
  }

  // MARK: Threading

  mutating func thread(_ parts: [Item], _ span: SourceSpan, _ scope: Scope, tail: Bool, last: Bool) throws -> Node {
    try expect(parts, 1...Int.max, span)
    var form = parts[1]
    for step in parts.dropFirst(2) {
      var values: [Value]
      if step.value.isListCell, step.value.length > 0 {
        values = Array(ListElements(step.value))
        values.insert(form.value, at: last ? values.count : 1)
      } else {
        values = [step.value, form.value]
      }
      form = Item(value: relocated(values, step, inserted: form, at: last ? values.count - 1 : 1), span: step.span)
    }
    machine.compileRoots.append(form.value)
    return try expression(form, scope, tail: tail)
  }

  /// A list made of parts of `step`, which keep their places, and one part from elsewhere.
  func relocated(_ values: [Value], _ step: Item, inserted: Item, at index: Int) -> Value {
    let own = step.value.isListCell && step.value.length > 0 ? items(step.value, step.span).map(\.span) : [step.span]
    var result = Value.end
    for i in stride(from: values.count - 1, through: 0, by: -1) {
      let place = i == index ? inserted.span : own[i < index ? i : i - 1]
      result = machine.heap.locatedPair(values[i], result, length: values.count - i, element: place, list: i == 0 ? step.span : .none)
    }
    return result
  }

  mutating func threadAs(_ parts: [Item], _ span: SourceSpan, _ scope: Scope, tail: Bool) throws -> Node {
    try expect(parts, 2...Int.max, span)
    guard parts[2].value.isKind(.symbol) else { throw syntaxError("`as->` needs a name, got \(shown(parts[2].value))", parts[2].span) }
    var value = try expression(parts[1], scope, tail: tail && parts.count == 3)
    for (i, step) in parts[3...].enumerated() {
      let local = Local(parts[2].value)
      scope.push([local])
      defer { scope.pop() }
      value = .bind([(local, value)], try expression(step, scope, tail: tail && i == parts.count - 4))
    }
    return value
  }

  // MARK: Conditions and dynamic binding

  /// `(guard (e clause …) body …)`. Without a matching clause the condition goes on to the outer handler, as if this guard were not there: it is
  /// raised again, and one that was raised to be continued is raised where it came from.
  mutating func guardForm(_ parts: [Item], _ span: SourceSpan, _ scope: Scope) throws -> Node {
    try expect(parts, 1...Int.max, span)
    guard parts[1].value.isListCell, parts[1].value.length > 0, machine.heap.element(parts[1].value, 0).isKind(.symbol) else {
      throw syntaxError("`guard` needs a list of a name and clauses, got \(shown(parts[1].value))", parts[1].span)
    }
    let run = try body(parts[2...], scope, tail: false)
    let specs = items(parts[1].value, parts[1].span)
    let condition = Local(specs[0].value)
    scope.push([condition])
    defer { scope.pop() }
    var clauses: [Clause] = []
    for spec in specs.dropFirst() {
      guard spec.value.isListCell, spec.value.length > 0 else { throw syntaxError("a `guard` clause is a list of a test and expressions, got \(shown(spec.value))", spec.span) }
      let items = self.items(spec.value, spec.span)
      clauses.append(Clause(test: items[0], body: items[1...]))
    }
    if let last = clauses.last, CondStyle.isElse(last.test.value, machine), !isBound(last.test.value, scope) {
      return .guarded(run, condition, origin: nil, try clauseChain(clauses[...], "guard", scope, tail: false, otherwise: .constant(.nil)), span)
    }
    let origin = Local(.unbound)                      // a name that no source can spell
    let reraise = Node.global(machine.preludeGlobal(named: "control/-reraise"), span)
    let again = Node.conditional(
      .primitive(.isNil, [.local(origin)], span), .call(.constant(machine.raiseNative), [.local(condition)], span),
      .call(reraise, [.local(condition), .local(origin)], span))
    return .guarded(run, condition, origin: origin, try clauseChain(clauses[...], "guard", scope, tail: false, otherwise: again), span)
  }

  mutating func parameterize(_ parts: [Item], _ span: SourceSpan, _ scope: Scope) throws -> Node {
    try expect(parts, 1...Int.max, span)
    guard parts[1].value.isListOrNil else { throw syntaxError("`parameterize` needs a list of bindings, got \(shown(parts[1].value))", parts[1].span) }
    var pairs: [(Node, Node)] = []
    for item in items(parts[1].value, parts[1].span) {
      guard item.value.isListCell, item.value.length == 2 else { throw syntaxError("a `parameterize` binding is a list of a parameter and a value, got \(shown(item.value))", item.span) }
      let pair = items(item.value, item.span)
      pairs.append((try expression(pair[0], scope, tail: false), try expression(pair[1], scope, tail: false)))
    }
    if pairs.count > 200 { throw syntaxError("`parameterize` takes at most 200 bindings", parts[1].span) }
    return .parameterize(pairs, try body(parts[2...], scope, tail: false), span)
  }

  /// `(handler-bind ((predicate handler) …) body…)`.
  mutating func handlerBind(_ parts: [Item], _ span: SourceSpan, _ scope: Scope) throws -> Node {
    try expect(parts, 1...Int.max, span)
    guard parts[1].value.isListOrNil else { throw syntaxError("`handler-bind` needs a list of clauses, got \(shown(parts[1].value))", parts[1].span) }
    var clauses: [Node] = []
    for item in items(parts[1].value, parts[1].span) {
      guard item.value.isListCell, item.value.length == 2 else { throw syntaxError("a `handler-bind` clause is a list of a predicate and a handler, got \(shown(item.value))", item.span) }
      let pair = items(item.value, item.span)
      clauses.append(try expression(pair[0], scope, tail: false))
      clauses.append(try expression(pair[1], scope, tail: false))
    }
    return .handlerBind(call(.constant(machine.listNative), clauses, span), try body(parts[2...], scope, tail: false), span)
  }
}
