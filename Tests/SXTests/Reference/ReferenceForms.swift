@testable import SX

/// The special forms that the reference evaluator knows, and those that it knows of.
enum ReferenceForm: String, CaseIterable {
  case quote, quasiquote, `if`, when, unless, cond, `case`, and, or, begin, `do`, `let`, letrec, fn, lambda, define, defmacro
  case `guard`, parameterize
  case letStar = "let*"
  case letrecStar = "letrec*"
  case set = "set!"
  case thread = "->"
  case threadLast = "->>"
  case threadAs = "as->"
  case handlerBind = "handler-bind"
  case defineSyntax = "define-syntax"
  case letSyntax = "let-syntax"
  case letrecSyntax = "letrec-syntax"
  case syntaxRules = "syntax-rules"
}

extension ReferenceEvaluator {
  func evaluate(_ form: ReferenceForm, _ parts: [Value], _ environment: ReferenceEnvironment) throws -> ReferenceStep {
    func need(_ count: Int) throws { if parts.count <= count { throw Unsupported(what: "a malformed `\(form.rawValue)`") } }
    func truth(_ form: Value) throws -> Bool { try !evaluate(form, environment).isFalsy }
    switch form {
    case .quote:
      try need(1)
      return .value(parts[1])
    case .quasiquote:
      try need(1)
      return .value(try quasiquote(parts[1], 1, environment))
    case .if:
      try need(2)
      if try truth(parts[1]) { return .evaluate(parts[2], environment) }
      return parts.count > 3 ? .evaluate(parts[3], environment) : .value(.nil)
    case .when, .unless:
      try need(1)
      return try truth(parts[1]) == (form == .when) ? body(parts[2...], environment) : .value(.nil)
    case .and:
      for part in parts.dropFirst().dropLast() { if case let value = try evaluate(part, environment), value.isFalsy { return .value(value) } }
      return parts.count == 1 ? .value(.true) : .evaluate(parts[parts.count - 1], environment)
    case .or:
      for part in parts.dropFirst().dropLast() { if case let value = try evaluate(part, environment), !value.isFalsy { return .value(value) } }
      return parts.count == 1 ? .value(.nil) : .evaluate(parts[parts.count - 1], environment)
    case .cond: return try cond(Array(parts.dropFirst()), environment)
    case .case:
      try need(1)
      return try caseOf(parts, environment)
    case .begin: return .sequence(parts[1...], environment)
    case .do: return try doForm(parts, environment)
    case .let, .letStar:
      try need(1)
      if parts[1].isKind(.symbol) {
        try need(2)
        return try namedLet(parts, environment)
      }
      var scope = ReferenceEnvironment(inside: environment)
      for (name, value) in try pairs(parts[1]) {
        let bound = try value.map { try named($0, name, scope) } ?? .nil
        // Each variable in a scope of its own: a closure in the value of an earlier one does not see it.
        scope = ReferenceEnvironment(inside: scope)
        scope.bind(name, bound)
      }
      return try body(parts[2...], scope)
    case .letrec, .letrecStar:
      try need(1)
      let scope = ReferenceEnvironment(inside: environment)
      let bound = try pairs(parts[1])
      for (name, _) in bound { scope.bind(name, .nil) }
      for (name, value) in bound { scope.own(name)?.value = try value.map { try named($0, name, scope) } ?? .nil }
      return try body(parts[2...], scope)
    case .fn, .lambda:
      try need(1)
      return .value(try closure("", parts[1], Array(parts[2...]), environment))
    case .define:
      try need(1)
      return .value(try define(parts, environment))
    case .defmacro:
      try need(2)
      let macro = try closure(parts[1].text, parts[2], Array(parts[3...]), environment.isPrelude ? outermost(environment) : program)
      setGlobal(parts[1], heap.allocate(object: ReferenceMacro(macro)), isPrelude: environment.isPrelude)
      return .value(.nil)
    case .set:
      try need(2)
      let value = try evaluate(parts[2], environment)
      try assign(parts[1], value, environment)
      return .value(value)
    case .thread, .threadLast:
      try need(1)
      var value = parts[1]
      for step in parts.dropFirst(2) {
        var call = step.isListCell && step.length > 0 ? Array(ListElements(step)) : [step]
        call.insert(value, at: form == .thread ? 1 : call.count)
        value = heap.list(call)
      }
      return .evaluate(value, environment)
    case .threadAs:
      try need(2)
      var value = try evaluate(parts[1], environment)
      for step in parts.dropFirst(3) {
        let scope = ReferenceEnvironment(inside: environment)
        scope.bind(parts[2], value)
        value = try evaluate(step, scope)
      }
      return .value(value)
    case .guard:
      try need(1)
      return try guardForm(parts, environment)
    case .handlerBind:
      try need(1)
      let clauses = try ListElements(parts[1]).map { (predicate: try evaluate(heap.element($0, 0), environment), handler: try evaluate(heap.element($0, 1), environment)) }
      let outer = handlers
      handlers = ReferenceHandler(clauses: clauses, next: outer)
      let value = try run(body(parts[2...], environment))
      handlers = outer
      return .value(value)
    case .parameterize:
      try need(1)
      let outer = bindings
      let given = try ListElements(parts[1]).map { (parameter: try evaluate(heap.element($0, 0), environment), value: try evaluate(heap.element($0, 1), environment)) }
      var inner = outer
      for (key, value) in given {
        guard let parameter = key.object(as: Parameter.self) else { return .value(try fail(machine.error("parameterize: expected a parameter, got \(machine.shown(key))"))) }
        inner.append((key, parameter.converter.isNil ? value : try call(parameter.converter, [value])))
      }
      bindings = inner
      let value = try run(body(parts[2...], environment))
      bindings = outer
      return .value(value)
    case .defineSyntax, .letSyntax, .letrecSyntax, .syntaxRules: throw Unsupported(what: form.rawValue)
    }
  }

