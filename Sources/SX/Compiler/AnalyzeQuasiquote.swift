/// Quasiquotation: a template becomes the calls that build it.
extension Analyzer {
  func isForm(_ v: Value, _ names: StaticString...) -> Bool {
    guard v.isListCell, v.length > 0 else { return false }
    let head = machine.heap.element(v, 0)
    return names.contains { head == machine.symbol($0) }
  }

  mutating func quasiquote(_ item: Item, _ level: Int, _ scope: Scope) throws -> Node {
    let v = item.value
    if let vector = v.object(as: Vector.self) {
      guard try mentionsUnquote(v) else { return .constant(v) }
      let list = machine.heap.list(vector.values)
      machine.compileRoots.append(list)
      let elements = try quasiquote(Item(value: list, span: item.span), level, scope)
      let listToVector = machine.original(machine.globalIndex(machine.symbol("list->vector"))) ?? .nil
      return call(.constant(listToVector), [elements], item.span)
    }
    if v.isDict {
      let entries = machine.heap.entries(of: v)
      if try !mentionsUnquote(v) { return .constant(try datum(v)) }
      return .dict(entries.map(\.key), try entries.map { try quasiquote(Item(value: $0.value, span: item.span), level, scope) }, item.span)
    }
    guard v.isListCell, v.length > 0, try mentionsUnquote(v) else { return .constant(try datum(v)) }
    try machine.nativeStack.check(item.span)
    let parts = items(v, item.span)
    if isForm(v, "unquote") {
      guard level == 1 else { return try elements(parts, level - 1, scope, item.span) }
      guard parts.count == 2 else { throw syntaxError("`,` stands before one form, got \(parts.count - 1)", item.span, hint: "in a list, (unquote a b) is several elements") }
      return try expression(parts[1], scope, tail: false)
    }
    if isForm(v, "quasiquote"), parts.count == 2 {
      return listOf([.constant(parts[0].value), try quasiquote(parts[1], level + 1, scope)], item.span)
    }
    if isForm(v, "splice-unquote", "unquote-splicing") {
      guard level > 1 else { throw syntaxError("`,@` needs a list around it", item.span) }
      return try elements(parts, level - 1, scope, item.span)
    }
    return try elements(parts, level, scope, item.span)
  }

  /// A list of templates. What `,@,@x` and `,,@x` leave behind is an unquote of several forms, or of none; in a list it stands for as many elements.
  private mutating func elements(_ parts: [Item], _ level: Int, _ scope: Scope, _ span: SourceSpan) throws -> Node {
    var runs: [Node] = [], run: [Node] = []
    for part in parts {
      if level == 1, isForm(part.value, "splice-unquote", "unquote-splicing") {
        if !run.isEmpty { runs.append(listOf(run, span)) }
        run = []
        for spliced in items(part.value, part.span).dropFirst() {
          // So that an error names this form, and not the template.
          runs.append(call(.constant(machine.original(machine.globalIndex(machine.symbol("quasiquote/-spliced"))) ?? .nil), [try expression(spliced, scope, tail: false)], part.span))
        }
      } else if level == 1, isForm(part.value, "unquote") {
        for form in items(part.value, part.span).dropFirst() { run.append(try expression(form, scope, tail: false)) }
      } else {
        run.append(try quasiquote(part, level, scope))
      }
    }
    if runs.isEmpty { return listOf(run, span) }
    if !run.isEmpty { runs.append(listOf(run, span)) }
    return call(.constant(machine.concatNative), runs, span)
  }

  func listOf(_ nodes: [Node], _ span: SourceSpan) -> Node { call(.constant(machine.listNative), nodes, span) }

  /// Does an unquote stand anywhere in a datum? Every part is looked at once, however often it is asked about on the way into a template.
  mutating func mentionsUnquote(_ form: Value) throws -> Bool {
    let marks = [machine.symbol("unquote"), machine.symbol("splice-unquote"), machine.symbol("unquote-splicing")]
    guard form.isCell else { return false }
    if let known = unquoting[form.bits] { return known }
    if marks.contains(form) { return true }
    var open: [(whole: Value, parts: [Value], found: Bool)] = []
    func begin(_ v: Value) {
      unquoting[v.bits] = false
      open.append((v, machine.parts(of: v), false))
    }
    begin(form)
    while let top = open.indices.last {
      try machine.charge(1)
      guard let part = open[top].parts.popLast() else {
        let done = open.removeLast()
        if done.found {
          unquoting[done.whole.bits] = true
          if top > 0 { open[top - 1].found = true }
        }
        continue
      }
      if marks.contains(part) || unquoting[part.bits] ?? false {
        open[top].found = true
      } else if part.isListCell || part.isDict || part.isKind(.object), unquoting[part.bits] == nil {
        begin(part)
      }
    }
    return unquoting[form.bits] ?? false
  }
}

extension Machine {
  /// What a list, the values of a dict, or a vector consists of; nothing for other data.
  fileprivate func parts(of v: Value) -> [Value] {
    if v.isListCell { return Array(ListElements(v)) }
    if v.isDict { return heap.entries(of: v).map(\.value) }
    return v.object(as: Vector.self)?.values ?? []
  }
}
