extension Native {
  /// Primitives that take handler records, winders and parts of stacks as they are, and could break the machine in the hands of a program.
  static let forPreludeOnly = [
    "control/-abort", "control/-continuation-winders", "control/-end-program", "control/-enter-surroundings!", "control/-handler-clauses", "control/-handler-next",
    "control/-handler-winders", "control/-handlers", "control/-handlers-in-force", "control/-here?", "control/-leave-coroutine", "control/-may-pass?", "control/-only-handlers!", "control/-part-winders", "control/-pop-prompt!", "control/-pop-winder!", "control/-push-prompt!", "control/-push-winder!",
    "control/-reinstate", "control/-reinstate-part", "control/-set-handlers!", "control/-set-winders!", "control/-signal-there", "control/-transfer!", "control/-uncaught",
    "control/-winders",
  ]
}

extension NativeTable {
  mutating func installControl() {
    addControl("apply", required("function", .function), rest("arguments"), doc: "Calls the function; the last argument is a list of further arguments.", example: "(apply + 1 (list 2 3)) → 6") { m, slot, n in
      let f = slot[1]
      guard n > 1 else { return try m.enter(f, slot, 0) }
      let list = slot[n]
      guard list.isListOrNil else { throw m.wrongType("apply", n, "list", list) }
      try m.charge(list.listCount)
      let leading = n - 2, total = leading + list.listCount
      let slot = try m.room(at: slot, total + 8)
      for i in 0..<leading { slot[1 + i] = slot[2 + i] }
      var at = 1 + leading
      for v in ListElements(list) {
        slot[at] = v
        at += 1
      }
      slot[0] = f
      try m.enter(f, slot, total)
    }

    // Conditions.
    addControl("raise", required("condition"), doc: "Hands any value to the innermost handler. A handler may not return to here.", example: "(guard (e (true e)) (raise 42)) → 42") { m, slot, _ in
      try m.signal(Raise(condition: slot[1]), slot: slot)
    }
    addControl("raise-continuable", required("condition"), doc: "Hands any value to the innermost handler, whose value becomes the value of the call.") { m, slot, _ in
      try m.signal(Raise(condition: slot[1], isContinuable: true), slot: slot)
    }
    add("error", required("message"), rest("irritants"), doc: "Raises an error value with a message and whatever else is of interest.", example: "(guard (e (true (error-message e))) (error \"no\" 1)) → \"no\"") { m, args in
      throw m.error(args[0].isString ? args[0].text : Printer.text(args[0], m, .display), irritants: (1..<max(1, args.count)).map { args[$0] })
    }
    add("control/-refuse", required("message", .string), required("form"), optional("index", .integer), doc: "Raises an error that stands where a list stands that was read from source, or the element of it with that index; for macros that refuse a part of their form.") { m, args in
      let raise = m.error(args[0].text)
      let element = args.optional(2).map { m.place(ofElement: Arithmetic.integer($0) ?? 0, in: args[1]) } ?? .none
      raise.condition.object(as: ErrorObject.self)?.span = element.isNone ? args[1].listSpan : element
      throw raise
    }
    add("make-error", required("message", .string), rest("irritants"), doc: "An error value, not raised.") { m, args in
      m.error(args[0].text, irritants: (1..<max(1, args.count)).map { args[$0] }).condition
    }
    add("error-message", required("error"), doc: "The message of an error value; other values as text.", example: "(error-message (make-error \"no\")) → \"no\"") { m, args in
      m.heap.string(args[0].object(as: ErrorObject.self)?.message ?? Printer.text(args[0], m, .display))
    }
    alias("error-object-message")
    alias("condition-message")
    add("error-object-irritants", required("error"), doc: "What else `error` was given, as a list.") { m, args in m.heap.list(args[0].object(as: ErrorObject.self)?.irritants ?? []) }
    alias("error-irritants")
    add("condition-type", required("condition"), doc: "\"Error\" for error values, else the type of the value that was raised.") { m, args in
      m.heap.string(args[0].object(as: ErrorObject.self) != nil ? "Error" : m.typeName(args[0]))
    }
    add("error-trace", required("error"), doc: "The calls that were active, innermost first: dicts with :function, :file, :line and :column.") { m, args in
      guard let error = args[0].object(as: ErrorObject.self) else { return m.heap.emptyList() }
      var entries: [Value] = []
      if !error.span.isNone { entries.append(m.locationDict(error.span, function: nil)) }
      for entry in error.stackTrace?.entries ?? [] { entries.append(m.locationDict(entry.span, function: entry.name)) }
      return m.heap.list(entries)
    }
    add("error-stacktrace", required("error"), doc: "The message and the trace as text.") { m, args in
      guard let error = args[0].object(as: ErrorObject.self) else { return m.heap.string(Printer.text(args[0], m)) }
      return m.heap.string(m.diagnostic(Raise(condition: m.heap.allocate(object: error))).traceText)
    }

    add("error-report", required("condition"), doc: "What the command shows for a condition that nobody handles: message, place, source line, calls and hint.", example: "(guard (e (true (error-report e))) (error \"no\")) → …") { m, args in
      m.heap.string(m.diagnostic(Raise(condition: args[0])).rendered(color: false))
    }

    // Parameters.
    add("make-parameter", required("value"), optional("converter", .function), doc: "A parameter: called without arguments it answers its value, which `parameterize` binds for a while and for the running fiber alone.", example: "((make-parameter 5)) → 5") { m, args in
      var v = args[0]
      let converter = args.optional(1) ?? .nil
      if !converter.isNil { v = try m.callNested(converter, [v]) }
      return m.heap.allocate(object: Parameter(initial: v, converter: converter))
    }

    // Several values.
    add("values", rest("values"), doc: "Several values for `call-with-values`; one value is itself.", example: "(values 1) → 1") { m, args in
      m.multipleValues((0..<args.count).map { args[$0] })
    }
    add("values->list", required("values"), doc: "What `values` was given, as a list.", example: "(values->list (values 1 2)) → (1 2)") { m, args in
      m.heap.list(args[0].object(as: MultipleValues.self)?.values ?? [args[0]])
    }

    // Continuations and winders: `control.sx` builds on these.
    addControl("call-with-current-continuation", required("function", .function), doc: "Calls the function with the rest of the work as a function, which may be called any number of times.", example: "(+ 1 (call/cc (fn (k) (k 41) 0))) → 42") { m, slot, _ in
      let f = slot[1]
      try m.reserve(bytes: (slot - m.current.stack) * 32)
      // The whole stack is copied.
      try m.charge(slot - m.current.stack)
      let k = m.heap.allocate(object: Continuation(m.current, m.state.pointee, slot: slot))
      slot[0] = f
      slot[1] = k
      try m.enter(f, slot, 1)
    }
    alias("call/cc")
    addControl("control/-reinstate", required("continuation"), required("value"), doc: "Goes on with a continuation whose winders are in place.") { m, slot, _ in
      guard let k = slot[1].object(as: Continuation.self) else { throw m.wrongType("control/-reinstate", 1, "continuation", slot[1]) }
      try m.reinstate(k, slot[2])
    }
    add("control/-continuation-winders", required("continuation"), doc: "The winders that were in place when it was captured.") { _, args in
      args[0].object(as: Continuation.self)?.winders ?? .nil
    }
    addControl("control/-shift", required("function"), doc: "Calls the function in place of the innermost `reset`, with the work up to there as a function.") { m, slot, _ in try m.shift(slot[1], slot: slot) }
    addControl("control/-abort", required("function"), required("continuation"), doc: "The same, when the winders have been left.") { m, slot, _ in try m.abort(slot[1], slot[2]) }
    add("control/-push-prompt!", doc: "Marks the place of a `reset`.") { m, _ in m.pushPrompt() }
    add("control/-pop-prompt!", required("mark"), doc: "Handlers and bindings as they were around a `reset`.") { m, args in
      guard args[0].isKind(.handler) else { throw m.wrongType("control/-pop-prompt!", 1, "mark", args[0]) }
      m.popPrompt(args[0])
      return .nil
    }
    add("control/-part-winders", required("continuation", .object), doc: "The winders inside a delimited continuation, outermost first.") { m, args in
      guard let k = args[0].object(as: DelimitedContinuation.self) else { return m.heap.emptyList() }
      return m.heap.list(Array(ListElements(k.stack.winders).prefix(k.innerWinders)).reversed())
    }
    addControl("control/-reinstate-part", required("continuation", .object), required("value"), required("winders", .integer), doc: "Goes on with a delimited continuation for which so many winders have been entered.") { m, slot, _ in
      guard let k = slot[1].object(as: DelimitedContinuation.self) else { throw m.wrongType("control/-reinstate-part", 1, "continuation", slot[1]) }
      try m.reinstate(k, slot[2], slot: slot, leaving: Arithmetic.integer(slot[3]) ?? 0)
    }
    add("control/-winders", doc: "The winders in place, innermost first.") { m, _ in m.state.pointee.winders }
    add("control/-push-winder!", required("before"), required("after"), doc: "Puts a winder in place; it keeps the handlers and bindings of this moment for its thunks.") { m, args in
      let heap = m.heap
      let surroundings = heap.pair(m.state.pointee.handlers, heap.pair(m.state.pointee.bindings, .end, length: 1), length: 2)
      let winder = heap.pair(args[0], heap.pair(args[1], surroundings, length: 3), length: 4)
      m.state.pointee.winders = m.heap.cons(winder, m.state.pointee.winders)
      return .nil
    }
    add("control/-pop-winder!", doc: "Takes the innermost winder away, if there is one: an exit has left them all, and a host may be unable to end the program.") { m, _ in
      let winders = m.state.pointee.winders
      guard winders.isListCell, winders.length > 0 else { return .nil }
      m.state.pointee.winders = winders.length == 1 ? .nil : m.heap.rest(winders)
      return .nil
    }
    add("control/-set-winders!", required("winders"), doc: "Replaces the winders in place.") { m, args in
      m.state.pointee.winders = args[0].listCount == 0 ? .nil : args[0]
      return .nil
    }
    add("control/-enter-surroundings!", required("winder", .list), doc: "Handlers and bindings as they were around the `dynamic-wind` of a winder.") { m, args in
      m.state.pointee.handlers = m.heap.element(args[0], 2)
      m.state.pointee.bindings = m.heap.element(args[0], 3)
      return .nil
    }
    addControl("control/-transfer!", required("record"), required("condition"), required("origin"), doc: "Enters the guard of a handler record.") { m, slot, _ in m.transfer(to: slot[1], slot[2], from: slot[3]) }
    add("control/-may-pass?", required("record"), doc: "May the guard of a handler record let a condition pass?") { m, args in .bool(m.mayPass(args[0])) }
    addControl("control/-signal-there", required("continuation"), required("condition"), required("record"), doc: "Goes on with a continuation whose winders are in place by raising a condition there that can be continued.") { m, slot, _ in
      guard let k = slot[1].object(as: Continuation.self) else { throw m.wrongType("control/-signal-there", 1, "continuation", slot[1]) }
      let signal = try m.preludeValue("control/-signal")
      let (condition, record) = (slot[2], slot[3])
      try m.reinstate(k, .nil)
      let there = try m.roomForCall(m.current.stack + k.stack.values.count)
      (there[1], there[2], there[3]) = (condition, record, .true)
      try m.enter(signal, there, 3)
    }
    add("control/-handler-next", required("record"), doc: "The next outer handler record, be it of a fiber that waits for this one, or nil.") { m, args in m.handlers(outside: args[0]) }
    add("control/-handler-clauses", required("record"), doc: "Predicates and handlers in turn, or nil for a guard.") { _, args in args[0].word(HandlerRecord.clauses) }
    add("control/-handler-winders", required("record"), doc: "The winders that were in place around a guard.") { _, args in args[0].word(HandlerRecord.winders) }
    add("control/-handlers", doc: "The innermost handler record of this fiber, or nil.") { m, _ in m.state.pointee.handlers }
    add("control/-handlers-in-force", doc: "The innermost handler record, be it of a fiber that waits for this one, or nil.") { m, _ in m.handlerInForce(m.state.pointee.handlers, in: m.current) }
    add("control/-only-handlers!", required("record"), doc: "While a handler runs: replaces the handlers in place; with nil there are none, not even those of a fiber that waits for this one.") { m, args in
      m.setHandlers(outside: args[0])
      return .nil
    }
    add("control/-here?", required("target"), doc: "Does a handler record, or a continuation, belong to the running fiber?") { m, args in
      .bool(args[0].isKind(.handler) ? m.isOwn(args[0]) : args[0].object(as: Continuation.self)?.isOwn(m) ?? true)
    }
    addControl("control/-leave-coroutine", required("thunk"), doc: "Ends the running coroutine, whose winders have been left, and calls the thunk in the fiber that resumed it; where there is none, at once.") { m, slot, _ in
      let thunk = slot[1]
      guard m.leaveCoroutineForGood() else { return try m.enter(thunk, slot, 0) }
      try m.enter(thunk, try m.roomForCall(Fiber.top(m.state.pointee.base)), 0)
    }
    add("control/-in-coroutine?", doc: "Does a fiber wait for the running one?") { m, _ in .bool(m.current.resumer != nil) }
    add("control/-set-handlers!", required("record"), doc: "Replaces the handlers in place.") { m, args in
      m.state.pointee.handlers = args[0]
      return .nil
    }
    addControl("control/-uncaught", required("condition"), doc: "Ends the fiber, and those that wait for it, with a condition that nobody handles.") { m, slot, _ in
      m.state.pointee.handlers = .nil
      try m.leaveFiber(Raise(condition: slot[1]), slot: slot)
    }
  }
}

