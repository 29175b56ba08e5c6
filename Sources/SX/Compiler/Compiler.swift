/// Translates one function from nodes to instructions.
///
/// Registers: the parameters, then locals and temporaries in stack discipline. Arguments are evaluated straight into the
/// callee's window, so that a call copies nothing.
struct Compiler {
  private let machine: Machine
  private let lambda: Lambda
  private var instructions: [Instruction] = []
  private var spans: [SourceSpan] = []
  private var constants: [Value] = []
  private var constantIndex: [UInt64: Int] = [:]
  /// Instructions whose distance to a constant is not known before the end.
  private var constantUses: [(at: Int, constant: Int)] = []
  /// The same where the distance has to fit into 16 bits.
  private var nearConstantUses: [(at: Int, constant: Int)] = []
  /// The function as a loop over its parameters.
  private let selfLoop: Loop
  private var top = 0
  private var highest = 0
  private var span: SourceSpan
  private var openCoded: UInt64 = 0
  /// No instruction before this one may be merged with a later one: a jump lands here.
  private var label = 0
  /// Variables of loops that only walk along a list.
  private var cursors: Set<ObjectIdentifier> = []

  private init(_ machine: Machine, _ lambda: Lambda) {
    self.machine = machine
    self.lambda = lambda
    selfLoop = Loop(lambda.parameters)
    span = lambda.span
  }

  /// The code cell of a function, compiling it when needed. Needs no rooting: nothing here reaches a safepoint.
  static func compile(_ machine: Machine, _ lambda: Lambda) throws -> Value {
    if !lambda.code.isNil { return lambda.code }
    let code = Code(lambda)
    lambda.code = machine.heap.code(code)
    try recompile(machine, code)
    return lambda.code
  }

  /// Compiles the function again, for the primitives that are open-coded now.
  static func recompile(_ machine: Machine, _ code: Code) throws {
    var compiler = Compiler(machine, code.lambda)
    try compiler.function()
    let n = compiler.instructions.count
    for use in compiler.constantUses {
      let distance = n - use.at + use.constant
      compiler.instructions[use.at].b = UInt16(truncatingIfNeeded: distance)
      compiler.instructions[use.at].c = UInt16(truncatingIfNeeded: distance >> 16)
    }
    for use in compiler.nearConstantUses {
      guard let distance = UInt16(exactly: n - use.at + use.constant) else { throw tooLong(code.lambda) }
      compiler.instructions[use.at].c = distance
    }
    guard compiler.highest < 60_000 else { throw SyntaxError(message: "the function needs too many registers", span: code.lambda.span, hint: "split it into smaller functions") }
    code.install(compiler.instructions, compiler.spans, compiler.constants, frameSize: max(2, compiler.highest + 1), openCoded: compiler.openCoded, cell: code.lambda.code)
  }

  private static func tooLong(_ lambda: Lambda) -> SyntaxError {
    SyntaxError(message: "the function is too long", span: lambda.span, hint: "split it into smaller functions")
  }

  private mutating func function() throws {
    for parameter in lambda.parameters { parameter.slot = temporary() }
    for parameter in lambda.parameters where parameter.isAssigned { emit(.makeBox, a: parameter.slot) }
    for stray in lambda.strayDefinitions {
      stray.slot = temporary()
      emit(.loadImmediate, a: stray.slot, b: Int(Value.nil.bits))
      emit(.makeBox, a: stray.slot)
    }
    if lambda.isTopLevel {
      // No tail call: its frame is what an error points to.
      let result = temporary()
      try expression(lambda.body, result)
      emit(.return, a: result)
    } else {
      try tail(lambda.body)
    }
  }

  /// Does the operation have an instruction here and now?
  private func isOpenCoded(_ operation: OpenCoded) -> Bool { lambda.isPrelude || machine.isOriginal(operation) }

  // MARK: Emission

  private mutating func temporary() -> Int {
    top += 1
    highest = max(highest, top)
    return top - 1
  }

