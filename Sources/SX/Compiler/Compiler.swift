/// Translates one function from nodes to instructions.
///
/// Registers: the parameters, then locals and temporaries in stack discipline. Arguments are evaluated straight into the
/// callee's window, so that a call copies nothing.
struct Compiler {
  let machine: Machine
  let lambda: Lambda
  var instructions: [Instruction] = []
  var spans: [SourceSpan] = []
  var constants: [Value] = []
  var constantIndex = IdentityMap<Int>()
  /// Instructions whose distance to a constant is not known before the end.
  var constantUses: [(at: Int, constant: Int)] = []
  /// The same where the distance has to fit into 16 bits, in operand `c` or, in a jump, in `b`.
  var nearConstantUses: [(at: Int, constant: Int, isJump: Bool)] = []
  /// Off for a function so long that they do not.
  var mayUseNearConstants = true
  private var reachesConstants: Bool { nearConstantUses.allSatisfy { instructions.count - $0.at + $0.constant <= UInt16.max } }
  /// The function as a loop over its parameters.
  let selfLoop: Loop
  var top = 0
  var highest = 0
  var span: SourceSpan
  var openCoded: UInt64 = 0
  /// No instruction before this one may be merged with a later one: a jump lands here.
  var label = 0
  /// Variables of loops that only walk along a list.
  var cursors: Set<ObjectIdentifier> = []
  /// Variables of loops that collect a list.
  var accumulators: Set<ObjectIdentifier> = []

