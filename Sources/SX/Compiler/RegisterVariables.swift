/// Finds the assigned variables that need no box. Nobody sees such a variable but the code of its scope: no closure captures it, and nothing is
/// called while it is visible, so that no continuation holds the frame that it lies in and could bring back what it was.
///
/// Its register is used in place, as that of any other variable. So it must not be assigned where an operation has some of its operands and waits for others.
struct RegisterVariables {
  private let compiler: Compiler
  /// How many operations wait for an operand here, and where each assigned variable is bound.
  private var depth = 0
  private var depths = IdentityMap<Int>()
  /// Variables that are assigned while an operation waits that began after they were bound.
  private var unfit = IdentityMap<Bool>()

  /// Decides for all variables of the function that is being compiled.
  static func choose(_ compiler: Compiler) throws {
    let lambda = compiler.lambda
    guard lambda.assignsLocals else { return }
    var search = RegisterVariables(compiler: compiler)
    let isQuiet = try search.callsNothing(lambda.body)
    for parameter in lambda.parameters { search.decide(parameter, isQuiet) }
  }

  private init(compiler: Compiler) { self.compiler = compiler }

  private func decide(_ local: Local, _ isQuiet: Bool) {
    local.isInRegister = local.isAssigned && !local.isCaptured && isQuiet && unfit[local.identity] == nil
  }

  private mutating func callsNothing(_ node: Node) throws -> Bool {
    try compiler.machine.nativeStack.check(compiler.lambda.span)
    switch node {
    case .constant, .local, .upvalue, .enclosingFunction, .global, .lambda: return true
    case .setLocal(let local, let value), .initialize(let local, let value):
      if depth > depths[local.identity, default: 0] { unfit[local.identity] = true }
      return try operands([value])
    case .setUpvalue(_, _, let value), .setGlobal(_, let value, _), .defineGlobal(_, let value, _): return try operands([value])
    case .conditional, .and, .or, .sequence, .recursive, .loop, .guarded: return try all(node.parts)
    case .again(_, let nodes, _), .dict(_, let nodes, _): return try operands(nodes)
    case .primitive(let operation, let nodes, _): return try operands(nodes) && compiler.isOpenCoded(operation) && !operation.switchesFiber
    case .bind(let bindings, let body):
      var values: [Bool] = []
      for (local, value) in bindings {
        values.append(try callsNothing(value))
        bind(local)
      }
      var isQuiet = try callsNothing(body)
      for (binding, value) in zip(bindings, values).reversed() {
        decide(binding.0, isQuiet)
        isQuiet = isQuiet && value
      }
      return isQuiet
    case .declare(let locals, let body):
      locals.forEach { bind($0) }
      let isQuiet = try callsNothing(body)
      for local in locals { decide(local, isQuiet) }
      return isQuiet
    case .call, .parameterize, .handlerBind:
      _ = try operands(node.parts)
      return false
    }
  }
  private mutating func bind(_ local: Local) {
    if local.isAssigned { depths[local.identity] = depth }
  }
  private mutating func all(_ nodes: [Node]) throws -> Bool {
    try nodes.reduce(true) { try callsNothing($1) && $0 }
  }
  private mutating func operands(_ nodes: [Node]) throws -> Bool {
    depth += 1
    defer { depth -= 1 }
    return try all(nodes)
  }
}

extension Local {
  fileprivate var identity: UInt64 { UInt64(UInt(bitPattern: ObjectIdentifier(self))) }
}