  @discardableResult
  private mutating func emit(_ op: Op, n: Int = 0, a: Int = 0, b: Int = 0, c: Int = 0) -> Int {
    if op == .move, instructions.count > label, let last = instructions.last, last.op == .move, Int(last.a) + 1 == a, UInt16(truncatingIfNeeded: b) != last.a {
      instructions[instructions.count - 1] = Instruction(op: .move2, n: 0, a: last.a, b: last.b, c: UInt16(truncatingIfNeeded: b))
      return instructions.count - 1
    }
    instructions.append(Instruction(op: op, n: UInt8(n), a: UInt16(truncatingIfNeeded: a), b: UInt16(truncatingIfNeeded: b), c: UInt16(truncatingIfNeeded: c)))
    spans.append(span)
    return instructions.count - 1
  }
  @discardableResult
  private mutating func emit(_ op: Op, n: Int = 0, a: Int = 0, constant: Value) -> Int {
    let at = emit(op, n: n, a: a)
    constantUses.append((at, index(of: constant)))
    return at
  }
  private mutating func emit(_ op: Op, n: Int, a: Int, b: Int, nearConstant: Value) {
    nearConstantUses.append((emit(op, n: n, a: a, b: b), index(of: nearConstant)))
  }
  private mutating func index(of constant: Value) -> Int {
    if let known = constantIndex[constant.bits] { return known }
    constants.append(constant)
    constantIndex[constant.bits] = constants.count - 1
    return constants.count - 1
  }
  @discardableResult
  private mutating func emit(_ op: Op, n: Int = 0, a: Int = 0, global: Int) -> Int {
    emit(op, n: n, a: a, b: global & 0xFFFF, c: global >> 16)
  }

  private mutating func patch(_ at: Int) throws {
    label = instructions.count
    try setOffset(at, instructions.count - at - 1)
  }
  private mutating func setOffset(_ at: Int, _ offset: Int) throws {
    guard let short = Int16(exactly: offset) else { throw Compiler.tooLong(lambda) }
    instructions[at].c = UInt16(bitPattern: short)
  }
  private mutating func patch(_ all: [Int]) throws { for at in all { try patch(at) } }

  /// Runs `body` with positions taken from `span`.
  private mutating func at(_ span: SourceSpan, _ body: (inout Compiler) throws -> Void) rethrows {
    let outer = self.span
    if !span.isNone { self.span = span }
    try body(&self)
    self.span = outer
  }

  // MARK: Values into registers

  private func smallInteger(_ node: Node) -> Int? {
    if case .constant(let v) = node, v.isFix, let short = Int16(exactly: v.fixValue) { return Int(short) }
    return nil
  }

  /// The register that holds the node's value; a local that is never assigned is used in place.
  private mutating func operand(_ node: Node) throws -> Int {
    if case .local(let local) = node, !local.isAssigned { return local.slot }
    let register = temporary()
    try expression(node, register)
    return register
  }

  private mutating func load(_ v: Value, _ destination: Int) {
    if v.isFix, Int16(exactly: v.fixValue) != nil {
      emit(.loadInteger, a: destination, b: v.fixValue)
    } else if v == .nil || v == .true || v == .false {
      emit(.loadImmediate, a: destination, b: Int(v.bits))
    } else {
      emit(.loadConstant, a: destination, constant: v)
    }
  }