  private init(_ machine: Machine, _ lambda: Lambda) {
    self.machine = machine
    self.lambda = lambda
    selfLoop = Loop(lambda.parameters)
    span = lambda.span
    instructions.reserveCapacity(Compiler.usualLength)
    spans.reserveCapacity(Compiler.usualLength)
  }
  private static let usualLength = 48

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
    if !compiler.reachesConstants {
      compiler = Compiler(machine, code.lambda)
      compiler.mayUseNearConstants = false
      try compiler.function()
    }
    let n = compiler.instructions.count
    for use in compiler.constantUses {
      let distance = n - use.at + use.constant
      compiler.instructions[use.at].b = UInt16(truncatingIfNeeded: distance)
      compiler.instructions[use.at].c = UInt16(truncatingIfNeeded: distance >> 16)
    }
    for use in compiler.nearConstantUses {
      let distance = UInt16(n - use.at + use.constant)
      if use.isJump { compiler.instructions[use.at].b = distance } else { compiler.instructions[use.at].c = distance }
    }
    guard compiler.highest < 60_000 else { throw SyntaxError(message: "the function needs too many registers", span: code.lambda.span, hint: "split it into smaller functions") }
    code.install(compiler.instructions, compiler.spans, compiler.constants, frameSize: max(2, compiler.highest + 1), openCoded: compiler.openCoded, cell: code.lambda.code)
    machine.heap.noteExternal(code.externalBytes)
  }

  static func tooLong(_ lambda: Lambda) -> SyntaxError {
    SyntaxError(message: "the function is too long", span: lambda.span, hint: "split it into smaller functions")
  }

  mutating func function() throws {
    try RegisterVariables.choose(self)
    for parameter in lambda.parameters { parameter.slot = temporary() }
    for parameter in lambda.parameters where parameter.isBoxed { emit(.makeBox, a: parameter.slot) }
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
  func isOpenCoded(_ operation: OpenCoded) -> Bool { lambda.isPrelude || machine.isOriginal(operation) }

  /// The global that a node means: the nodes of the prelude may be older than a program's definition of the name.
  func linked(_ global: Int) -> Int { lambda.isPrelude ? machine.preludeGlobal(global) : global }

  // MARK: Emission

  mutating func temporary() -> Int {
    top += 1
    highest = max(highest, top)
    return top - 1
  }

  @discardableResult
  mutating func emit(_ op: Op, n: Int = 0, a: Int = 0, b: Int = 0, c: Int = 0) -> Int {
    if op == .move, instructions.count > label, let last = instructions.last, last.op == .move, Int(last.a) + 1 == a, UInt16(truncatingIfNeeded: b) != last.a {
      instructions[instructions.count - 1] = Instruction(op: .move2, n: 0, a: last.a, b: last.b, c: UInt16(truncatingIfNeeded: b))
      return instructions.count - 1
    }
    instructions.append(Instruction(op: op, n: UInt8(n), a: UInt16(truncatingIfNeeded: a), b: UInt16(truncatingIfNeeded: b), c: UInt16(truncatingIfNeeded: c)))
    spans.append(span)
    return instructions.count - 1
  }
  @discardableResult
  mutating func emit(_ op: Op, n: Int = 0, a: Int = 0, constant: Value) -> Int {
    let at = emit(op, n: n, a: a)
    constantUses.append((at, index(of: constant)))
    return at
  }
  mutating func emit(_ op: Op, n: Int, a: Int, b: Int, nearConstant: Value) {
    nearConstantUses.append((emit(op, n: n, a: a, b: b), index(of: nearConstant), false))
  }
  mutating func emit(_ jump: Op, a: Int, nearConstant: Value) -> Int {
    let at = emit(jump, a: a)
    nearConstantUses.append((at, index(of: nearConstant), true))
    return at
  }
  mutating func index(of constant: Value) -> Int {
    if let known = constantIndex[constant.bits] { return known }
    constants.append(constant)
    constantIndex[constant.bits] = constants.count - 1
    return constants.count - 1
  }
  @discardableResult
  mutating func emit(_ op: Op, n: Int = 0, a: Int = 0, global: Int) -> Int {
    let global = linked(global)
    return emit(op, n: n, a: a, b: global & 0xFFFF, c: global >> 16)
  }

  mutating func patch(_ at: Int) throws {
    label = instructions.count
    try setOffset(at, instructions.count - at - 1)
  }
  mutating func setOffset(_ at: Int, _ offset: Int) throws {
    guard let short = Int16(exactly: offset) else { throw Compiler.tooLong(lambda) }
    instructions[at].c = UInt16(bitPattern: short)
  }
  mutating func patch(_ all: [Int]) throws { for at in all { try patch(at) } }

  /// Runs `body` with positions taken from `span`.
  @discardableResult
  mutating func at<Result>(_ span: SourceSpan, _ body: (inout Compiler) throws -> Result) rethrows -> Result {
    let outer = self.span
    if !span.isNone { self.span = span }
    defer { self.span = outer }
    return try body(&self)
  }

  // MARK: Values into registers

  func smallInteger(_ node: Node) -> Int? {
    if case .constant(let v) = node, v.isFix, let short = Int16(exactly: v.fixValue) { return Int(short) }
    return nil
  }

  /// The register that holds the node's value; a local that is in no box is used in place.
  mutating func operand(_ node: Node) throws -> Int {
    if case .local(let local) = node, !local.isBoxed { return local.slot }
    let register = temporary()
    try expression(node, register)
    return register
  }

  mutating func load(_ v: Value, _ destination: Int) {
    if v.isFix, Int16(exactly: v.fixValue) != nil {
      emit(.loadInteger, a: destination, b: v.fixValue)
    } else if v == .nil || v == .true || v == .false {
      emit(.loadImmediate, a: destination, b: Int(v.bits))
    } else {
      emit(.loadConstant, a: destination, constant: v)
    }
  }

  mutating func expression(_ node: Node, _ destination: Int) throws {
    try machine.nativeStack.check(span)
    let save = top
    defer { top = save }
    switch node {
    case .constant(let v): load(v, destination)
    case .local(let local):
      if local.isBoxed { emit(.getBox, a: destination, b: local.slot) } else if local.slot != destination { emit(.move, a: destination, b: local.slot) }
    case .upvalue(let i, let local): emit(local.isAssigned ? .getUpvalueBoxed : .getUpvalue, a: destination, b: i)
    case .enclosingFunction: emit(.move, a: destination, b: -1)
    case .global(let index, let span): at(span) { $0.emit(.getGlobal, a: destination, global: index) }
    case .setLocal(let local, let value):
      try expression(value, destination)
      if local.isBoxed { emit(.setBox, a: local.slot, b: destination) } else { emit(.move, a: local.slot, b: destination) }
    case .initialize(let local, let value):
      if local.isBoxed {
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
    case .call(.global(let index, _), let arguments, let span) where accessesField(index, arguments):
      try at(span) { arguments.count == 1 ? try $0.readField(index, arguments[0], destination) : try $0.changeField(index, arguments[0], arguments[1], destination) }
    case .call(let function, let arguments, let span):
      let window = destination == top - 1 ? destination : temporary()
      try callSequence(function, arguments, window, span, tail: false)
      if window != destination { emit(.move, a: destination, b: window) }
    case .primitive(let operation, let arguments, let span): try at(span) { try $0.primitive(operation, arguments, destination) }
    case .dict(let keys, let values, let span): try at(span) { try $0.dict(keys, values, destination) }
    case .guarded(let body, let condition, let origin, let handler, let span):
      let push = pushGuard(condition, origin)
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
  mutating func effect(_ node: Node) throws {
    if case .constant = node { return }
    let save = top
    defer { top = save }
    if case .primitive(.vectorSet, let operands, let span) = node, isOpenCoded(.vectorSet) { return try at(span) { try $0.setVectorElement(operands) } }
    if case .call(.global(let index, _), let arguments, let span) = node, arguments.count == 2, accessesField(index, arguments) {
      return try at(span) { try $0.changeField(index, arguments[0], arguments[1], nil) }
    }
    if case .setLocal(let local, let value) = node, local.isInRegister, writesLast(value) {
      _ = temporary()                                  // so that the variable is not the newest register, which may be written early
      return try expression(value, local.slot)
    }
    try expression(node, temporary())
  }

  mutating func bind(_ bindings: [(Local, Node)]) throws {
    for (local, value) in bindings {
      let slot = temporary()
      try expression(value, slot)
      if local.isBoxed { emit(.makeBox, a: slot) }
      local.slot = slot
    }
  }
  mutating func declare(_ locals: [Local]) {
    for local in locals {
      local.slot = temporary()
      emit(.loadImmediate, a: local.slot, b: Int(Value.nil.bits))
      if local.isBoxed { emit(.makeBox, a: local.slot) }
    }
  }

  private mutating func pushGuard(_ condition: Local, _ origin: Local?) -> Int {
    condition.slot = temporary()
    origin?.slot = temporary()
    return emit(.pushGuard, n: origin == nil ? 0 : 1, a: condition.slot)
  }

  mutating func pushBindings(_ pairs: [(Node, Node)], _ span: SourceSpan) throws -> Int {
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

  mutating func closure(_ function: Lambda, _ destination: Int) throws {
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

  mutating func dict(_ keys: [Value], _ values: [Node], _ destination: Int) throws {
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

  // MARK: Calls

  mutating func callSequence(_ function: Node, _ arguments: [Node], _ window: Int, _ span: SourceSpan, tail: Bool) throws {
    top = window + 1
    highest = max(highest, top)
    let n = arguments.count
    enum Target { case own, global(Int), local(Int), native(Value), window }
    var target = Target.window
    switch function {
    case .global(let index, _): target = .global(index)
    // In tail position that is a jump, see `tail`.
    case .enclosingFunction where !tail && lambda.required == n && !lambda.hasRest: target = .own
    case .local(let local) where !local.isBoxed && !tail: target = .local(local.slot)
    case .constant(let native) where native.isKind(.native) && !native.native.isControl: target = .native(native)
    default: try expression(function, window)
    }
    for argument in arguments { try expression(argument, temporary()) }
    at(span) {
      switch target {
      case .own: $0.emit(.callSelf, n: n, a: window)
      case .global(let index): $0.emit(tail ? .tailCallGlobal : .callGlobal, n: n, a: window, global: index)
      case .local(let register): $0.emit(.callRegister, n: n, a: window, b: register)
      case .native(let native):
        $0.emit(.callNative, n: n, a: window, constant: native)
        if tail { $0.emit(.return, a: window) }
      case .window: $0.emit(tail ? .tailCall : .call, n: n, a: window)
      }
    }
  }

  /// Can a call of the function itself with these arguments be a jump to its beginning?
  func repeats(_ arguments: [Node]) -> Bool { !lambda.isTopLevel && !lambda.hasRest && lambda.required == arguments.count }

  mutating func tail(_ node: Node) throws {
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
    case .call(.global(let index, _), let arguments, let span) where repeats(arguments) && machine.globalNames[index].text == lambda.name:
      try callSelf(index, arguments, span)
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
    case .guarded(let body, let condition, let origin, let handler, let span):
      let push = pushGuard(condition, origin)
      let save = top
      let result = temporary()
      try expression(body, result)
      emit(.popHandler)
      emit(.return, a: result)
      try patch(push)
      top = save
      if condition.isAssigned { emit(.makeBox, a: condition.slot) }
      try at(span) { try $0.tail(handler) }
    default:
      emit(.return, a: try operand(node))
    }
  }
}
