@testable import SX

/// The functions that call functions, or change where control goes.
extension ReferenceEvaluator {
  func installFunctions() {
    installControl()
    installLists()
    installTests()
  }

  /// The elements of a list as they are now.
  private func elements(_ list: Value, _ name: String, _ position: Int) throws -> [Value] {
    if list.isNil { return [] }
    guard list.isListCell else { return [try fail(machine.wrongType(name, position, "list", list))] }
    return Array(ListElements(list))
  }
  /// Raises the usual error unless it can be called.
  private func expect(function: Value, _ name: String, _ position: Int) throws {
    if !isCallable(function) { _ = try fail(machine.wrongType(name, position, "function", function)) }
  }
  private func isCallable(_ value: Value) -> Bool {
    guard value.isKind(.object) else { return value.isKind(.native) }
    switch value.object {
    case is ReferenceClosure, is ReferenceFunction, is ReferenceContinuation, is Parameter: return true
    default: return false
    }
  }
  private func truth(_ function: Value, _ arguments: Value...) throws -> Bool { try !call(function, arguments).isFalsy }

  private func installControl() {
    install("expect-function", 3) { sx, given in
      try sx.expect(function: given[0], given[1].text, Arithmetic.integer(given[2]) ?? 0)
      return .value(given[0])
    }
    install("apply", 1, hasRest: true) { sx, given in
      try sx.expect(function: given[0], "apply", 1)
      guard given.count > 1, let last = given.last else { return .call(given[0], []) }
      guard last.isListOrNil else { return .value(try sx.fail(sx.machine.wrongType("apply", given.count, "list", last))) }
      return .call(given[0], given[1..<(given.count - 1)] + Array(ListElements(last)))
    }
    install("raise", 1) { sx, given in .value(try sx.signal(given[0], isContinuable: false)) }
    install("raise-continuable", 1) { sx, given in .value(try sx.signal(given[0], isContinuable: true)) }
    for name in ["call/cc", "call-with-current-continuation", "call/ec", "call-with-escape-continuation"] {
      install(name, 1) { sx, given in
        try sx.expect(function: given[0], name, 1)
        let continuation = ReferenceContinuation()
        defer { continuation.isInside = false }
        let outer = (sx.handlers, sx.bindings)
        do {
          return .value(try sx.call(given[0], [sx.heap.allocate(object: continuation)]))
        } catch let escape as ReferenceEscape where escape.target == ObjectIdentifier(continuation) {
          (sx.handlers, sx.bindings) = outer
          return .value(escape.value)
        }
      }
    }
    install("dynamic-wind", 3) { sx, given in
      for i in 0..<3 { try sx.expect(function: given[i], "dynamic-wind", i + 1) }
      _ = try sx.call(given[0], [])
      let outer = (sx.handlers, sx.bindings)
      let value: Value
      do {
        value = try sx.call(given[1], [])
      } catch let missing as Unsupported {
        throw missing
      } catch {
        (sx.handlers, sx.bindings) = outer
        _ = try sx.call(given[2], [])
        throw error
      }
      _ = try sx.call(given[2], [])
      return .value(value)
    }
    install("with-exception-handler", 2) { sx, given in
      for i in 0..<2 { try sx.expect(function: given[i], "with-exception-handler", i + 1) }
      let outer = sx.handlers
      let any = sx.heap.allocate(object: ReferenceFunction("anonymous", 1, hasRest: false, native: nil) { _, _ in .value(.true) })
      sx.handlers = ReferenceHandler(clauses: [(any, given[0])], next: outer)
      let value = try sx.call(given[1], [])
      sx.handlers = outer
      return .value(value)
    }
    install("signal-condition", 1) { sx, given in
      let saved = sx.handlers
      var next = saved
      while let record = next {
        sx.handlers = record.next
        for clause in record.clauses ?? [] where try sx.truth(clause.predicate, given[0]) {
          let value = try sx.call(clause.handler, [given[0]])
          sx.handlers = saved
          return .value(value)
        }
        next = record.next
      }
      sx.handlers = saved
      return .value(.nil)
    }
    install("make-parameter", 1) { sx, given in
      let converter = given.count > 1 ? given[1] : .nil
      if !converter.isNil { try sx.expect(function: converter, "make-parameter", 2) }
      let initial = converter.isNil ? given[0] : try sx.call(converter, [given[0]])
      return .value(sx.heap.allocate(object: Parameter(initial: initial, converter: converter)))
    }
    install("call-with-values", 2) { sx, given in
      try sx.expect(function: given[1], "call-with-values", 2)
      try sx.expect(function: given[0], "call-with-values", 1)
      let values = try sx.call(given[0], [])
      return .call(given[1], values.object(as: MultipleValues.self)?.values ?? [values])
    }
    install("eval", 1) { sx, given in .evaluate(given[0], sx.program) }
    install("global-value", 1) { sx, given in .value(try sx.global(sx.heap.symbol(given[0].text), isPrelude: false) ?? .nil) }
    install("set-global!", 2) { sx, given in
      sx.setGlobal(sx.heap.symbol(given[0].text), given[1], isPrelude: false)
      return .value(given[1])
    }
    install("lambda?", 1) { _, given in .value(.bool(given[0].object(as: ReferenceClosure.self) != nil || given[0].object(as: ReferenceFunction.self)?.native == nil && given[0].object(as: ReferenceFunction.self) != nil)) }
    for name in ["procedure?", "callable?", "function?"] {
      install(name, 1) { sx, given in .value(.bool(sx.isCallable(given[0]))) }
    }
    install("continuation?", 1) { _, given in .value(.bool(given[0].object(as: ReferenceContinuation.self) != nil)) }
    install("macro?", 1) { _, given in .value(.bool(given[0].object(as: ReferenceMacro.self) != nil)) }
    for name in ["macroexpand", "macroexpand-1", "form-location", "expansion-location", "error-trace", "error-stacktrace", "error-report"] where name != "expansion-location" {
      install(name, 1) { _, _ in throw Unsupported(what: name) }
    }
  }

