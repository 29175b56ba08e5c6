/// Primitives that have instructions of their own: as tests, which jump, and as values.
extension Compiler {
  // MARK: Tests

  /// Emits a test and answers the jumps that are taken when it comes out as `jumpIf`.
  mutating func branch(_ node: Node, jumpIf: Bool) throws -> [Int] {
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

  mutating func test(_ operation: OpenCoded, _ arguments: [Node], _ jumpIf: Bool) throws -> [Int] {
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
    if !jumpIf, mayUseNearConstants, case .constant(let v) = arguments[1], v.isFix || v.isFlo, let op = Op(unless: operation) {
      return [emit(op, a: try operand(arguments[0]), nearConstant: v)]
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

  mutating func primitive(_ operation: OpenCoded, _ arguments: [Node], _ destination: Int) throws {
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
      if arguments.count == 1 { return try unary(operation, arguments[0], destination) }
      if arguments.count > 2 { return try chain(operation, arguments, destination) }
      if operation != .multiply, let i = smallInteger(arguments[1]), i > Int(Int16.min) {
        emit(.addInteger, n: operation == .add ? 0 : 1, a: destination, b: operation == .add ? i : -i, c: try operand(arguments[0]))
        return
      }
    case .vectorSet:
      try setVectorElement(arguments)
      emit(.loadImmediate, a: destination, b: Int(Value.nil.bits))
      return
    case .yield:
      emit(.yieldCoroutine, a: destination, b: try operand(arguments[0]))
      return
    case .resume:
      let coroutine = try operand(arguments[0]), value = arguments.count == 2 ? try operand(arguments[1]) : 0
      emit(.resumeCoroutine, n: arguments.count, a: destination, b: coroutine, c: value)
      return
    case .reverse:
      emit(isAccumulator(arguments[0]) ? .collected : .reverse, a: destination, b: try operand(arguments[0]))
      return
    case .first, .rest, .length, .charToInteger:
      let op: Op = operation == .first ? .first : operation == .rest ? .rest : operation == .length ? .length : .charToInteger
      emit(op, a: destination, b: try operand(arguments[0]))
      return
    default: break
    }
    if operation == .get, mayUseNearConstants, case .constant(let key) = arguments[1], key.isString {
      emit(.getKey, n: 0, a: destination, b: try operand(arguments[0]), nearConstant: key)
      return
    }
    if let (op, register, constant) = constantOperand(operation, arguments) {
      emit(op, n: register + 2, a: destination, b: try operand(arguments[register]), nearConstant: constant)
      return
    }
    // The newest temporary can hold the first operand on its way.
    let x: Int
    if case .local(let local) = arguments[0], !local.isBoxed {
      x = local.slot
    } else if destination == top - 1 {
      try expression(arguments[0], destination)
      x = destination
    } else {
      x = try operand(arguments[0])
    }
    let before = instructions.count
    let y = try operand(arguments[1])
    if !fusesProduct(arguments[1], into: operation), operation == .add, instructions.count == before, fusesProduct(arguments[0], into: .add) {
      emit(.add, n: 3, a: destination, b: y, c: x)   // a product is a number: only [b], the second argument, can be at fault
      return
    }
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
      case .stringRef: .stringRef
      default: .cons
      }
    emit(op, n: 2, a: destination, b: x, c: y)
  }

  /// Sums, differences and products of one operand are those of two.
  mutating func unary(_ operation: OpenCoded, _ argument: Node, _ destination: Int) throws {
    guard operation == .subtract else {
      return try primitive(operation, [argument, .constant(.fix(operation == .add ? 0 : 1))], destination)
    }
    let zero = temporary()
    load(.fix(0), zero)
    emit(.subtract, n: 1, a: destination, b: zero, c: try operand(argument))
  }

  /// The instruction for arithmetic with a number that stands in the source, and which operand is not that number.
  func constantOperand(_ operation: OpenCoded, _ arguments: [Node]) -> (Op, Int, Value)? {
    func op(_ i: Int) -> (Op, Value)? {
      guard mayUseNearConstants, case .constant(let v) = arguments[i] else { return nil }
      switch operation {
      case .add where v.isFlo: return (.addDouble, v)
      case .subtract where v.isFlo: return (.subtractDouble, v)
      case .multiply where v.isFlo: return (.multiplyDouble, v)
      case .multiply where v.isFix: return (.multiplyInteger, v)
      default: return nil
      }
    }
    if let (op, constant) = op(1) { return (op, 0, constant) }
    if operation != .subtract, let (op, constant) = op(0) { return (op, 1, constant) }
    return nil
  }

  /// If the newest instruction multiplies for a sum or a difference that comes next: makes it the one that for doubles does that, too.
  private mutating func fusesProduct(_ node: Node, into operation: OpenCoded) -> Bool {
    guard operation == .add || operation == .subtract, case .primitive(.multiply, _, _) = node, instructions.count > label, let last = instructions.last else { return false }
    switch last.op {
    case .multiply: instructions[instructions.count - 1].op = operation == .add ? .multiplyThenAdd : .multiplyThenSubtract
    case .multiplyDouble: instructions[instructions.count - 1].op = operation == .add ? .multiplyDoubleThenAdd : .multiplyDoubleThenSubtract
    default: return false
    }
    return true
  }

  mutating func setVectorElement(_ operands: [Node]) throws {
    openCoded |= 1 << UInt64(OpenCoded.vectorSet.rawValue)
    let vector = try operand(operands[0]), index = try operand(operands[1])
    emit(.vectorSet, a: vector, b: index, c: try operand(operands[2]))
  }

  /// `(+ a b c …)`, from left to right.
  mutating func chain(_ operation: OpenCoded, _ arguments: [Node], _ destination: Int) throws {
    let register = destination == top - 1 ? destination : temporary()
    try primitive(operation, Array(arguments[..<2]), register)
    let op: Op = operation == .add ? .add : operation == .subtract ? .subtract : .multiply
    for (i, argument) in arguments.enumerated().dropFirst(2) {
      if operation != .multiply, let short = smallInteger(argument), short > Int(Int16.min) {
        emit(.addInteger, n: operation == .add ? 0 : 1, a: register, b: operation == .add ? short : -short, c: register)
        continue
      }
      let save = top
      let y = try operand(argument)
      _ = fusesProduct(argument, into: operation)
      emit(op, n: i + 1, a: register, b: register, c: y)
      top = save
    }
    if register != destination { emit(.move, a: destination, b: register) }
  }
}

extension Op {
  /// The jump that is taken unless a comparison with a number of the source holds.
  fileprivate init?(unless comparison: OpenCoded) {
    switch comparison {
    case .less: self = .jumpUnlessLessConstant
    case .lessOrEqual: self = .jumpUnlessLessOrEqualConstant
    case .greater: self = .jumpUnlessGreaterConstant
    case .greaterOrEqual: self = .jumpUnlessGreaterOrEqualConstant
    default: return nil
    }
  }
}
