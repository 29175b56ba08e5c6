/// Reads and compiles a text without running it.
struct Checker {
  private let machine: Machine
  init(_ machine: Machine) { self.machine = machine }

  func check(_ source: [UInt8], file: String) -> [Diagnostic] {
    var found: [Diagnostic] = []
    var mentioned: [(Int, SourceSpan)] = []
    var defined: Set<Int> = []
    do {
      let text = try machine.register(file: file, bytes: source)
      try text.bytes.withUnsafeBufferPointer { bytes in
        var reader = Reader(machine, text, bytes)
        while let form = try reader.next() {
          for part in machine.parts(form.value, form.span) {
            do { try compile(part.value, part.span, &mentioned, &defined) } catch { found.append(diagnostic(error)) }
          }
        }
      }
    } catch {
      found.append(diagnostic(error))
    }
    for (global, span) in mentioned where machine.globals[global] == .unbound && machine.pending[global] == nil && !defined.contains(global) {
      let name = machine.globalNames[global].text
      let known = machine.definedNames + defined.map { machine.globalNames[$0].text }
      found.append(machine.diagnostic(SyntaxError(message: "Undefined symbol: \(name)" + (Suggestion.near(name, globalNames: known).map { ", " + $0 } ?? ""), span: span)))
    }
    return found.sorted { ($0.location?.line ?? 0, $0.location?.column ?? 0) < ($1.location?.line ?? 0, $1.location?.column ?? 0) }
  }

  private func compile(_ form: Value, _ span: SourceSpan, _ mentioned: inout [(Int, SourceSpan)], _ defined: inout Set<Int>) throws {
    let roots = machine.compileRoots.count
    machine.compileRoots.append(form)
    defer { machine.compileRoots.removeLast(machine.compileRoots.count - roots) }
    var seen: [(Int, SourceSpan)] = []
    var analyzer = Analyzer(machine)
    analyzer.noteGlobal = { seen.append(($0, $1)) }
    let lambda = try analyzer.topLevel(form, span)
    _ = try Compiler.compile(machine, lambda)
    mentioned += seen
    var calls = CallChecker(machine: machine)
    try calls.check(lambda.body)
    defined.formUnion(calls.defined)
    // A function that macros of this text may call must exist; making a closure has no other effect.
    if case .defineGlobal(let index, .lambda(let function), _) = lambda.body {
      let code = try Compiler.compile(machine, function)
      try machine.setGlobal(index, machine.heap.closure(Code.of(cell: code), captures: 0))
    }
  }

  private func diagnostic(_ error: any Error) -> Diagnostic {
    if let syntax = error as? SyntaxError { return machine.diagnostic(syntax) }
    return machine.diagnostic(machine.asRaise(error))
  }
}

/// Finds calls of known functions with a wrong number of arguments, and the globals that a program defines.
struct CallChecker {
  let machine: Machine
  private(set) var defined: Set<Int> = []

  init(machine: Machine) { self.machine = machine }

  mutating func check(_ node: Node) throws {
    switch node {
    case .constant, .local, .upvalue, .enclosingFunction, .global: break
    case .setLocal(_, let value), .initialize(_, let value), .setUpvalue(_, _, let value), .setGlobal(_, let value, _): try check(value)
    case .defineGlobal(let index, let value, _):
      defined.insert(index)
      try check(value)
    case .conditional(let a, let b, let c): try check([a, b, c])
    case .and(let nodes), .or(let nodes), .sequence(let nodes), .again(_, let nodes, _), .primitive(_, let nodes, _), .dict(_, let nodes, _): try check(nodes)
    case .bind(let bindings, let body): try check(bindings.map(\.1) + [body])
    case .declare(_, let body): try check(body)
    case .recursive(_, let lambda, let body): try check([lambda.body, body])
    case .loop(_, let starts, let body): try check(starts + [body])
    case .lambda(let lambda): try check(lambda.body)
    case .guarded(let body, _, let handler, _): try check([body, handler])
    case .parameterize(let pairs, let body, _): try check(pairs.flatMap { [$0.0, $0.1] } + [body])
    case .handlerBind(let clauses, let body, _): try check([clauses, body])
    case .call(let function, let arguments, let span):
      try check([function] + arguments)
      guard case .global(let index, _) = function, !defined.contains(index) else { return }
      let v = try machine.globalValue(index)         // evaluates a definition of the prelude, which has no other effect
      if v.isKind(.native), let message = v.native.arityProblem(arguments.count) {
        throw SyntaxError(message: message, span: span, hint: "usage: \(v.native.signature)")
      }
      if v.isKind(.closure) {
        let code = Code.of(closure: v)
        if !code.lambda.hasRest, arguments.count > code.lambda.required {
          throw SyntaxError(message: "\(code.displayName): expected \(code.lambda.required == 0 ? "no" : "at most \(code.lambda.required)") argument\(code.lambda.required == 1 ? "" : "s"), got \(arguments.count)", span: span, hint: "usage: \(code.signature)")
        }
      }
    }
  }
  private mutating func check(_ nodes: [Node]) throws { for node in nodes { try check(node) } }
}