  private func installLists() {
    /// Calls `visit` with one element of each list, up to the end of the shortest one, until it answers false.
    func walk(_ sx: ReferenceEvaluator, _ name: String, _ lists: ArraySlice<Value>, _ visit: ([Value]) throws -> Bool) throws {
      let columns = try lists.enumerated().map { try sx.elements($1, name, $0 + 2) }
      for i in 0..<(columns.map(\.count).min() ?? 0) { if try !visit(columns.map { $0[i] }) { return } }
    }
    install("map", 1, hasRest: true) { sx, given in
      try sx.expect(function: given[0], "map", 1)
      if given.count < 2 { return .value(try sx.fail(sx.machine.error("map: expected at least 2 arguments, got 1"))) }
      var out: [Value] = []
      try walk(sx, "map", given[1...]) { out.append(try sx.call(given[0], $0)); return true }
      return .value(sx.heap.list(out))
    }
    install("for-each", 1, hasRest: true) { sx, given in
      try sx.expect(function: given[0], "for-each", 1)
      if given.count < 2 { return .value(try sx.fail(sx.machine.error("for-each: expected at least 2 arguments, got 1"))) }
      try walk(sx, "for-each", given[1...]) { _ = try sx.call(given[0], $0); return true }
      return .value(.nil)
    }
    install("filter", 2) { sx, given in
      try sx.expect(function: given[0], "filter", 1)
      var out: [Value] = []
      try walk(sx, "filter", given[1...]) { if try sx.truth(given[0], $0[0]) { out.append($0[0]) }; return true }
      return .value(sx.heap.list(out))
    }
    install("remove", 2) { sx, given in
      try sx.expect(function: given[0], "remove", 1)
      var out: [Value] = []
      try walk(sx, "remove", given[1...]) { if try !sx.truth(given[0], $0[0]) { out.append($0[0]) }; return true }
      return .value(sx.heap.list(out))
    }
    install("reduce", 2, hasRest: true) { sx, given in
      try sx.expect(function: given[0], "reduce", 1)
      if given.count > 3 {
        return .value(try sx.fail(sx.machine.error("reduce: expected a function, a start value and one list, got \(given.count - 2) lists")))
      }
      var items = try sx.elements(given[given.count - 1], "reduce", given.count)[...]
      if given.count == 2, items.isEmpty { return .call(given[0], []) }
      var result = given.count == 2 ? items.removeFirst() : given[1]
      for item in items { result = try sx.call(given[0], [result, item]) }
      return .value(result)
    }
    install("map-indexed", 2) { sx, given in
      try sx.expect(function: given[0], "map-indexed", 1)
      return .value(sx.heap.list(try sx.elements(given[1], "map-indexed", 2).enumerated().map { try sx.call(given[0], [.fix($0), $1]) }))
    }
    install("some", 2) { sx, given in
      try sx.expect(function: given[0], "some", 1)
      for item in try sx.elements(given[1], "some", 2) { if case let value = try sx.call(given[0], [item]), !value.isFalsy { return .value(value) } }
      return .value(.false)
    }
    install("every?", 2) { sx, given in
      try sx.expect(function: given[0], "every?", 1)
      for item in try sx.elements(given[1], "every?", 2) { if try !sx.truth(given[0], item) { return .value(.false) } }
      return .value(.true)
    }
    install("find", 2) { sx, given in
      try sx.expect(function: given[0], "find", 1)
      for item in try sx.elements(given[1], "find", 2) { if try sx.truth(given[0], item) { return .value(item) } }
      return .value(.nil)
    }
  }

  /// What a suite calls. Outcomes are noted here; the product's own runner is not asked.
  private func installTests() {
    func name(_ sx: ReferenceEvaluator, _ value: Value) -> String { Printer.text(value, sx.machine, .display) }
    func path(_ sx: ReferenceEvaluator, _ value: Value) -> String { (sx.suites + [name(sx, value)]).joined(separator: " > ") }
    install("push-suite", 1) { sx, given in
      sx.suites.append(name(sx, given[0]))
      return .value(.nil)
    }
    install("pop-suite", 0) { sx, _ in
      _ = sx.suites.popLast()
      return .value(.nil)
    }
    install("test/-skip-case", 2) { sx, given in
      sx.cases.append((path(sx, given[0]), .skipped))
      return .value(.nil)
    }
    install("test/-run-case", 3) { sx, given in
      let outer = (sx.handlers, sx.bindings)
      let outcome: CaseOutcome
      do {
        _ = try sx.call(given[2], [])
        outcome = .passed
      } catch let missing as Unsupported {
        outcome = .unsupported(missing.what)
      } catch let uncaught as ReferenceUncaught {
        outcome = .failed(sx.machine.diagnostic(Raise(condition: uncaught.condition)).message)
      } catch {
        outcome = .failed("\(error)")
      }
      (sx.handlers, sx.bindings) = outer
      sx.cases.append((path(sx, given[0]), outcome))
      return .value(.nil)
    }
  }
}
