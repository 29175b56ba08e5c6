/// A datum of a generated program: text that can still be taken apart.
indirect enum ProgramTree: Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
  case atom(String)
  case list([ProgramTree])
  init(stringLiteral text: String) { self = .atom(text) }

  var description: String {
    switch self {
    case .atom(let text): text
    case .list(let parts): "(" + parts.map(\.description).joined(separator: " ") + ")"
    }
  }
  var size: Int { if case .list(let parts) = self { parts.reduce(1) { $0 + $1.size } } else { 1 } }

  /// Smaller trees with one part replaced or left out, those that take most away first.
  var reductions: [ProgramTree] {
    guard case .list(let parts) = self else { return [] }
    var out = parts + ["1"]
    for i in parts.indices { out.append(.list(Array(parts[..<i] + parts[(i + 1)...]))) }
    for i in parts.indices {
      for smaller in parts[i].reductions {
        var changed = parts
        changed[i] = smaller
        out.append(.list(changed))
      }
    }
    return out.sorted { $0.size < $1.size }
  }
}

/// The same numbers for the same seed, everywhere.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Random programs in which every name is bound and every loop ends. Mistakes of types happen, and are meant to: they raise.
struct ProgramGenerator {
  enum Kind: CaseIterable { case number, boolean, text, numbers, dict, function }
  private struct Variable { let name: String, kind: Kind }

  private var random: SplitMix64
  private var variables: [Variable] = []
  /// Functions of two parameters, a fuel and a number, that may call each other.
  private var recursive: [String] = []
  private var parameters: [String] = []
  private var count = 0
  /// What the program's global names begin with.
  private let prefix: String

  init(seed: UInt64) {
    random = SplitMix64(seed: seed)
    prefix = "p\(seed)"
  }

  // MARK: Choosing