extension Machine {
  /// Where an element of a list stands in the source. What a macro gets as `&rest` is the end of its form, and knows no places itself.
  fileprivate func place(ofElement index: Int, in list: Value) -> SourceSpan {
    guard list.isListCell, index >= 0, index < list.length else { return .none }
    var v = list, steps = index
    if !list.isLocated {
      guard expansionForm.isListCell, expansionForm.length >= list.length else { return .none }
      v = expansionForm
      steps += expansionForm.length - list.length
    }
    while steps > 0, v.isPair { (v, steps) = (v.tail, steps - 1) }
    return v.isPair && v.head == heap.element(list, index) ? v.elementSpan : .none
  }

  /// A place as SX data.
  func locationDict(_ span: SourceSpan, function: String?) -> Value {
    let d = heap.dict(capacity: 5)
    heap.set(d, heap.constantString("function"), function.map { heap.string($0) } ?? .nil)
    if let location = sources.location(span) {
      heap.set(d, heap.constantString("file"), heap.string(location.file))
      heap.set(d, heap.constantString("line"), .fix(location.line))
      heap.set(d, heap.constantString("column"), .fix(location.column))
      heap.set(d, heap.constantString("prelude"), .bool(sources.text(at: span.start)?.isPrelude ?? false))
    }
    return d
  }
}