  private func outermost(_ environment: ReferenceEnvironment) -> ReferenceEnvironment { environment.parent.map(outermost) ?? environment }

  // MARK: Bindings

  private func parameterName(_ form: Value) throws -> Value {
    if form.isKind(.symbol) { return form }
    guard form.isListCell, form.length == 3, heap.element(form, 0).isKind(.symbol) else { throw Unsupported(what: "a malformed binding") }
    return heap.element(form, 0)
  }

  private func pairs(_ bindings: Value) throws -> [(name: Value, value: Value?)] {
    guard bindings.isListOrNil else { throw Unsupported(what: "malformed bindings") }
    let parts = Array(ListElements(bindings))
    if let first = parts.first, first.isKind(.symbol) {
      guard parts.count % 2 == 0 else { throw Unsupported(what: "malformed bindings") }
      return stride(from: 0, to: parts.count, by: 2).map { (parts[$0], parts[$0 + 1]) }
    }
    return try parts.map { part in
      guard part.isListCell, (1...2).contains(part.length) else { throw Unsupported(what: "malformed bindings") }
      return (try parameterName(heap.element(part, 0)), part.length == 2 ? heap.element(part, 1) : nil)
    }
  }

  /// The value of a binding. A function that is written there takes the name as its own.
  private func named(_ form: Value, _ name: Value, _ environment: ReferenceEnvironment) throws -> Value {
    let form = try expanded(form, environment)
    let value = try evaluate(form, environment)
    if form.isListCell, form.length > 0, case let special = specialForm(heap.element(form, 0), environment), special == .fn || special == .lambda,
      let closure = value.object(as: ReferenceClosure.self), closure.name.isEmpty { closure.name = name.text }
    return value
  }

  private func closure(_ name: String, _ parameters: Value, _ forms: [Value], _ environment: ReferenceEnvironment) throws -> Value {
    var required: [Value] = [], rest: Value?
    if parameters.isKind(.symbol) {
      rest = parameters
    } else {
      let list = Array(ListElements(parameters))
      let mark = list.firstIndex { $0 == heap.symbol("&rest") || $0 == heap.symbol("&") || $0 == heap.symbol(".") } ?? list.count
      required = try list[..<mark].map(parameterName)
      if mark < list.count {
        guard mark + 2 == list.count else { throw Unsupported(what: "a malformed parameter list") }
        rest = try parameterName(list[mark + 1])
      }
    }
    return heap.allocate(object: ReferenceClosure(name: name, parameters: required, rest: rest, body: forms, environment: environment))
  }