  private mutating func below(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
  private mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
  private mutating func pick<T>(_ all: [T]) -> T { all[below(all.count)] }

  private mutating func fresh() -> String {
    count += 1
    // Some names hide primitives and special forms.
    if chance(3) { return pick(["list", "first", "len", "x", "if", "rest", "str", "and", "not"]) }
    return chance(25) ? pick(["x", "y", "n", "acc"]) : pick(["a", "b", "v", "k", "item"]) + "\(count)"
  }

  /// Runs `body` with more variables, which hide others of their names.
  private mutating func with<T>(_ names: [(String, Kind)], _ body: (inout ProgramGenerator) -> T) -> T {
    let outer = variables
    for (name, kind) in names {
      variables.removeAll { $0.name == name }
      variables.append(Variable(name: name, kind: kind))
    }
    defer { variables = outer }
    return body(&self)
  }
  private mutating func variable(_ kind: Kind) -> ProgramTree? {
    let fitting = variables.filter { $0.kind == kind }
    return fitting.isEmpty ? nil : .atom(pick(fitting).name)
  }

  // MARK: Programs

  mutating func program() -> [ProgramTree] {
    var forms: [ProgramTree] = []
    parameters = [prefix + "-p"]
    forms.append(["define", .atom(parameters[0]), ["make-parameter", atom(.number)]])
    for i in 0..<below(3) {
      let kind = pick(Kind.allCases), name = "\(prefix)-g\(i)"
      forms.append(["define", .atom(name), expression(kind, 3)])
      variables.append(Variable(name: name, kind: kind))
    }
    for i in 0..<below(3) { recursive.append("\(prefix)-r\(i)") }
    for name in recursive { forms.append(recursion(name)) }
    for _ in 0...below(2) { forms.append(chance(50) ? effect(4) : expression(pick(Kind.allCases), 4)) }
    forms.append(["list"] + [expression(pick([.number, .text, .numbers, .dict, .boolean]), 5)] + variables.map { .atom($0.name) })
    return forms
  }

  /// A global function that counts its fuel down; its recursive calls stand in tail position or not.
  private mutating func recursion(_ name: String) -> ProgramTree {
    let fuel = "fuel", n = "n"
    return with([(n, .number), (fuel, .number)]) { sx in
      let again: ProgramTree = [.atom(sx.pick(sx.recursive)), ["-", .atom(fuel), "1"], sx.expression(.number, 2)]
      let step: ProgramTree = sx.chance(50) ? again : ["+", again, sx.expression(.number, 1)]
      return ["define", [.atom(name), .atom(fuel), .atom(n)], ["if", ["<=", .atom(fuel), "0"], sx.expression(.number, 2), sx.chance(30) ? ["begin", sx.effect(2), step] : step]]
    }
  }

  // MARK: Expressions

  private mutating func atom(_ kind: Kind) -> ProgramTree {
    if chance(70), let known = variable(kind) { return known }
    switch kind {
    case .number: return .atom(pick(["0", "1", "2", "3", "7", "-1", "10", "2.5", "1/2", "1.0", "4611686018427387903", "-4611686018427387904", "9223372036854775807"]))
    case .boolean: return .atom(pick(["true", "false", "nil"]))
    case .text: return .atom(pick(["\"\"", "\"ab\"", "\"käse\"", "\"a b\"", ":key"]))
    case .numbers: return pick([["list"], ["list", "1", "2", "3"], ["quote", ["5", "6"]], ["range", "4"], "nil"])
    case .dict: return .atom(pick(["{}", "{:a 1}", "{:a 1 :b (list 2)}"]))
    case .function: return .atom(pick(["inc", "-", "str", "list", "abs", "not"]))
    }
  }

  mutating func expression(_ kind: Kind, _ depth: Int) -> ProgramTree {
    if depth <= 0 || chance(12) { return atom(kind) }
    if chance(45) { return general(kind, depth - 1) }
    let d = depth - 1
    switch kind {
    case .number: return number(d)
    case .boolean:
      switch below(7) {
      case 0: return [.atom(pick(["<", ">", "<=", ">=", "=", "!="])), number(d), expression(.number, d)]
      case 1: return ["not", expression(pick(Kind.allCases), d)]
      case 2: return [.atom(pick(["even?", "zero?", "odd?"])), expression(.number, d)]
      case 3: return [.atom(pick(["nil?", "list?", "number?", "string?", "empty?"])), expression(pick([.numbers, .dict, .text]), d)]
      case 4: return ["=", expression(.numbers, d), expression(.numbers, d)]
      case 5: return [.atom(pick(["some", "every?"])), function(.boolean, d), expression(.numbers, d)]
      default: return ["contains?", expression(.numbers, d), expression(.number, d)]
      }
    case .text:
      switch below(5) {
      case 0: return ["str"] + (0...below(3)).map { _ in expression(pick(Kind.allCases), d) }
      case 1: return [.atom(pick(["upper", "trim"])), expression(.text, d)]
      case 2: return ["join", "\",\"", ["map", "str", expression(.numbers, d)]]
      case 3: return ["guard", ["e", [["error?", "e"], ["error-message", "e"]], ["else", ["str", "\"other \"", "e"]]], expression(.text, d)]
      default: return ["inspect", expression(pick(Kind.allCases), d)]
      }
    case .numbers: return numbers(d)
    case .dict:
      switch below(4) {
      case 0: return ["assoc", expression(.dict, d), key(), expression(.number, d)]
      case 1: return ["merge", expression(.dict, d), expression(.dict, d)]
      case 2:
        let d1 = expression(.number, d), d2 = expression(pick(Kind.allCases), d)
        return .atom("{:a \(d1) :c \(d2)}")
      default: return ["dissoc", expression(.dict, d), key()]
      }
    case .function: return function(.number, d)
    }
  }

  private mutating func key() -> ProgramTree { .atom(pick([":a", ":b", "\"c\""])) }

  /// A function of one number.
  private mutating func function(_ result: Kind, _ depth: Int) -> ProgramTree {
    if chance(15), let known = variable(.function) { return known }
    let name = fresh()
    return with([(name, .number)]) { sx in
      let parameters: ProgramTree = sx.chance(15) ? [.atom(name), "&rest", "more"] : [.atom(name)]
      return ["fn", parameters] + sx.body(result, depth)
    }
  }

  private mutating func number(_ d: Int) -> ProgramTree {
    switch below(20) {
    case 0, 1, 2, 3: return [.atom(pick(["+", "-", "*"]))] + (0...below(3)).map { _ in expression(.number, d) }
    case 4: return [.atom(pick(["quotient", "mod", "remainder", "/"])), expression(.number, d), expression(.number, d)]
    case 5: return [.atom(pick(["inc", "dec", "abs"])), expression(.number, d)]
    case 6: return ["len", expression(pick([.numbers, .text, .dict]), d)]
    case 7: return [.atom(pick(["first", "last"])), expression(.numbers, d)]
    case 8: return ["nth", expression(.numbers, d), .atom("\(below(4))")]
    case 9: return ["get", expression(.dict, d), key(), expression(.number, d)]
    case 10: return [expression(.function, d), expression(.number, d)]
    case 11:
      let a = fresh(), b = fresh() + "b"
      return ["reduce", with([(a, .number), (b, .number)]) { ["fn", [.atom(a), .atom(b)], $0.expression(.number, d)] }, expression(.number, d), expression(.numbers, d)]
    case 12: return ["apply", .atom(pick(["+", "max", "*"])), expression(.numbers, d)]
    case 13 where !recursive.isEmpty: return [.atom(pick(recursive)), .atom("\(below(6))"), expression(.number, d)]
    case 14, 15: return loop(d)
    case 16: return scan(d)
    case 17: return [.atom(pick(parameters))]
    case 18: return ["->", expression(.number, d), ["+", atom(.number)], .atom(pick(["inc", "dec"]))]
    default: return ["string-length", expression(.text, d)]
    }
  }

  /// A named let that counts, in tail position or not; closures may keep its variables.
  private mutating func loop(_ d: Int) -> ProgramTree {
    let name = chance(10) ? "i" : "loop\(below(2))", i = "i", total = fresh() + "t", limit = "\(below(5))"
    return with([(i, .number), (total, .number)]) { sx in
      let outer = sx.variables.filter { $0.name != i && $0.name != total }
      let again: ProgramTree = [.atom(name), ["+", "i", "1"], sx.expression(.number, d)]
      let next: ProgramTree
      switch sx.below(5) {
      case 0: next = ["+", "1", again]
      case 1: next = ["begin", sx.effect(d), again]
      case 2: next = ["let", [["k", sx.function(.number, d)]], [.atom(name), ["+", "i", "1"], ["k", "i"]]]
      default: next = again
      }
      let inner = sx.variables
      sx.variables = outer
      let start = sx.expression(.number, d)
      sx.variables = inner
      let test: ProgramTree = [.atom(sx.pick([">=", "="])), "i", .atom(limit)]
      let result: ProgramTree = sx.chance(50) ? .atom(total) : sx.expression(.number, d)
      if name == "i" { return ["do", [["i", "0", ["+", "i", "1"]], [.atom(total), start, sx.expression(.number, d)]], [test, result], sx.effect(d)] }
      return ["let", .atom(name), [["i", "0"], [.atom(total), start]], sx.chance(50) ? ["if", test, result, next] : ["cond", [test, result], ["else", next]]]
    }
  }

  /// A loop along a list.
  private mutating func scan(_ d: Int) -> ProgramTree {
    let items = expression(.numbers, d), start = expression(.number, d)
    return with([("l", .numbers), ("s", .number)]) { sx in
      let next: ProgramTree = ["walk", ["rest", "l"], sx.chance(50) ? ["+", "s", ["first", "l"]] : sx.expression(.number, d)]
      return ["let", "walk", [["l", items], ["s", start]], ["if", ["empty?", "l"], "s", sx.chance(25) ? ["begin", sx.effect(d), next] : next]]
    }
  }

  private mutating func numbers(_ d: Int) -> ProgramTree {
    switch below(13) {
    case 0: return ["list"] + (0..<below(4)).map { _ in expression(.number, d) }
    case 1: return ["map", function(.number, d), expression(.numbers, d)]
    case 2: return ["filter", function(.boolean, d), expression(.numbers, d)]
    case 3: return ["cons", expression(.number, d), expression(.numbers, d)]
    case 4: return [.atom(pick(["rest", "reverse", "sort"])), expression(.numbers, d)]
    case 5: return [.atom(pick(["append", "concat"])), expression(.numbers, d), expression(.numbers, d)]
    case 6: return [.atom(pick(["take", "drop"])), expression(.numbers, d), .atom("\(below(4))")]
    case 7: return ["map", "+", expression(.numbers, d), expression(.numbers, d)]
    case 8: return ["quasiquote", ["1", ["unquote", expression(.number, d)], ["unquote-splicing", expression(.numbers, d)]]]
    case 9:
      // A list that a loop collects, and closures that it leaves behind.
      return with([("i", .number)]) { sx in
        ["let", "go", [["i", "0"], ["out", ["list"]]], ["if", ["=", "i", .atom("\(sx.below(5))")], ["reverse", "out"], ["go", ["+", "i", "1"], ["cons", sx.expression(.number, d), "out"]]]]
      }
    case 10:
      return ["map", ["fn", ["f"], ["f"]],
              with([("i", .number)]) { sx in
                ["do", [["i", "0", ["+", "i", "1"]], ["fs", "nil", ["cons", ["fn", [], sx.expression(.number, d)], "fs"]]], [["=", "i", .atom("\(sx.below(4))")], "fs"]]
              }]
    case 11: return ["let", [["m", ["list", expression(.number, d)]]], ["append!", "m", expression(.number, d)], "m"]
    default: return ["keys", expression(.dict, d)]
    }
  }

  /// What may stand in place of any expression.
  private mutating func general(_ kind: Kind, _ d: Int) -> ProgramTree {
    switch below(21) {
    case 0, 1, 2: return ["if", expression(.boolean, d), expression(kind, d), expression(kind, d)]
    case 3, 4, 5:
      let name = fresh(), bound = pick(Kind.allCases), value = expression(bound, d)
      return with([(name, bound)]) { ["let", [[.atom(name), value]]] + $0.body(kind, d) }
    case 6: return ["begin", effect(d), expression(kind, d)]
    case 7: return ["cond", [expression(.boolean, d), expression(kind, d)], [expression(.boolean, d), expression(kind, d)], ["else", expression(kind, d)]]
    case 8: return [.atom(pick(["and", "or"])), expression(.boolean, d), expression(kind, d)]
    case 9: return ["case", expression(.number, d), [["0", "1", "2"], expression(kind, d)], [["3", "5/2"], expression(kind, d)], ["else", expression(kind, d)]]
    case 10, 11: return guarded(kind, d)
    case 12:
      return ["call/cc", ["fn", ["k"], ["begin", ["if", expression(.boolean, d), ["k", expression(kind, d)], "nil"], expression(kind, d)]]]
    case 13:
      return ["dynamic-wind", ["fn", [], say(d)], ["fn", []] + body(kind, d), ["fn", [], say(d)]]
    case 14:
      let value = expression(.number, d)
      return ["parameterize", [[.atom(pick(parameters)), value]]] + body(kind, d)
    case 15:
      return ["letrec", [["ev?", ["fn", ["n"], ["if", ["<=", "n", "0"], "true", ["od?", ["-", "n", "1"]]]]], ["od?", ["fn", ["n"], ["if", ["<=", "n", "0"], "false", ["ev?", ["-", "n", "1"]]]]]],
              ["if", ["ev?", .atom("\(below(9))")], expression(kind, d), expression(kind, d)]]
    case 16:
      let name = fresh(), bound = pick(Kind.allCases), value = expression(bound, d)
      return with([(name, bound)]) { ["let", [], ["define", .atom(name), value]] + $0.body(kind, d) }
    case 17: return ["force", ["delay", expression(kind, d)]]
    case 18:
      return ["handler-bind", [[.atom(pick(["number?", "string?", "error?"])), with([("c", .number)]) { ["fn", ["c"], $0.say(d), $0.expression(kind, d)] }]],
              chance(70) ? ["raise-continuable", expression(pick([.number, .text]), d)] : expression(kind, d)]
    case 19: return ["match", expression(.numbers, d), [["x", "y"], with([("x", .number), ("y", .number)]) { $0.expression(kind, d) }], [["x", "&rest", "more"], expression(kind, d)], ["_", expression(kind, d)]]
    default:
      // Arguments that change a variable which their neighbours read.
      guard let v = variables.last(where: { $0.kind == .number })?.name else { return expression(kind, d) }
      return ["begin", ["display", ["list", .atom(v), ["set!", .atom(v), expression(.number, d)], .atom(v)]], expression(kind, d)]
    }
  }

  private mutating func guarded(_ kind: Kind, _ d: Int) -> ProgramTree {
    let raised: ProgramTree
    switch below(4) {
    case 0: raised = ["raise", expression(pick(Kind.allCases), d)]
    case 1: raised = ["error", "\"bad\"", expression(.number, d)]
    case 2: raised = expression(kind, d)
    default: raised = ["if", expression(.boolean, d), ["raise", expression(.text, d)], expression(kind, d)]
    }
    let first: ProgramTree = with([("e", .text)]) { [["string?", "e"], $0.expression(kind, d)] }
    let clauses: [ProgramTree] = chance(70) ? [first, ["else", expression(kind, d)]] : [first]
    return ["guard", .list(["e"] + clauses), raised]
  }

  private mutating func say(_ d: Int) -> ProgramTree { [.atom(pick(["display", "println", "write"])), expression(pick(Kind.allCases), min(d, 1))] }

  /// Something that is done, not asked for.
  private mutating func effect(_ d: Int) -> ProgramTree {
    switch below(5) {
    case 0, 1:
      guard let known = variables.isEmpty ? nil : pick(variables), known.kind != .function, known.name != "i", known.name != "fuel" else { return say(d) }
      return ["set!", .atom(known.name), expression(known.kind, d - 1)]
    case 2: return ["when", expression(.boolean, d - 1), say(d)]
    case 3: return ["for-each", function(.number, d - 1), expression(.numbers, d - 1)]
    default: return say(d)
    }
  }

  /// One form, or several, of which the first may define.
  private mutating func body(_ kind: Kind, _ d: Int) -> [ProgramTree] {
    if chance(20) {
      let name = fresh() + "f"
      let inner: ProgramTree = with([("n", .number)]) { ["define", [.atom(name), "n"], $0.expression(.number, d - 1)] }
      return with([(name, .function)]) { [inner, $0.expression(kind, d)] }
    }
    return chance(25) ? [effect(d), expression(kind, d)] : [expression(kind, d)]
  }
}

extension ProgramTree: ExpressibleByArrayLiteral {
  init(arrayLiteral parts: ProgramTree...) { self = .list(parts) }
  static func + (a: ProgramTree, b: [ProgramTree]) -> ProgramTree {
    if case .list(let parts) = a { .list(parts + b) } else { .list([a] + b) }
  }
}
