/// Loops: named lets that are jumps, and functions that call themselves in tail position.
extension Compiler {
  mutating func enter(_ loop: Loop, _ starts: [Node], _ body: Node) throws {
    for (variable, start) in zip(loop.variables, starts) {
      let slot = temporary()
      try expression(start, slot)
      variable.slot = slot
    }
    for (i, variable) in loop.variables.enumerated() where Cursor.walks(variable, at: i, in: loop, body) { cursors.insert(ObjectIdentifier(variable)) }
    loop.start = instructions.count
    label = instructions.count
    // A fresh box for every turn: closures of different turns hold different variables.
    for variable in loop.variables where variable.isAssigned { emit(.makeBox, a: variable.slot) }
  }

  mutating func again(_ loop: Loop, _ arguments: [Node]) throws {
    let save = top
    _ = temporary()                                  // so that no variable is the newest register, which may be written early
    var moves: [(to: Int, from: Int)] = []
    // Lists that the loop walks along move on when everything else is evaluated, which may still look at them.
    var steps: [(variable: Local, span: SourceSpan)] = []
    var others: [(variable: Local, value: Node)] = []
    for (variable, argument) in zip(loop.variables, arguments) {
      if case .local(let local) = argument, local === variable, !local.isAssigned { continue }
      if case .primitive(.rest, let list, let span) = argument, case .local(let walked)? = list.first, walked === variable, isOpenCoded(.rest),
        cursors.contains(ObjectIdentifier(variable))
      {
        steps.append((variable, span))
      } else {
        others.append((variable, argument))
      }
    }
    let mayWriteInPlace = !loop.variables.contains { $0.isAssigned }
    if mayWriteInPlace, others.allSatisfy({ writesLast($0.value) && isSimple($0.value) }) { others = ordered(others) }
    for (i, (variable, value)) in others.enumerated() {
      if mayWriteInPlace, writesLast(value), !others[(i + 1)...].contains(where: { !isSimple($0.value) || uses($0.value, variable) }) {
        try expression(value, variable.slot)
      } else {
        let register = temporary()
        try expression(value, register)
        moves.append((variable.slot, register))
      }
    }
    for move in moves { emit(.move, a: move.to, b: move.from) }
    for step in steps {
      openCoded |= 1 << UInt64(OpenCoded.rest.rawValue)
      at(step.span) { $0.emit(.rest, n: 1, a: step.variable.slot, b: step.variable.slot) }
    }
    let jump = emit(.loop)
    try setOffset(jump, loop.start - jump - 1)
    top = save
  }
  /// New values that read nothing but registers, in an order in which as many as possible can be written straight into their variables: a variable
  /// after everything that uses it.
  func ordered(_ values: [(variable: Local, value: Node)]) -> [(variable: Local, value: Node)] {
    var left = values, result: [(variable: Local, value: Node)] = []
    while !left.isEmpty {
      let next = left.indices.first { i in !left.indices.contains { $0 != i && uses(left[$0].value, left[i].variable) } } ?? 0
      result.append(left.remove(at: next))
    }
    return result
  }
  /// Does the code of a node write its destination with its last instruction, when all else is evaluated?
  func writesLast(_ node: Node) -> Bool {
    if case .primitive(let operation, _, _) = node { return !operation.isTest && isOpenCoded(operation) }
    return isSimple(node)
  }
  /// A constant, a local, or one instruction over such.
  func isSimple(_ node: Node) -> Bool {
    switch node {
    case .constant: return true
    case .local(let local): return !local.isAssigned
    case .primitive(let operation, let arguments, _):
      guard !operation.isTest, isOpenCoded(operation) else { return false }
      return arguments.allSatisfy {
        switch $0 {
        case .constant: true
        case .local(let local): !local.isAssigned
        default: false
        }
      }
    default: return false
    }
  }
  func uses(_ node: Node, _ variable: Local) -> Bool {
    switch node {
    case .local(let local): local === variable
    case .primitive(_, let arguments, _): arguments.contains { uses($0, variable) }
    default: false
    }
  }
}
