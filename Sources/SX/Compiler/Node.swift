/// A variable of a function.
final class Local {
  let name: Value
  /// Assigned after it was bound, or captured before. Such a variable mostly lives in a box, because a re-entered continuation and
  /// every closure must see the same value.
  var isAssigned = false
  /// Assigned, and in a register all the same, see `RegisterVariables`.
  var isInRegister = false
  var isBoxed: Bool { isAssigned && !isInRegister }
  var isCaptured = false
  /// Stands for the running closure itself, which no variable holds, so it cannot be assigned.
  var isSelf = false
  /// Register in its function's frame, set by the compiler.
  var slot = 0
  init(_ name: Value) { self.name = name }
}

/// Where a closure finds a captured value when it is made.
enum Capture {
  case local(Local)
  case upvalue(Int)
  case enclosingFunction
}

/// A function before it is compiled. Kept after that too, because redefining an open-coded primitive compiles it anew.
final class Lambda {
  var name: String
  let span: SourceSpan
  var parameters: [Local] = []
  /// Number of parameters before `&rest`.
  var required = 0
  var hasRest = false
  /// Whether a variable of its own is assigned in it.
  var assignsLocals = false
  /// A form at top level, which runs once.
  var isTopLevel = false
  /// Written in the prelude: its primitives are the true ones, and it is never compiled anew.
  var isPrelude = false
  var body: Node = .constant(.nil)
  var captures: [Capture] = []
  var capturedLocals: [Local] = []
  /// The name under which the body can call this very closure without a captured variable.
  var selfLocal: Local?
  /// Locals of a `define` that stands where no body announced it, as in a branch of `if`.
  var strayDefinitions: [Local] = []
  /// The compiled form, once there is one.
  var code: Value = .nil

  init(name: String, span: SourceSpan) {
    self.name = name
    self.span = span
  }
}

/// A named let whose name is only called in tail position: a jump in the same frame.
final class Loop {
  let variables: [Local]
  /// Index of its first instruction, set by the compiler.
  var start = 0
  /// The variable that walks along a list when the body begins with the question whether that is empty.
  var walker: Local?
  init(_ variables: [Local]) { self.variables = variables }
}

/// A program after macro expansion and scope analysis: what the compiler translates.
indirect enum Node {
  case constant(Value)
  case local(Local)
  case upvalue(Int, Local)
  case enclosingFunction
  case global(Int, SourceSpan)
  case setLocal(Local, Node)
  /// The first value of a local that an inner `define` binds.
  case initialize(Local, Node)
  case setUpvalue(Int, Local, Node)
  case setGlobal(Int, Node, SourceSpan)
  case defineGlobal(Int, Node, SourceSpan)
  case conditional(Node, Node, Node)
  case and([Node])
  case or([Node])
  case sequence([Node])
  /// Sequential binding.
  case bind([(Local, Node)], Node)
  /// Locals that begin as nil: inner definitions.
  case declare([Local], Node)
  case recursive(Local, Lambda, Node)
  case loop(Loop, [Node], Node)
  case again(Loop, [Node], SourceSpan)
  case lambda(Lambda)
  case call(Node, [Node], SourceSpan)
  case primitive(OpenCoded, [Node], SourceSpan)
  case dict([Value], [Node], SourceSpan)
  /// The condition goes to the first local; `origin`, which a guard has that may let it pass, to the next: the continuation of a raise that can be
  /// continued, else nil.
  case guarded(Node, Local, origin: Local?, Node, SourceSpan)
  case parameterize([(Node, Node)], Node, SourceSpan)
  case handlerBind(Node, Node, SourceSpan)
}

extension Node {
  func isLocal(_ variable: Local) -> Bool {
    if case .local(let local) = self { return local === variable }
    return false
  }

