/// Recognises the variable of a loop that only walks along a list: `(let loop ((l list)) … (first l) … (loop (rest l)))`.
///
/// Nobody gets hold of such a list but the loop, so its `rest` needs no cell of its own.
enum Cursor {
  /// Is the variable at `position` of the loop used for nothing but `first`, `empty?`, `nil?`, and for the next turn as its own `rest`?
  static func walks(_ variable: Local, at position: Int, in loop: Loop, _ body: Node) -> Bool {
    guard !variable.isAssigned, !variable.isCaptured else { return false }
    return body.mentions(variable, onlyIn: { node in
      switch node {
      case .primitive(.first, let operands, _), .primitive(.isEmpty, let operands, _), .primitive(.isNil, let operands, _):
        return operands.filter { !$0.isLocal(variable) }
      case .again(let target, var arguments, _) where target === loop:
        if case .primitive(.rest, let operands, _) = arguments[position], operands.allSatisfy({ $0.isLocal(variable) }) {
          arguments.remove(at: position)
        } else if arguments[position].isLocal(variable) {
          arguments.remove(at: position)
        }
        return arguments
      default: return nil
      }
    })
  }
}
