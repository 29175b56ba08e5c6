/// Recognises the variable of a loop that collects a list from its end: `(let loop (… (out '())) … (loop … (cons x out)) … (reverse out))`.
///
/// Nobody sees such a list before `reverse` has turned it round, so it grows at its other end, in an array, and `reverse` has nothing to do.
enum Accumulator {
  /// Does the variable at `position` start as the empty list, and is it used for nothing but `reverse`, and for the next turn as what something
  /// is consed on?
  static func collects(_ variable: Local, at position: Int, in loop: Loop, _ start: Node, _ body: Node) -> Bool {
    guard !variable.isAssigned, !variable.isCaptured, case .constant(let empty) = start, empty.isListOrNil, empty.listCount == 0 else { return false }
    return body.mentions(variable, onlyIn: { node in
      switch node {
      case .primitive(.reverse, let operands, _): return operands.filter { !$0.isLocal(variable) }
      case .again(let target, var arguments, _) where target === loop:
        if case .primitive(.cons, let operands, _) = arguments[position], operands[1].isLocal(variable) {
          arguments[position] = operands[0]
        } else if arguments[position].isLocal(variable) {
          arguments.remove(at: position)
        }
        return arguments
      default: return nil
      }
    })
  }
}