  /// Is a variable, which no closure captures, mentioned in certain nodes only?
  ///
  /// - Parameter allowed: answers, for a node that may mention it, the parts that remain to be looked at; nil for any other node.
  func mentions(_ variable: Local, onlyIn allowed: (Node) -> [Node]?) -> Bool {
    if let remaining = allowed(self) { return remaining.allSatisfy { $0.mentions(variable, onlyIn: allowed) } }
    return !isLocal(variable) && parts.allSatisfy { $0.mentions(variable, onlyIn: allowed) }
  }

  /// The nodes that this one consists of, without the bodies of functions.
  var parts: [Node] {
    switch self {
    case .constant, .local, .upvalue, .enclosingFunction, .global, .lambda: []
    case .setLocal(_, let value), .initialize(_, let value), .setUpvalue(_, _, let value), .setGlobal(_, let value, _), .defineGlobal(_, let value, _): [value]
    case .conditional(let test, let yes, let no): [test, yes, no]
    case .and(let nodes), .or(let nodes), .sequence(let nodes), .again(_, let nodes, _), .primitive(_, let nodes, _), .dict(_, let nodes, _): nodes
    case .bind(let bindings, let body): bindings.map(\.1) + [body]
    case .declare(_, let body), .recursive(_, _, let body): [body]
    case .loop(_, let starts, let body): starts + [body]
    case .call(let function, let arguments, _): [function] + arguments
    case .guarded(let body, _, _, let handler, _): [body, handler]
    case .parameterize(let pairs, let body, _): pairs.flatMap { [$0.0, $0.1] } + [body]
    case .handlerBind(let clauses, let body, _): [clauses, body]
    }
  }
}

/// Primitives that the machine has instructions for. As values they are ordinary natives; redefining one compiles the functions that use it anew.
enum OpenCoded: UInt8, CaseIterable {
  case add, subtract, multiply, less, greater, lessOrEqual, greaterOrEqual, equal, identical, not, isNil, isEmpty, cons, first, rest, mod, get, increment, decrement, isZero, divide, quotient, remainder, vectorRef, vectorSet, reverse, resume, yield
  case length, stringRef, charToInteger

  var name: StaticString {
    switch self {
    case .add: "+"
    case .subtract: "-"
    case .multiply: "*"
    case .less: "<"
    case .greater: ">"
    case .lessOrEqual: "<="
    case .greaterOrEqual: ">="
    case .equal: "="
    case .identical: "eq?"
    case .not: "not"
    case .isNil: "nil?"
    case .isEmpty: "empty?"
    case .cons: "cons"
    case .first: "first"
    case .rest: "rest"
    case .mod: "mod"
    case .get: "get"
    case .increment: "inc"
    case .decrement: "dec"
    case .isZero: "zero?"
    case .divide: "/"
    case .quotient: "quotient"
    case .remainder: "remainder"
    case .vectorRef: "vector-ref"
    case .vectorSet: "vector-set!"
    case .reverse: "reverse"
    case .resume: "coroutine-resume"
    case .yield: "coroutine-yield"
    case .length: "len"
    case .stringRef: "string-ref"
    case .charToInteger: "char->integer"
    }
  }

  /// Argument counts that are open-coded; others go through the native.
  func takes(_ n: Int) -> Bool {
    switch self {
    case .add, .multiply: n >= 1 && n <= 8
    case .subtract: n >= 1 && n <= 8
    case .not, .isNil, .isEmpty, .first, .rest, .reverse, .increment, .decrement, .isZero, .length, .charToInteger: n == 1
    case .vectorSet: n == 3
    case .resume: n == 1 || n == 2
    case .yield: n == 1
    default: n == 2
    }
  }

  /// Other code runs before it is done, which may change anything.
  var switchesFiber: Bool { self == .resume || self == .yield }

  /// Yields true or false, so that a conditional can branch on it directly.
  var isTest: Bool {
    switch self {
    case .less, .greater, .lessOrEqual, .greaterOrEqual, .equal, .identical, .not, .isNil, .isEmpty, .isZero: true
    default: false
    }
  }
}