  private func define(_ parts: [Value], _ environment: ReferenceEnvironment) throws -> Value {
    var forms = parts[2...]
    if forms.count > 2, forms.first == heap.keyword("effects") { forms = forms.dropFirst(2) }
    var name = parts[1]
    let value: Value
    if name.isListCell, name.length > 0 {
      let parameters = heap.rest(name)
      name = heap.element(name, 0)
      guard name.isKind(.symbol) else { throw Unsupported(what: "a curried define") }
      value = try closure(name.text, parameters, Array(forms), environment)
    } else {
      guard name.isKind(.symbol), forms.count <= 1 else { throw Unsupported(what: "a malformed define") }
      value = try forms.first.map { try named($0, name, environment) } ?? .nil
    }
    define(name, value, environment)
    return value
  }

  private func namedLet(_ parts: [Value], _ environment: ReferenceEnvironment) throws -> ReferenceStep {
    let bound = try pairs(parts[2])
    let starts = try bound.map { try $0.value.map { try evaluate($0, environment) } ?? .nil }
    let scope = ReferenceEnvironment(inside: environment)
    let loop = try closure(parts[1].text, heap.list(bound.map(\.name)), Array(parts[3...]), scope)
    scope.bind(parts[1], loop)
    return .call(loop, starts)
  }

  /// Every turn has variables of its own.
  private func doForm(_ parts: [Value], _ environment: ReferenceEnvironment) throws -> ReferenceStep {
    guard parts.count >= 3, parts[1].isListCell, parts[2].isListCell, parts[2].length > 0,
      ListElements(parts[1]).allSatisfy({ $0.isListCell && (2...3).contains($0.length) && heap.element($0, 0).isKind(.symbol) })
    else { return try body(parts[1...], environment) }
    let variables = ListElements(parts[1]).map { Array(ListElements($0)) }
    let exit = Array(ListElements(parts[2]))
    var values = try variables.map { try evaluate($0[1], environment) }
    while true {
      let scope = ReferenceEnvironment(inside: environment)
      for (variable, value) in zip(variables, values) { scope.bind(variable[0], value) }
      if try !evaluate(exit[0], scope).isFalsy { return try body(exit[1...], scope) }
      for form in parts.dropFirst(3) { _ = try evaluate(form, scope) }
      values = try variables.map { try evaluate($0.count > 2 ? $0[2] : $0[0], scope) }
    }
  }

  // MARK: Choices

  private func isElse(_ test: Value, _ environment: ReferenceEnvironment) -> Bool {
    test == .true || test == heap.keyword("else") || test == heap.symbol("else") && environment.find(test) == nil
  }

  private func cond(_ clauses: [Value], _ environment: ReferenceEnvironment) throws -> ReferenceStep {
    func head(_ clause: Value) -> Value { heap.element(clause, 0) }
    let areLists = clauses.allSatisfy { $0.isListCell && $0.length > 0 }
    // A list of two may be a clause or a test that is a call; what cannot be a call decides.
    let isScheme =
      areLists
      && (clauses.allSatisfy { $0.length == 2 }
        || clauses.allSatisfy { !head($0).isKind(.symbol) || head($0) == heap.symbol("else") || $0.length == 3 && heap.element($0, 1) == heap.symbol("=>") }
        || clauses.last.map { head($0) == heap.symbol("else") } ?? false)
    if isScheme { return try chosen(clauses.map { Array(ListElements($0)) }, environment) ?? .value(.nil) }
    guard clauses.count % 2 == 0 else { throw Unsupported(what: "a malformed cond") }
    return try chosen(stride(from: 0, to: clauses.count, by: 2).map { Array(clauses[$0...($0 + 1)]) }, environment) ?? .value(.nil)
  }

  /// What the first clause says whose test holds; nil when there is none.
  private func chosen(_ clauses: [[Value]], _ environment: ReferenceEnvironment) throws -> ReferenceStep? {
    for clause in clauses {
      if isElse(clause[0], environment) { return try body(clause[1...], environment) }
      let value = try evaluate(clause[0], environment)
      if value.isFalsy { continue }
      if clause.count == 1 { return .value(value) }
      if clause.count == 3, clause[1] == heap.symbol("=>"), environment.find(clause[1]) == nil { return .call(try evaluate(clause[2], environment), [value]) }
      return try body(clause[1...], environment)
    }
    return nil
  }