  private mutating func expression(_ node: Node, _ destination: Int) throws {
    try machine.nativeStack.check(span)
    let save = top
    defer { top = save }
    switch node {
    case .constant(let v): load(v, destination)
    case .local(let local):
      if local.isAssigned { emit(.getBox, a: destination, b: local.slot) } else if local.slot != destination { emit(.move, a: destination, b: local.slot) }
    case .upvalue(let i, let local): emit(local.isAssigned ? .getUpvalueBoxed : .getUpvalue, a: destination, b: i)
    case .enclosingFunction: emit(.move, a: destination, b: -1)
    case .global(let index, let span): at(span) { $0.emit(.getGlobal, a: destination, global: index) }
    case .setLocal(let local, let value):
      try expression(value, destination)
      emit(.setBox, a: local.slot, b: destination)
    case .initialize(let local, let value):
      if local.isAssigned {
        try expression(value, destination)
        emit(.setBox, a: local.slot, b: destination)
      } else if case .lambda = value {
        try expression(value, local.slot)
        if destination != local.slot { emit(.move, a: destination, b: local.slot) }
      } else {
        // Not straight into the local: the value may mention what a former definition of the name gave it.
        try expression(value, destination)
        if destination != local.slot { emit(.move, a: local.slot, b: destination) }
      }
    case .setUpvalue(let i, _, let value):
      try expression(value, destination)
      emit(.setUpvalueBoxed, a: destination, b: i)
    case .setGlobal(let index, let value, let span):
      try expression(value, destination)
      at(span) { $0.emit(.setGlobal, a: destination, global: index) }
    case .defineGlobal(let index, let value, let span):
      try expression(value, destination)
      at(span) { $0.emit(.defineGlobal, a: destination, global: index) }
    case .conditional(let test, let yes, let no):
      let skip = try branch(test, jumpIf: false)
      try expression(yes, destination)
      let end = emit(.jump)
      try patch(skip)
      try expression(no, destination)
      try patch(end)
    case .and(let nodes), .or(let nodes):
      let op: Op = if case .and = node { .jumpIfFalse } else { .jumpIfTrue }
      var ends: [Int] = []
      for (i, part) in nodes.enumerated() {
        try expression(part, destination)
        if i < nodes.count - 1 { ends.append(emit(op, a: destination)) }
      }
      try patch(ends)
    case .sequence(let nodes):
      for part in nodes.dropLast() { try effect(part) }
      if let last = nodes.last { try expression(last, destination) }
    case .bind(let bindings, let body):
      try bind(bindings)
      try expression(body, destination)
    case .declare(let locals, let body):
      declare(locals)
      try expression(body, destination)
    case .recursive(let own, let function, let body):
      own.slot = temporary()
      try closure(function, own.slot)
      try expression(body, destination)
    case .loop(let loop, let starts, let body):
      try enter(loop, starts, body)
      try expression(body, destination)
    case .again(let loop, let arguments, let span): try at(span) { try $0.again(loop, arguments) }
    case .lambda(let function): try closure(function, destination)
    case .call(let function, let arguments, let span):
      let window = destination == top - 1 ? destination : temporary()
      try callSequence(function, arguments, window, span, tail: false)
      if window != destination { emit(.move, a: destination, b: window) }
    case .primitive(let operation, let arguments, let span): try at(span) { try $0.primitive(operation, arguments, destination) }
    case .dict(let keys, let values, let span): try at(span) { try $0.dict(keys, values, destination) }
    case .guarded(let body, let condition, let handler, let span):
      condition.slot = temporary()
      let push = emit(.pushGuard, a: condition.slot)
      try expression(body, destination)
      emit(.popHandler)
      let end = emit(.jump)
      try patch(push)
      if condition.isAssigned { emit(.makeBox, a: condition.slot) }
      try at(span) { try $0.expression(handler, destination) }
      try patch(end)
    case .parameterize(let pairs, let body, let span):
      let saved = try pushBindings(pairs, span)
      try expression(body, destination)
      emit(.popBindings, a: saved)
    case .handlerBind(let clauses, let body, let span):
      let register = temporary()
      try expression(clauses, register)
      at(span) { $0.emit(.pushHandlers, a: register) }
      try expression(body, destination)
      emit(.popHandler)
    }
  }

  /// Evaluates a node whose value nobody wants.
  private mutating func effect(_ node: Node) throws {
    if case .constant = node { return }
    let save = top
    defer { top = save }
    if case .primitive(.vectorSet, let operands, let span) = node, isOpenCoded(.vectorSet) { return try at(span) { try $0.setVectorElement(operands) } }
    try expression(node, temporary())
  }

