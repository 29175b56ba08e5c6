/// Recognises the variable of a loop that only walks along a list: `(let loop ((l list)) … (first l) … (loop (rest l)))`.
///
/// Nobody gets hold of such a list but the loop, so its `rest` needs no cell of its own.
enum Cursor {
  /// Is the variable at `position` of the loop used for nothing but `first`, `empty?`, `nil?`, and for the next turn as its own `rest`?
  static func walks(_ variable: Local, at position: Int, in loop: Loop, _ body: Node) -> Bool {
    guard !variable.isAssigned, !variable.isCaptured else { return false }
    return isFree(of: variable, position, loop, body)
  }

  /// Does the node mention the variable in the allowed ways only?
  private static func isFree(of variable: Local, _ position: Int, _ loop: Loop, _ node: Node) -> Bool {
    func all(_ nodes: [Node]) -> Bool { nodes.allSatisfy { isFree(of: variable, position, loop, $0) } }
    func isVariable(_ node: Node) -> Bool {
      if case .local(let local) = node { return local === variable }
      return false
    }
    switch node {
    case .local(let local): return local !== variable
    case .constant, .upvalue, .enclosingFunction, .global, .lambda: return true
    case .setLocal(_, let value), .initialize(_, let value), .setUpvalue(_, _, let value), .setGlobal(_, let value, _), .defineGlobal(_, let value, _): return all([value])
    case .primitive(let operation, let operands, _):
      switch operation {
      case .first, .isEmpty, .isNil: return operands.allSatisfy { isVariable($0) || all([$0]) }
      default: return all(operands)
      }
    case .again(let target, let arguments, _):
      return arguments.enumerated().allSatisfy { i, argument in
        guard target === loop, i == position else { return all([argument]) }
        if case .primitive(.rest, let operands, _) = argument, operands.allSatisfy(isVariable) { return true }
        return isVariable(argument) || all([argument])
      }
    case .conditional(let a, let b, let c): return all([a, b, c])
    case .and(let nodes), .or(let nodes), .sequence(let nodes), .dict(_, let nodes, _): return all(nodes)
    case .bind(let bindings, let body): return all(bindings.map(\.1) + [body])
    case .declare(_, let body): return all([body])
    case .recursive(_, _, let body): return all([body])
    case .loop(_, let starts, let body): return all(starts + [body])
    case .call(let function, let arguments, _): return all([function] + arguments)
    case .guarded(let body, _, _, let handler, _): return all([body, handler])
    case .parameterize(let pairs, let body, _): return all(pairs.flatMap { [$0.0, $0.1] } + [body])
    case .handlerBind(let clauses, let body, _): return all([clauses, body])
    }
  }
}
