@testable import SX

/// A second evaluator of SX, which walks the forms as the reader gives them, so plain that one sees that it is right. It shares the reader,
/// the values, the printer and the primitives that call nobody with the product, and nothing of its compiler and its machine.
///
/// Functions of the prelude that it does not bring along itself run as the SX that they are. Not there: continuations that are entered again,
/// fibers, `syntax-rules` and libraries; a program that needs them ends with `Unsupported`.
final class ReferenceEvaluator {
  let interpreter: Interpreter
  let machine: Machine
  var heap: Heap { machine.heap }

  let program = ReferenceEnvironment(isPrelude: false)
  private let prelude = ReferenceEnvironment(isPrelude: true)
  private var globals: [UInt64: Value] = [:]
  /// What the prelude has defined under names that a program may take for itself.
  private var preludeGlobals: [UInt64: Value] = [:]
  private var functions: [UInt64: Value] = [:]
  private var specialForms: [UInt64: ReferenceForm] = [:]
  private var expansions: [UInt64: (macro: UInt64, expansion: Value)] = [:]

  var handlers: ReferenceHandler?
  /// What `parameterize` has bound, innermost last.
  var bindings: [(parameter: Value, value: Value)] = []
  private var depth = 0
  private static let deepest = 4_000
  /// Steps that a form at top level may take.
  var mostSteps = Int.max
  private var steps = 0

  /// What the cases of a suite have led to, by path.
  var suites: [String] = []
  var cases: [(path: String, outcome: CaseOutcome)] = []
  enum CaseOutcome: Equatable { case passed, skipped, failed(String), unsupported(String) }

  init(host: any Host) {
    interpreter = Interpreter(host: host)
    machine = interpreter.machine
    for form in ReferenceForm.allCases { specialForms[heap.symbol(form.rawValue).bits] = form }
    specialForms[heap.symbol("λ").bits] = .fn
    installFunctions()
  }

  func install(_ name: String, _ required: Int, hasRest: Bool = false, _ body: @escaping ReferenceFunction.Body) {
    let symbol = heap.symbol(name), original = native(symbol)
    functions[symbol.bits] = heap.allocate(object: ReferenceFunction(original?.native.aliasOf ?? name, required, hasRest: hasRest, native: original?.native, body: body))
  }

  /// Makes the head of a form mean another form: for tests of the comparison itself.
  func read(_ head: String, as form: ReferenceForm) { specialForms[heap.symbol(head).bits] = form }

  // MARK: Programs

  /// Evaluates all forms of a text. An unknown way to define a name at top level leaves the name unusable, and the rest goes on when `isSuite`.
  func run(_ source: String, file: String, isSuite: Bool = false) throws -> Value {
    let text = try machine.register(file: file, bytes: Array(source.utf8))
    var last = Value.nil, position = 0
    while true {
      let form = try text.bytes.withUnsafeBufferPointer { bytes in
        var reader = Reader(machine, text, bytes, from: position)
        defer { position = reader.position }
        return try reader.next()
      }
      guard let form else { return last }
      do {
        (handlers, bindings, depth, steps) = (nil, [], 0, 0)
        last = try evaluate(form.value, program)
      } catch let missing as Unsupported where isSuite {
        makeUnknown(form.value, missing.what)
      }
    }
  }

  private func makeUnknown(_ form: Value, _ reason: String) {
    guard form.isListCell, form.length > 1 else { return }
    var names = Array(ListElements(form).dropFirst())
    if names[0].isListCell { names = Array(ListElements(names[0])) }
    for name in names where name.isKind(.symbol) && globals[name.bits] == nil { globals[name.bits] = heap.allocate(object: ReferenceUnknown(reason)) }
  }

  // MARK: Names

  private func native(_ name: Value) -> Value? {
    let index = machine.globalIndex(name)
    return machine.globals[index].isKind(.native) ? machine.globals[index] : nil
  }

  /// The value of a global name, or nil.
  func global(_ name: Value, isPrelude: Bool) throws -> Value? {
    let native = native(name), builtIn = functions[name.bits]
    if isPrelude, let native { return builtIn ?? native }
    if isPrelude, let known = preludeGlobals[name.bits] ?? (isShared(name) ? nil : builtIn) { return known }
    if !isPrelude || isShared(name), let known = globals[name.bits] {
      if let unknown = known.object(as: ReferenceUnknown.self) { throw Unsupported(what: unknown.reason) }
      return known
    }
    if let found = builtIn ?? native ?? preludeGlobals[name.bits] { return found }
    guard let definition = machine.pending[machine.globalIndex(name)] else {
      // Parts of the machine that only the prelude can name.
      if Native.forPreludeOnly.contains(name.text) { throw Unsupported(what: name.text) }
      return nil
    }
    let form = try definition.read(machine)
    // What is defined runs apart from who asks.
    let outer = (handlers, bindings)
    defer { (handlers, bindings) = outer }
    (handlers, bindings) = (nil, [])
    if let form { _ = try evaluate(form.value, prelude) }
    return preludeGlobals[name.bits] ?? globals[name.bits]
  }
  func setGlobal(_ name: Value, _ value: Value, isPrelude: Bool) {
    if isPrelude, !isShared(name) { preludeGlobals[name.bits] = value } else { globals[name.bits] = value }
  }
  /// Has a name a prefix? Then the program and the prelude mean the same by it.
  private func isShared(_ name: Value) -> Bool { name.text.contains("/") }