  private mutating func bind(_ bindings: [(Local, Node)]) throws {
    for (local, value) in bindings {
      let slot = temporary()
      try expression(value, slot)
      if local.isAssigned { emit(.makeBox, a: slot) }
      local.slot = slot
    }
  }
  private mutating func declare(_ locals: [Local]) {
    for local in locals {
      local.slot = temporary()
      emit(.loadImmediate, a: local.slot, b: Int(Value.nil.bits))
      if local.isAssigned { emit(.makeBox, a: local.slot) }
    }
  }

  private mutating func pushBindings(_ pairs: [(Node, Node)], _ span: SourceSpan) throws -> Int {
    let first = top
    for (parameter, value) in pairs {
      try expression(parameter, temporary())
      try expression(value, temporary())
    }
    if pairs.isEmpty { _ = temporary() }
    at(span) { $0.emit(.pushBindings, n: pairs.count, a: first) }
    top = first + 1
    return first
  }

  private mutating func closure(_ function: Lambda, _ destination: Int) throws {
    let code = try Compiler.compile(machine, function)
    emit(.closure, n: min(255, function.captures.count), a: destination, constant: code)
    guard function.captures.count <= 90 else {
      throw SyntaxError(message: "the function captures more than 90 variables", span: function.span, hint: "keep them in a dict or a list")
    }
    for capture in function.captures {
      switch capture {
      case .local(let local): emit(.capture, n: 0, b: local.slot)
      case .upvalue(let i): emit(.capture, n: 1, b: i)
      case .enclosingFunction: emit(.capture, n: 2)
      }
    }
    label = instructions.count
  }

  private mutating func dict(_ keys: [Value], _ values: [Node], _ destination: Int) throws {
    if keys.count > DictRepresentation.longestFlat || keys.isEmpty {
      let arguments = zip(keys, values).flatMap { [Node.constant($0), $1] }
      guard arguments.count <= 250 else {
        // In pieces: `into` adds each piece to the dict so far.
        let half = keys.count / 2
        let parts = [Node.dict(Array(keys[..<half]), Array(values[..<half]), span), Node.dict(Array(keys[half...]), Array(values[half...]), span)]
        return try expression(.call(.constant(machine.mergeNative), parts, span), destination)
      }
      return try expression(.call(.constant(machine.dictNative), arguments, span), destination)
    }
    let first = top
    for value in values { try expression(value, temporary()) }
    let template = machine.heap.entries(capacity: DictRepresentation.flatCapacity(for: keys.count))
    for (i, key) in keys.enumerated() {
      _ = key.ensureHash(seed: machine.heap.hashSeed)
      template.setWord(1 + 2 * i, key)
    }
    emit(.dict, n: keys.count, a: first, constant: template)
    if first != destination { emit(.move, a: destination, b: first) }
  }

  // MARK: Loops

