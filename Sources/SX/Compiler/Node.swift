/// A variable of a function.
final class Local {
  let name: Value
  /// Assigned after it was bound, or captured before. Such a variable lives in a box, because a re-entered continuation and
  /// every closure must see the same value.
  var isAssigned = false
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
  /// Register depth at its head.
  var depth = 0
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

/// Primitives that the machine has instructions for. As values they are ordinary natives; redefining one compiles the functions that use it anew.
enum OpenCoded: UInt8, CaseIterable {
  case add, subtract, multiply, less, greater, lessOrEqual, greaterOrEqual, equal, identical, not, isNil, isEmpty, cons, first, rest, mod, get, increment, decrement, isZero, divide, quotient, remainder, vectorRef, vectorSet

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
    }
  }

  /// Argument counts that are open-coded; others go through the native.
  func takes(_ n: Int) -> Bool {
    switch self {
    case .add, .multiply: n >= 1 && n <= 8
    case .subtract: n >= 1 && n <= 8
    case .not, .isNil, .isEmpty, .first, .rest, .increment, .decrement, .isZero: n == 1
    case .vectorSet: n == 3
    default: n == 2
    }
  }

  /// Yields true or false, so that a conditional can branch on it directly.
  var isTest: Bool {
    switch self {
    case .less, .greater, .lessOrEqual, .greaterOrEqual, .equal, .identical, .not, .isNil, .isEmpty, .isZero: true
    default: false
    }
  }
}
