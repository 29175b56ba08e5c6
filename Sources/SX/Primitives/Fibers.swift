extension NativeTable {
  mutating func installFibers() {
    add("spawn", required("function", .function), doc: "Starts a fiber that calls the function, with the bindings of this moment. A condition that it does not handle is reported on standard error.") { m, args in
      let fiber = m.makeFiber(args[0], [])
      fiber.completion = { [unowned m] result in
        if case .failure(let raise) = result { m.interpreter.report(m.diagnostic(raise), in: "a spawned fiber") }
      }
      m.ready.append(fiber)
      m.heap.noteExternal(fiber.externalBytes)
      return .nil
    }
    addControl("perform", required("operation", .dict), waits: true, doc: "Asks the host for an operation, as {:op \"name\" :args (…)}, and waits for its answer.") { m, slot, _ in
      let operation = slot[1]
      guard let name = m.heap.get(operation, m.heap.constantString("op")), name.isText else { throw m.error("perform: the operation needs a name under :op") }
      let list = m.heap.get(operation, m.heap.constantString("args")) ?? .nil
      guard list.isListOrNil else { throw m.error("perform: :args must be a list, got \(m.shown(list))") }
      try m.perform(name.text, Array(ListElements(list)), slot: slot)
    }
    add("make-coroutine", required("function", .function), doc: "A coroutine that calls the function when it is first resumed, with the value of that resume when the function takes one.") { m, args in
      m.makeFiber(args[0], []).makeCoroutine(m.heap)
    }
    addControl("coroutine-resume", required("coroutine", .coroutine), optional("value"), doc: "Runs a coroutine up to its next yield, whose value this is, or to its end.") { m, slot, n in
      try m.resume(slot[1], with: n > 1 ? slot[2] : .nil, slot: slot)
    }
    addControl("coroutine-yield", optional("value"), doc: "Hands a value to whoever resumed this coroutine, and waits to be resumed; the value is what the next `coroutine-resume` gives. Works from any depth of calls.") { m, slot, n in
      try m.yield(n > 0 ? slot[1] : .nil, slot: slot)
    }
    add("coroutine-alive?", required("coroutine", .coroutine), doc: "Can it be resumed again?") { m, args in
      guard let fiber = args[0].object(as: Fiber.self) else { throw m.wrongType("coroutine-alive?", 1, "coroutine", args[0]) }
      return .bool(fiber.status != .finished)
    }
  }
}