  private mutating func enter(_ loop: Loop, _ starts: [Node], _ body: Node) throws {
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

  private mutating func again(_ loop: Loop, _ arguments: [Node]) throws {
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
  private func ordered(_ values: [(variable: Local, value: Node)]) -> [(variable: Local, value: Node)] {
    var left = values, result: [(variable: Local, value: Node)] = []
    while !left.isEmpty {
      let next = left.indices.first { i in !left.indices.contains { $0 != i && uses(left[$0].value, left[i].variable) } } ?? 0
      result.append(left.remove(at: next))
    }
    return result
  }
  /// Does the code of a node write its destination with its last instruction, when all else is evaluated?
  private func writesLast(_ node: Node) -> Bool {
    if case .primitive(let operation, _, _) = node { return !operation.isTest && isOpenCoded(operation) }
    return isSimple(node)
  }
  /// A constant, a local, or one instruction over such.
  private func isSimple(_ node: Node) -> Bool {
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
  private func uses(_ node: Node, _ variable: Local) -> Bool {
    switch node {
    case .local(let local): local === variable
    case .primitive(_, let arguments, _): arguments.contains { uses($0, variable) }
    default: false
    }
  }

  // MARK: Calls

  private mutating func callSequence(_ function: Node, _ arguments: [Node], _ window: Int, _ span: SourceSpan, tail: Bool) throws {
    top = window + 1
    highest = max(highest, top)
    let n = arguments.count
    enum Target { case own, global(Int), register }
    var target = Target.register
    switch function {
    case .global(let index, _): target = .global(index)
    case .enclosingFunction where lambda.required == n && !lambda.hasRest: target = .own
    default: try expression(function, window)
    }
    for argument in arguments { try expression(argument, temporary()) }
    at(span) {
      switch target {
      case .own: $0.emit(tail ? .tailCallSelf : .callSelf, n: n, a: window)
      case .global(let index): $0.emit(tail ? .tailCallGlobal : .callGlobal, n: n, a: window, global: index)
      case .register: $0.emit(tail ? .tailCall : .call, n: n, a: window)
      }
    }
  }

  /// Can a call of the function itself with these arguments be a jump to its beginning?
  private func repeats(_ arguments: [Node]) -> Bool { !lambda.isTopLevel && !lambda.hasRest && lambda.required == arguments.count }

  private mutating func tail(_ node: Node) throws {
    try machine.nativeStack.check(span)
    switch node {
    case .conditional(let test, let yes, let no):
      let save = top
      let skip = try branch(test, jumpIf: false)
      try tail(yes)
      try patch(skip)
      top = save
      try tail(no)
    case .sequence(let nodes):
      for part in nodes.dropLast() { try effect(part) }
      if let last = nodes.last { try tail(last) } else { try tail(.constant(.nil)) }
    case .bind(let bindings, let body):
      try bind(bindings)
      try tail(body)
    case .declare(let locals, let body):
      declare(locals)
      try tail(body)
    case .recursive(let own, let function, let body):
      own.slot = temporary()
      try closure(function, own.slot)
      try tail(body)
    case .loop(let loop, let starts, let body):
      try enter(loop, starts, body)
      try tail(body)
    case .again(let loop, let arguments, let span): try at(span) { try $0.again(loop, arguments) }
    case .call(.enclosingFunction, let arguments, let span) where repeats(arguments): try at(span) { try $0.again($0.selfLoop, arguments) }
    case .call(.global(let index, let place), let arguments, let span) where repeats(arguments) && machine.globalNames[index].text == lambda.name:
      // Most likely the function calls itself. Whoever has given its name another value since gets a call.
      let save = top
      let other = emit(.jumpUnlessSelf, a: index & 0xFFFF, b: index >> 16)
      try at(span) { try $0.again($0.selfLoop, arguments) }
      try patch(other)
      top = save
      try callSequence(.global(index, place), arguments, temporary(), span, tail: true)
    case .call(let function, let arguments, let span): try callSequence(function, arguments, temporary(), span, tail: true)
    case .and(let nodes), .or(let nodes):
      let isAnd = if case .and = node { true } else { false }
      let save = top
      let register = temporary()
      var ends: [Int] = [], tests: [Int] = []
      for part in nodes.dropLast() {
        if case .primitive(let operation, _, _) = part, operation.isTest, isOpenCoded(operation) {
          tests += try branch(part, jumpIf: !isAnd)
        } else {
          try expression(part, register)
          ends.append(emit(isAnd ? .jumpIfFalse : .jumpIfTrue, a: register))
        }
      }
      top = save
      if let last = nodes.last { try tail(last) }
      if !tests.isEmpty {
        try patch(tests)
        emit(.loadImmediate, a: register, b: Int(Value.bool(!isAnd).bits))
      }
      try patch(ends)
      emit(.return, a: register)
    case .guarded(let body, let condition, let handler, let span):
      let save = top
      condition.slot = temporary()
      let push = emit(.pushGuard, a: condition.slot)
      let result = temporary()
      try expression(body, result)
      emit(.popHandler)
      emit(.return, a: result)
      try patch(push)
      top = save + 1
      if condition.isAssigned { emit(.makeBox, a: condition.slot) }
      try at(span) { try $0.tail(handler) }
    default:
      emit(.return, a: try operand(node))
    }
  }

  // MARK: Tests

  /// Emits a test and answers the jumps that are taken when it comes out as `jumpIf`.
  private mutating func branch(_ node: Node, jumpIf: Bool) throws -> [Int] {
    let save = top
    defer { top = save }
    switch node {
    case .constant(let v):
      return v.isFalsy != jumpIf ? [emit(.jump)] : []
    case .primitive(let operation, let arguments, let span) where operation.isTest && isOpenCoded(operation):
      openCoded |= 1 << UInt64(operation.rawValue)
      let outer = self.span
      if !span.isNone { self.span = span }
      defer { self.span = outer }
      return try test(operation, arguments, jumpIf)
    case .and(let nodes) where !jumpIf:
      return try nodes.flatMap { try branch($0, jumpIf: false) }
    case .or(let nodes) where jumpIf:
      return try nodes.flatMap { try branch($0, jumpIf: true) }
    case .and(let nodes), .or(let nodes):
      var others: [Int] = []
      for part in nodes.dropLast() { others += try branch(part, jumpIf: !jumpIf) }
      let jumps = try nodes.last.map { try branch($0, jumpIf: jumpIf) } ?? []
      try patch(others)
      return jumps
    default:
      let register = try operand(node)
      return [emit(jumpIf ? .jumpIfTrue : .jumpIfFalse, a: register)]
    }
  }

  private mutating func test(_ operation: OpenCoded, _ arguments: [Node], _ jumpIf: Bool) throws -> [Int] {
    switch operation {
    case .not: return try branch(arguments[0], jumpIf: !jumpIf)
    case .isNil: return [emit(jumpIf ? .jumpIfNil : .jumpUnlessNil, a: try operand(arguments[0]))]
    case .isEmpty: return [emit(jumpIf ? .jumpIfEmpty : .jumpUnlessEmpty, a: try operand(arguments[0]))]
    case .isZero: return [emit(jumpIf ? .jumpIfEqualInteger : .jumpUnlessEqualInteger, n: 1, a: try operand(arguments[0]), b: 0)]
    default: break
    }
    if let i = smallInteger(arguments[1]), operation != .identical {
      let register = try operand(arguments[0])
      let op: Op =
        switch operation {
        case .less: jumpIf ? .jumpIfLessInteger : .jumpUnlessLessInteger
        case .lessOrEqual: jumpIf ? .jumpIfLessOrEqualInteger : .jumpUnlessLessOrEqualInteger
        case .greater: jumpIf ? .jumpIfGreaterInteger : .jumpUnlessGreaterInteger
        case .greaterOrEqual: jumpIf ? .jumpIfGreaterOrEqualInteger : .jumpUnlessGreaterOrEqualInteger
        default: jumpIf ? .jumpIfEqualInteger : .jumpUnlessEqualInteger
        }
      return [emit(op, a: register, b: i)]
    }
    if let i = smallInteger(arguments[0]), operation == .equal {
      let register = try operand(arguments[1])
      return [emit(jumpIf ? .jumpIfEqualInteger : .jumpUnlessEqualInteger, a: register, b: i)]
    }
    let x = try operand(arguments[0]), y = try operand(arguments[1])
    switch operation {
    case .less: return [emit(jumpIf ? .jumpIfLess : .jumpUnlessLess, n: 0, a: x, b: y)]
    case .lessOrEqual: return [emit(jumpIf ? .jumpIfLessOrEqual : .jumpUnlessLessOrEqual, n: 0, a: x, b: y)]
    case .greater: return [emit(jumpIf ? .jumpIfLess : .jumpUnlessLess, n: 1, a: y, b: x)]
    case .greaterOrEqual: return [emit(jumpIf ? .jumpIfLessOrEqual : .jumpUnlessLessOrEqual, n: 1, a: y, b: x)]
    case .identical: return [emit(jumpIf ? .jumpIfIdentical : .jumpUnlessIdentical, a: x, b: y)]
    default: return [emit(jumpIf ? .jumpIfEqual : .jumpUnlessEqual, a: x, b: y)]
    }
  }

  // MARK: Primitives

  private mutating func primitive(_ operation: OpenCoded, _ arguments: [Node], _ destination: Int) throws {
    guard isOpenCoded(operation) else {
      // Redefined since the function was analysed: an ordinary call.
      return try expression(.call(.global(machine.globalIndex(machine.symbol(operation.name)), span), arguments, span), destination)
    }
    let save = top
    defer { top = save }
    if operation.isTest {
      let no = try branch(.primitive(operation, arguments, span), jumpIf: false)
      emit(.loadImmediate, a: destination, b: Int(Value.true.bits))
      let end = emit(.jump)
      try patch(no)
      emit(.loadImmediate, a: destination, b: Int(Value.false.bits))
      try patch(end)
      return
    }
    openCoded |= 1 << UInt64(operation.rawValue)
    switch operation {
    case .increment:
      emit(.addInteger, n: 2, a: destination, b: 1, c: try operand(arguments[0]))
      return
    case .decrement:
      emit(.addInteger, n: 3, a: destination, b: -1, c: try operand(arguments[0]))
      return
    case .add, .subtract, .multiply:
      if arguments.count > 2 { return try chain(operation, arguments, destination) }
      if operation != .multiply, let i = smallInteger(arguments[1]), i > Int(Int16.min) {
        emit(.addInteger, n: operation == .add ? 0 : 1, a: destination, b: operation == .add ? i : -i, c: try operand(arguments[0]))
        return
      }
    case .vectorSet:
      try setVectorElement(arguments)
      emit(.loadImmediate, a: destination, b: Int(Value.nil.bits))
      return
    case .first, .rest:
      emit(operation == .first ? .first : .rest, a: destination, b: try operand(arguments[0]))
      return
    default: break
    }
    if let (op, register, constant) = constantOperand(operation, arguments) {
      emit(op, n: register + 2, a: destination, b: try operand(arguments[register]), nearConstant: constant)
      return
    }
    // The newest temporary can hold the first operand on its way.
    let x: Int
    if case .local(let local) = arguments[0], !local.isAssigned {
      x = local.slot
    } else if destination == top - 1 {
      try expression(arguments[0], destination)
      x = destination
    } else {
      x = try operand(arguments[0])
    }
    let y = try operand(arguments[1])
    let op: Op =
      switch operation {
      case .add: .add
      case .subtract: .subtract
      case .multiply: .multiply
      case .mod: .mod
      case .get: .get
      case .divide: .divide
      case .quotient: .quotient
      case .remainder: .remainder
      case .vectorRef: .vectorRef
      default: .cons
      }
    emit(op, n: 2, a: destination, b: x, c: y)
  }

  /// The instruction for arithmetic with a number that stands in the source, and which operand is not that number.
  private func constantOperand(_ operation: OpenCoded, _ arguments: [Node]) -> (Op, Int, Value)? {
    func number(_ i: Int) -> Value? {
      guard case .constant(let v) = arguments[i], v.isFix || v.isFlo else { return nil }
      return v
    }
    let op: Op
    switch operation {
    case .add: op = .addConstant
    case .subtract: op = .subtractConstant
    case .multiply: op = .multiplyConstant
    default: return nil
    }
    if let constant = number(1) { return (op, 0, constant) }
    if operation != .subtract, let constant = number(0) { return (op, 1, constant) }
    return nil
  }

  private mutating func setVectorElement(_ operands: [Node]) throws {
    openCoded |= 1 << UInt64(OpenCoded.vectorSet.rawValue)
    let vector = try operand(operands[0]), index = try operand(operands[1])
    emit(.vectorSet, a: vector, b: index, c: try operand(operands[2]))
  }

  /// `(+ a b c …)`, from left to right.
  private mutating func chain(_ operation: OpenCoded, _ arguments: [Node], _ destination: Int) throws {
    let register = destination == top - 1 ? destination : temporary()
    try primitive(operation, Array(arguments[..<2]), register)
    let op: Op = operation == .add ? .add : operation == .subtract ? .subtract : .multiply
    for (i, argument) in arguments.enumerated().dropFirst(2) {
      let save = top
      emit(op, n: i + 1, a: register, b: register, c: try operand(argument))
      top = save
    }
    if register != destination { emit(.move, a: destination, b: register) }
  }
}