  private func caseOf(_ parts: [Value], _ environment: ReferenceEnvironment) throws -> ReferenceStep {
    let value = try evaluate(parts[1], environment)
    let clauses = Array(parts.dropFirst(2))
    func isElse(_ v: Value) -> Bool { v == heap.symbol("else") || v == heap.keyword("else") }
    func equals(_ datum: Value) throws -> Bool { try !callNative("=", value, datum).isFalsy }
    if !clauses.isEmpty, clauses.allSatisfy({ $0.isListCell && $0.length >= 2 && (heap.element($0, 0).isListCell || isElse(heap.element($0, 0))) }) {
      for clause in clauses {
        let items = Array(ListElements(clause))
        guard try isElse(items[0]) || ListElements(items[0]).contains(where: { try equals($0.isKind(.keyword) ? machine.keyString($0) : $0) }) else { continue }
        if items.count == 3, items[1] == heap.symbol("=>") { return .call(try evaluate(items[2], environment), [value]) }
        return try body(items[1...], environment)
      }
      return .value(.nil)
    }
    guard clauses.count % 2 == 0 else { throw Unsupported(what: "a malformed case") }
    for i in stride(from: 0, to: clauses.count, by: 2) where try isElse(clauses[i]) || equals(evaluate(clauses[i], environment)) {
      return .evaluate(clauses[i + 1], environment)
    }
    return .value(.nil)
  }

  // MARK: Conditions

  private func guardForm(_ parts: [Value], _ environment: ReferenceEnvironment) throws -> ReferenceStep {
    guard parts[1].isListCell, parts[1].length > 0 else { throw Unsupported(what: "a malformed guard") }
    let clauses = Array(ListElements(parts[1]))
    let outer = (handlers, bindings)
    let record = ReferenceHandler(clauses: nil, next: handlers)
    handlers = record
    do {
      let value = try run(body(parts[2...], environment))
      handlers = outer.0
      return .value(value)
    } catch let transfer as ReferenceTransfer where transfer.target == ObjectIdentifier(record) {
      (handlers, bindings) = outer
      let scope = ReferenceEnvironment(inside: environment)
      scope.bind(clauses[0], transfer.condition)
      if let step = try chosen(clauses.dropFirst().map { Array(ListElements($0)) }, scope) { return step }
      if transfer.isContinuable { throw Unsupported(what: "a guard that lets a raise-continuable pass") }
      return .value(try signal(transfer.condition, isContinuable: false))
    }
  }

  // MARK: Quasiquote

  private func mark(_ form: Value, _ names: StaticString...) -> Bool {
    form.isListCell && form.length > 0 && names.contains { heap.element(form, 0) == machine.symbol($0) }
  }

  private func quasiquote(_ form: Value, _ level: Int, _ environment: ReferenceEnvironment) throws -> Value {
    if let vector = form.object(as: Vector.self) {
      return try callNative("list->vector", quasiquote(heap.list(vector.values), level, environment))
    }
    if form.isDict {
      let dict = heap.dict()
      for entry in heap.entries(of: form) { heap.set(dict, entry.key, try quasiquote(entry.value, level, environment)) }
      return dict
    }
    guard form.isListCell, form.length > 0 else { return form }
    let parts = Array(ListElements(form))
    if mark(form, "unquote") {
      guard level == 1 else { return try elements(parts, level - 1, environment) }
      guard parts.count == 2 else { return try fail(machine.error("`,` stands before one form, got \(parts.count - 1)")) }
      return try evaluate(parts[1], environment)
    }
    if mark(form, "quasiquote"), parts.count == 2 { return heap.list([parts[0], try quasiquote(parts[1], level + 1, environment)]) }
    if mark(form, "splice-unquote", "unquote-splicing") {
      guard level > 1 else { throw Unsupported(what: "a misplaced ,@") }
      return try elements(parts, level - 1, environment)
    }
    return try elements(parts, level, environment)
  }

  /// A list of templates; an unquote or a splice in it may have several forms.
  private func elements(_ parts: [Value], _ level: Int, _ environment: ReferenceEnvironment) throws -> Value {
    var out: [Value] = []
    for part in parts {
      if level == 1, mark(part, "splice-unquote", "unquote-splicing") {
        for form in ListElements(part).dropFirst() { out += ListElements(try callNative("quasiquote/-spliced", evaluate(form, environment))) }
      } else if level == 1, mark(part, "unquote") {
        for form in ListElements(part).dropFirst() { out.append(try evaluate(form, environment)) }
      } else {
        out.append(try quasiquote(part, level, environment))
      }
    }
    return heap.list(out)
  }
}
