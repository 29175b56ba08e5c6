/// Reads and compiles a text without running it, and finds every mistake that can be known without running it.
///
/// After a mistake it goes on: inside a form with the next form, after unbalanced brackets with the next line that begins with a bracket.
struct Checker {
  private let machine: Machine
  private var found: [Diagnostic] = []
  private var mentioned: [(global: Int, span: SourceSpan)] = []
  private var defined: Set<Int> = []
  /// Files that were looked into because of a `load`.
  private var loaded: Set<String> = []
  private var constructors: ConstructorCheck

  init(_ machine: Machine) {
    self.machine = machine
    constructors = ConstructorCheck(machine)
  }

  mutating func check(_ source: [UInt8], file: String) -> [Diagnostic] {
    do {
      try read(try machine.register(file: file, bytes: source))
    } catch {
      note(error)
    }
    reportUndefined()
    do { for mistake in try constructors.mistakes() { note(mistake) } } catch { note(error) }
    return found.sorted { ($0.location?.line ?? 0, $0.location?.column ?? 0) < ($1.location?.line ?? 0, $1.location?.column ?? 0) }
  }

  private mutating func reportUndefined() {
    let own = defined.map { machine.globalNames[$0].text }
    for (global, span) in mentioned where machine.globals[global] == .unbound && machine.pending[global] == nil && !defined.contains(global) {
      let name = machine.globalNames[global].text
      let message = machine.undefinedMessage(name, alsoKnown: own)
      let nearer = Hint.text(for: message) == nil ? machine.nearerMessage(name, span) : nil
      found.append(machine.diagnostic(SyntaxError(message: nearer ?? message, span: span)))
    }
  }

  /// All forms of a text. Where brackets do not match, the rest of the form is skipped.
  private mutating func read(_ text: SourceText) throws {
    var position = 0
    while true {
      do {
        try text.bytes.withUnsafeBufferPointer { bytes in
          var reader = Reader(machine, text, bytes, from: position)
          while let form = try reader.next() {
            for part in machine.parts(form.value, form.span) { compile(part.value, part.span, file: text.file) }
          }
        }
        return
      } catch let error as SyntaxError {
        note(error)
        let place = Int(error.span.start - text.base)
        let next = text.bytes.withUnsafeBufferPointer { Reader(machine, text, $0, from: position).nextTopLevelForm(after: place) }
        guard let next, next > position else { return }
        noteDefinitions(in: text, position..<next)
        position = next
      }
    }
  }

  /// Names that a form defines which cannot be read, so that their users are not called mistaken as well.
  private mutating func noteDefinitions(in text: SourceText, _ range: Range<Int>) {
    text.bytes.withUnsafeBufferPointer { bytes in
      let scanner = DefinitionScanner(bytes)
      for i in range where bytes[i] == UInt8(ascii: "(") {
        if let (name, _) = scanner.definition(i) { defined.insert(machine.globalIndex(machine.heap.symbol(name))) }
      }
    }
  }

  private mutating func note(_ error: any Error) {
    if let syntax = error as? SyntaxError { found.append(machine.diagnostic(syntax)) } else { found.append(machine.diagnostic(machine.asRaise(error))) }
  }

  private mutating func compile(_ form: Value, _ span: SourceSpan, file: String) {
    let roots = machine.compileRoots.count
    machine.compileRoots.append(form)
    defer {
      machine.compileRoots.removeLast(machine.compileRoots.count - roots)
      if machine.compileRoots.isEmpty { machine.aliases.removeAll() }
    }
    follow(form, from: file)
    do {
      var seen: [(Int, SourceSpan)] = [], mistakes: [any Error] = []
      var analyzer = Analyzer(machine)
      analyzer.noteGlobal = { seen.append(($0, $1)) }
      analyzer.noteError = { mistakes.append($0) }
      let lambda = try analyzer.topLevel(form, span)
      mentioned += seen
      for mistake in mistakes { note(mistake) }
      let patterns = constructors.patternCount
      var calls = CallChecker(machine: machine, constructors: constructors)
      try calls.check(lambda.body)
      for mistake in calls.mistakes { note(mistake) }
      defined.formUnion(calls.defined)
      constructors = calls.constructors
      constructors.endForm(form, defined: calls.defined, since: patterns)
      _ = try Compiler.compile(machine, lambda)
      // A function that macros of this text may call must exist; making a closure has no other effect.
      if case .defineGlobal(let index, .lambda(let function), _) = lambda.body {
        let code = try Compiler.compile(machine, function)
        try machine.setGlobal(index, machine.heap.closure(Code.of(cell: code), captures: 0))
      }
    } catch {
      note(error)
    }
  }

  /// `(load "file")` at top level: the names and macros of that file are known from here on. Its own mistakes are for a check of its own.
  private mutating func follow(_ form: Value, from file: String) {
    guard form.isListCell, form.length == 2, machine.heap.element(form, 0) == machine.symbol("load") else { return }
    let path = machine.heap.element(form, 1)
    guard path.isString, let loader = try? machine.openSource(path.text, from: file), loaded.insert(loader.text.file).inserted else { return }
    let (kept, mentions, uses) = (found, mentioned, constructors.uses)
    try? read(loader.text)
    (found, mentioned, constructors.uses) = (kept, mentions, uses)
  }
}

/// Finds calls of known functions with a wrong number of arguments, and the globals that a program defines.
struct CallChecker {
  let machine: Machine
  private(set) var defined: Set<Int> = []
  private(set) var mistakes: [SyntaxError] = []
  private(set) var constructors: ConstructorCheck

  init(machine: Machine, constructors: ConstructorCheck) {
    self.machine = machine
    self.constructors = constructors
  }

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
    case .guarded(let body, _, _, let handler, _): try check([body, handler])
    case .parameterize(let pairs, let body, _): try check(pairs.flatMap { [$0.0, $0.1] } + [body])
    case .handlerBind(let clauses, let body, _): try check([clauses, body])
    case .call(let function, let arguments, let span):
      try check([function] + arguments)
      constructors.note(function, arguments, span)
      guard case .global(let index, _) = function, !defined.contains(index) else { return }
      let v = try machine.globalValue(index)         // evaluates a definition of the prelude, which has no other effect
      if v.isKind(.native), let message = v.native.arityProblem(arguments.count) {
        mistakes.append(SyntaxError(message: message, span: span, hint: "usage: \(v.native.signature)"))
      }
      if let function = v.object(as: HostFunction.self), !function.arity.accepts(arguments.count) {
        mistakes.append(SyntaxError(message: function.arity.message(function.name, arguments.count), span: span, hint: "usage: \(function.signature)"))
      }
      if v.isKind(.closure) {
        let code = Code.of(closure: v)
        if !code.lambda.hasRest, arguments.count > code.lambda.required {
          mistakes.append(SyntaxError(message: "\(code.displayName): expected \(code.lambda.required == 0 ? "no" : "at most \(code.lambda.required)") argument\(code.lambda.required == 1 ? "" : "s"), got \(arguments.count)", span: span, hint: "usage: \(code.signature)"))
        }
      }
    }
  }
  private mutating func check(_ nodes: [Node]) throws { for node in nodes { try check(node) } }
}
