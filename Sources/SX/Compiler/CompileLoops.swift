/// Loops: named lets that are jumps, and functions that call themselves in tail position.
extension Compiler {
  mutating func enter(_ loop: Loop, _ starts: [Node], _ body: Node) throws {
    for (variable, start) in zip(loop.variables, starts) {
      let slot = temporary()
      try expression(start, slot)
      variable.slot = slot
    }
    for (i, variable) in loop.variables.enumerated() {
      if Cursor.walks(variable, at: i, in: loop, body) { cursors.insert(ObjectIdentifier(variable)) }
      if isOpenCoded(.cons), isOpenCoded(.reverse), Accumulator.collects(variable, at: i, in: loop, starts[i], body) { accumulators.insert(ObjectIdentifier(variable)) }
    }
    if case .conditional(.primitive(.isEmpty, let tested, _), _, _) = body, case .local(let variable)? = tested.first, isOpenCoded(.isEmpty), isOpenCoded(.rest),
      cursors.contains(ObjectIdentifier(variable)), loop.variables.contains(where: { $0 === variable }), !loop.variables.contains(where: \.isAssigned)
    {
      loop.walker = variable
    }
    loop.start = instructions.count
    label = instructions.count
    // A fresh box for every turn: closures of different turns hold different variables.
    for variable in loop.variables where variable.isAssigned { emit(.makeBox, a: variable.slot) }
  }

  mutating func again(_ loop: Loop, _ arguments: [Node]) throws {
    let save = top
    let steps = try assign(loop, arguments)
    // Where the walk goes on when the list is not at its end; not known yet in the branch that is for its end.
    let isWalk = loop.walker.map { walker in steps.contains { $0.variable === walker } && instructions[loop.start].c != 0 } ?? false
    for step in steps where !isWalk || step.variable !== loop.walker {
      openCoded |= 1 << UInt64(OpenCoded.rest.rawValue)
      at(step.span) { $0.emit(.rest, n: 1, a: step.variable.slot, b: step.variable.slot) }
    }
    if isWalk, let step = steps.first(where: { $0.variable === loop.walker }) {
      openCoded |= 1 << UInt64(OpenCoded.rest.rawValue) | 1 << UInt64(OpenCoded.isEmpty.rawValue)
      let next = at(step.span) { $0.emit(.nextItem, a: step.variable.slot) }
      try setOffset(next, loop.start + Int(Int16(bitPattern: instructions[loop.start].c)) - next)
      let end = emit(.jump)
      try setOffset(end, loop.start - end)
    } else if loop === selfLoop {
      emit(.restart)
    } else {
      let jump = emit(.loop)
      try setOffset(jump, loop.start - jump - 1)
    }
    top = save
  }

  /// Gives the variables of a loop their values for the next turn, but for lists that the loop walks along: those are answered, and move on
  /// when everything else is evaluated, which may still look at them.
  private mutating func assign(_ loop: Loop, _ arguments: [Node]) throws -> [(variable: Local, span: SourceSpan)] {
    _ = temporary()                                  // so that no variable is the newest register, which may be written early
    var steps: [(variable: Local, span: SourceSpan)] = []
    var others: [(variable: Local, value: Node)] = []
    for (variable, argument) in zip(loop.variables, arguments) {
      if argument.isLocal(variable), !variable.isAssigned { continue }
      if case .primitive(.rest, let list, let span) = argument, list[0].isLocal(variable), isOpenCoded(.rest), cursors.contains(ObjectIdentifier(variable)) {
        steps.append((variable, span))
      } else {
        others.append((variable, argument))
      }
    }
    let mayWriteInPlace = !loop.variables.contains { $0.isAssigned }
    var moves: [(to: Int, from: Int)] = [], collected: [(list: Int, item: Int)] = []
    // When nothing but the values counts, each goes straight into its variable, as soon as no other one asks for that.
    if mayWriteInPlace, others.count < 16, others.allSatisfy({ isPure($0.value) }) {
      while let i = others.firstIndex(where: { candidate in !others.contains { $0.variable !== candidate.variable && uses($0.value, candidate.variable) } }) {
        let (variable, value) = others.remove(at: i)
        try inPlace(variable, value)
        if others.isEmpty { break }
      }
    }
    for (i, (variable, value)) in others.enumerated() {
      if mayWriteInPlace, writesLast(value), !others[(i + 1)...].contains(where: { !isPure($0.value) || uses($0.value, variable) }) {
        try inPlace(variable, value)
      } else if case .primitive(.cons, let parts, _) = value, isAccumulator(.local(variable)) {
        openCoded |= 1 << UInt64(OpenCoded.cons.rawValue)
        let item = temporary()
        try expression(parts[0], item)
        collected.append((variable.slot, item))
      } else {
        let register = temporary()
        try expression(value, register)
        moves.append((variable.slot, register))
      }
    }
    for move in moves { emit(.move, a: move.to, b: move.from) }
    for (list, item) in collected { emit(.collect, a: list, b: item) }
    return steps
  }

  private mutating func inPlace(_ variable: Local, _ value: Node) throws {
    let save = top
    if case .primitive(.cons, let parts, _) = value, isAccumulator(.local(variable)) {
      openCoded |= 1 << UInt64(OpenCoded.cons.rawValue)
      emit(.collect, a: variable.slot, b: try operand(parts[0]))
    } else {
      try expression(value, variable.slot)
    }
    top = save
  }

  /// A call in tail position of what is most likely the running function: a jump to its beginning, after a look whether the global still is
  /// the running closure. As in every call, the look comes after the arguments.
  mutating func callSelf(_ index: Int, _ arguments: [Node], _ span: SourceSpan) throws {
    let save = top, own = linked(index)
    if arguments.allSatisfy(isPure) {
      _ = try assign(selfLoop, arguments)
      top = save
      let window = temporary()
      at(span) { $0.emit(.restartIfSelf, a: own & 0xFFFF, b: own >> 16) }
      for parameter in lambda.parameters { emit(.move, a: temporary(), b: parameter.slot) }
      at(span) { $0.emit(.tailCallGlobal, n: arguments.count, a: window, global: index) }
    } else {
      let window = temporary()
      for argument in arguments { try expression(argument, temporary()) }
      let other = emit(.jumpUnlessSelf, a: own & 0xFFFF, b: own >> 16)
      for (i, parameter) in lambda.parameters.enumerated() { emit(.move, a: parameter.slot, b: window + 1 + i) }
      at(span) { $0.emit(.restart) }
      try patch(other)
      at(span) { $0.emit(.tailCallGlobal, n: arguments.count, a: window, global: index) }
    }
    top = save
  }

  func isAccumulator(_ node: Node) -> Bool {
    if case .local(let local) = node { return accumulators.contains(ObjectIdentifier(local)) }
    return false
  }
  /// Does the code of a node write its destination with its last instruction, when all else is evaluated?
  func writesLast(_ node: Node) -> Bool {
    if case .primitive(let operation, _, _) = node { return !operation.isTest && !operation.switchesFiber && isOpenCoded(operation) }
    return isPure(node)
  }
  /// Does nothing count but its value, so that it may be evaluated sooner or later than others of its kind?
  func isPure(_ node: Node) -> Bool {
    switch node {
    case .constant: true
    case .local(let local): !local.isBoxed
    case .upvalue(_, let local): !local.isAssigned
    case .primitive(let operation, let operands, _): !operation.isTest && !operation.switchesFiber && operation != .vectorSet && isOpenCoded(operation) && operands.allSatisfy(isPure)
    default: false
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
