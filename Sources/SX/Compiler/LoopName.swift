/// Decides whether a named let can be a jump: its name must occur only as the head of calls in tail position, with the
/// right number of arguments, and not inside a function. Looks at the unexpanded source and knows just the plain special forms, so
/// anything else that mentions the name makes it an ordinary recursive function. Shadowing is not followed either: it can only make the answer "no".
struct LoopName {
  let name: Value
  let arity: Int
  let machine: Machine
  /// Native recursion follows the nesting of the body; past this depth the answer is "no".
  private static let deepest = 200

  func isOnlyTailCalled(in body: ArraySlice<Value>, _ depth: Int = 0) -> Bool {
    guard depth < LoopName.deepest else { return false }
    guard let last = body.last else { return true }
    return body.dropLast().allSatisfy { !mentions($0) } && tail(last, depth + 1)
  }

  private func tail(_ form: Value, _ depth: Int) -> Bool {
    guard depth < LoopName.deepest else { return false }
    guard form.isListCell, form.length > 0 else { return !mentions(form) }
    let items = Array(ListElements(form))
    let head = items[0]
    if head == name { return items.count == arity + 1 && items.dropFirst().allSatisfy { !mentions($0) } }
    guard head.isKind(.symbol) else { return !mentions(form) }
    let rest = items.dropFirst()
    switch SpecialForm(head, machine) {
    case .if:
      guard let test = rest.first, !mentions(test) else { return false }
      return rest.dropFirst().allSatisfy { tail($0, depth + 1) }
    case .when, .unless:
      guard let test = rest.first, !mentions(test) else { return false }
      return isOnlyTailCalled(in: rest.dropFirst(), depth + 1)
    case .begin: return isOnlyTailCalled(in: rest, depth + 1)
    case .and, .or: return isOnlyTailCalled(in: rest, depth + 1)
    case .let, .letStar:
      guard let bindings = rest.first, bindings.isListOrNil else { return !mentions(form) }
      return !mentions(bindings) && isOnlyTailCalled(in: rest.dropFirst(), depth + 1)
    case .cond:
      let clauses = Array(rest)
      guard CondStyle.of(clauses, machine) == .scheme else {
        return clauses.enumerated().allSatisfy { index, part in index % 2 == 1 || index == clauses.count - 1 ? tail(part, depth + 1) : !mentions(part) }
      }
      return clauses.allSatisfy { clause in
        let parts = Array(ListElements(clause))
        if parts.count > 1, parts[1] == machine.symbol("=>") { return !mentions(clause) }
        return !mentions(parts[0]) && isOnlyTailCalled(in: parts.dropFirst(), depth + 1)
      }
    case nil:
      // What a macro makes of the name shows in its expansion; then the analyzer may still find that it is no jump.
      let symbol = machine.stripped(head), known = symbol.length
      if known != 0, (machine.pending[known - 1]?.isMacro ?? false) || machine.globals[known - 1].object(as: Macro.self) != nil { return true }
      return !mentions(form)
    case .case, .thread, .threadLast, .threadAs, .letrec, .letrecStar, .letSyntax, .letrecSyntax: return true
    default: return !mentions(form)
    }
  }

  private func mentions(_ form: Value) -> Bool {
    var pending = [form]
    while let v = pending.popLast() {
      if v == name { return true }
      if v.isListCell { pending.append(contentsOf: ListElements(v)) }
      if v.isDict { pending.append(contentsOf: machine.heap.entries(of: v).map(\.value)) }
    }
    return false
  }
}

/// The two ways to write `cond`.
enum CondStyle {
  /// `(cond (test body…) …)`
  case scheme
  /// `(cond test expression test expression …)`
  case flat

  /// Scheme style when every clause is a list of two; and also when every clause is a list that cannot be a call, or the last one is an
  /// `else` clause, so that clauses may have longer bodies.
  static func of(_ clauses: [Value], _ machine: Machine) -> CondStyle {
    guard clauses.allSatisfy({ $0.isListCell && $0.length > 0 }) else { return .flat }
    if clauses.allSatisfy({ $0.length == 2 }) { return .scheme }
    let arrow = machine.symbol("=>")
    func isPlain(_ clause: Value) -> Bool {
      let first = machine.heap.element(clause, 0)
      return !first.isKind(.symbol) || isElse(first, machine) || clause.length == 3 && machine.heap.element(clause, 1) == arrow
    }
    // An `(else …)` at the end is no call, so neither are the clauses before it.
    return clauses.allSatisfy(isPlain) || clauses.last.map { machine.heap.element($0, 0) == machine.symbol("else") } ?? false ? .scheme : .flat
  }

  static func isElse(_ test: Value, _ machine: Machine) -> Bool {
    test == machine.symbol("else") || test == machine.heap.keyword("else") || test == .true
  }
}