  private func undefined(_ name: Value) throws -> Value {
    try fail(machine.error(machine.undefinedMessage(name.text, alsoKnown: globals.keys.map { Value(bits: $0).text })))
  }

  private func lookUp(_ name: Value, _ environment: ReferenceEnvironment) throws -> Value {
    if let cell = environment.find(name) { return cell.value }
    if let value = try global(name, isPrelude: environment.isPrelude) { return value }
    if specialForms[name.bits] != nil { throw Unsupported(what: "a special form in place of a value") }
    return try undefined(name)
  }

  func assign(_ name: Value, _ value: Value, _ environment: ReferenceEnvironment) throws {
    if let cell = environment.find(name) { return cell.value = value }
    if try global(name, isPrelude: environment.isPrelude) == nil { _ = try undefined(name) }
    setGlobal(name, value, isPrelude: environment.isPrelude)
  }

  func define(_ name: Value, _ value: Value, _ environment: ReferenceEnvironment) {
    if environment.isTopLevel { return setGlobal(name, value, isPrelude: environment.isPrelude) }
    if let cell = environment.own(name) { cell.value = value } else { environment.bind(name, value) }
  }

  /// The special form that a head means: a variable of that name hides it.
  func specialForm(_ head: Value, _ environment: ReferenceEnvironment) -> ReferenceForm? {
    guard head.isKind(.symbol), let form = specialForms[head.bits], environment.find(head) == nil else { return nil }
    return form
  }

  /// A form whose head is no macro anymore.
  func expanded(_ form: Value, _ environment: ReferenceEnvironment) throws -> Value {
    var form = form
    while form.isListCell, form.length > 0 {
      let head = heap.element(form, 0)
      guard head.isKind(.symbol), environment.find(head) == nil, specialForms[head.bits] == nil else { return form }
      guard let value = try global(head, isPrelude: environment.isPrelude), let macro = value.object(as: ReferenceMacro.self) else { return form }
      if let known = expansions[form.bits], known.macro == value.bits {
        form = known.expansion
      } else {
        let expansion = try call(macro.closure, Array(ListElements(form).dropFirst()))
        expansions[form.bits] = (value.bits, expansion)
        form = expansion
      }
    }
    return form
  }

  // MARK: Evaluation

  func evaluate(_ form: Value, _ environment: ReferenceEnvironment) throws -> Value { try run(.evaluate(form, environment)) }
  func call(_ function: Value, _ arguments: [Value]) throws -> Value { try run(.call(function, arguments)) }

  func run(_ first: ReferenceStep) throws -> Value {
    depth += 1
    defer { depth -= 1 }
    guard depth < Self.deepest else { throw Unsupported(what: "deep recursion") }
    var step = first
    while true {
      steps += 1
      if steps > mostSteps { throw Unsupported(what: "so much work") }
      switch step {
      case .value(let value): return value
      case .evaluate(let form, let environment): step = try evaluateOnce(form, environment)
      case .sequence(let forms, let environment):
        guard let last = forms.last else { return .nil }
        for form in forms.dropLast() { _ = try evaluate(form, environment) }
        step = .evaluate(last, environment)
      case .call(let function, let arguments): step = try apply(function, arguments)
      }
    }
  }

  private func evaluateOnce(_ form: Value, _ environment: ReferenceEnvironment) throws -> ReferenceStep {
    if form.isKind(.symbol) { return .value(try lookUp(form, environment)) }
    if form.isKind(.keyword) { return .value(machine.keyString(form)) }
    if form.isDict {
      let dict = heap.dict()
      for entry in heap.entries(of: form) { heap.set(dict, entry.key, try evaluate(entry.value, environment)) }
      return .value(dict)
    }
    guard form.isListCell else { return .value(form) }
    if form.length == 0 { return .value(heap.emptyList()) }
    let parts = Array(ListElements(form))
    if let special = specialForm(parts[0], environment) { return try evaluate(special, parts, environment) }
    let plain = try expanded(form, environment)
    if plain != form { return .evaluate(plain, environment) }
    // What a global name means is asked when it is called.
    let isGlobal = parts[0].isKind(.symbol) && environment.find(parts[0]) == nil
    let function = isGlobal ? nil : try evaluate(parts[0], environment)
    if isGlobal, parts.count > 3, let sum = try accumulated(parts, environment) { return .value(sum) }
    let arguments = try parts.dropFirst().map { try evaluate($0, environment) }
    return .call(try function ?? lookUp(parts[0], environment), arguments)
  }

  /// A sum, difference or product of many works from the left: what is no number is found before those behind it are evaluated.
  private func accumulated(_ parts: [Value], _ environment: ReferenceEnvironment) throws -> Value? {
    guard ["+", "-", "*"].contains(parts[0].text), let operation = try global(parts[0], isPrelude: environment.isPrelude), operation.isKind(.native) else { return nil }
    var values = [try evaluate(parts[1], environment)]
    for part in parts.dropFirst(2) {
      values.append(try evaluate(part, environment))
      // The message says which argument it is.
      guard values.allSatisfy(Arithmetic.isNumber) else { return try callNative(operation.native, values) }
    }
    return try callNative(operation.native, values)
  }

  private func apply(_ function: Value, _ arguments: [Value]) throws -> ReferenceStep {
    if function.isKind(.native) {
      guard !function.native.isControl else { throw Unsupported(what: function.native.name) }
      return .value(try callNative(function.native, arguments))
    }
    guard function.isKind(.object) else { return .value(try fail(machine.notAFunction(function))) }
    switch function.object {
    case let closure as ReferenceClosure:
      let environment = ReferenceEnvironment(inside: closure.environment)
      let required = closure.parameters.count
      if arguments.count > required, closure.rest == nil { return .value(try fail(tooMany(closure.displayName, required, arguments.count))) }
      for (i, name) in closure.parameters.enumerated() { environment.bind(name, i < arguments.count ? arguments[i] : .nil) }
      if let rest = closure.rest { environment.bind(rest, heap.list(Array(arguments.dropFirst(required)))) }
      return try body(closure.body[...], environment)
    case let known as ReferenceFunction:
      if let native = known.native, let problem = native.arityProblem(arguments.count) { return .value(try fail(machine.error(problem))) }
      if known.native == nil, arguments.count > known.required, !known.hasRest { return .value(try fail(tooMany(known.name, known.required, arguments.count))) }
      return try known.body(self, arguments + Array(repeating: .nil, count: max(0, known.required - arguments.count)))
    case let continuation as ReferenceContinuation:
      guard continuation.isInside else { throw Unsupported(what: "a continuation that is entered again") }
      throw ReferenceEscape(target: ObjectIdentifier(continuation), value: machine.multipleValues(arguments))
    case let parameter as Parameter:
      guard arguments.isEmpty else { return .value(try fail(machine.error("a parameter takes no argument, got \(arguments.count)"))) }
      return .value(bindings.last { $0.parameter == function }?.value ?? parameter.initial)
    default: return .value(try fail(machine.notAFunction(function)))
    }
  }

  private func tooMany(_ name: String, _ most: Int, _ count: Int) -> Raise {
    machine.error("\(name): expected \(most == 0 ? "no" : "at most \(most)") argument\(most == 1 ? "" : "s"), got \(count)")
  }

  func callNative(_ native: Native, _ arguments: [Value]) throws -> Value {
    var registers = [.nil] + arguments
    do {
      return try registers.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return .nil }
        return try native.invoke(machine, base, arguments.count)
      }
    } catch let raise as Raise {
      return try fail(raise)
    } catch let unreadable as SyntaxError {
      return try fail(machine.asRaise(unreadable))
    }
  }
  func callNative(_ name: StaticString, _ arguments: Value...) throws -> Value {
    guard let function = native(machine.symbol(name)) else { throw Unsupported(what: "\(name)") }
    return try callNative(function.native, arguments)
  }

  /// A body with definitions of its own, which are nil until they are reached.
  func body(_ forms: ArraySlice<Value>, _ environment: ReferenceEnvironment) throws -> ReferenceStep {
    if environment.isTopLevel { return .sequence(forms, environment) }
    let scope = ReferenceEnvironment(inside: environment)
    for form in forms { announce(form, scope) }
    return .sequence(forms, scope)
  }
  private func announce(_ form: Value, _ scope: ReferenceEnvironment) {
    guard form.isListCell, form.length > 1, case let head = heap.element(form, 0) else { return }
    switch specialForm(head, scope) {
    case .begin: for part in ListElements(form).dropFirst() { announce(part, scope) }
    case .define:
      var target = heap.element(form, 1)
      if target.isListCell, target.length > 0 { target = heap.element(target, 0) }
      if target.isKind(.symbol), scope.own(target) == nil { scope.bind(target, .nil) }
    default: break
    }
  }

  // MARK: Conditions

  /// Raises what a primitive or the evaluator itself has found.
  func fail(_ raise: Raise) throws -> Value { try signal(raise.condition, isContinuable: raise.isContinuable) }

  /// Hands a condition to the innermost handler that wants it. A handler runs at this very place, with the handlers outside of its own.
  func signal(_ condition: Value, isContinuable: Bool) throws -> Value {
    let saved = handlers
    var next = handlers
    while let record = next {
      guard let clauses = record.clauses else { throw ReferenceTransfer(target: ObjectIdentifier(record), condition: condition, isContinuable: isContinuable) }
      handlers = record.next
      for clause in clauses where try !call(clause.predicate, [condition]).isFalsy {
        let value = try call(clause.handler, [condition])
        if !isContinuable { _ = try fail(machine.error("a handler returned from a condition that cannot be continued", irritants: [condition])) }
        handlers = saved
        return value
      }
      next = record.next
    }
    throw ReferenceUncaught(condition: condition)
  }
}
