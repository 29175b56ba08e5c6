/// Calls of anything but a closure with exactly its number of arguments.
extension Machine {
  /// Calls `f` with the arguments in `window[1]…window[n]`. Answers the value, or `unbound` when the state changed and the value will arrive in `window[0]`.
  ///
  /// What may go on with SX code is a safepoint: with a function of any number of arguments, `apply` or a continuation a loop needs no other call.
  @inline(never) func callSlow(_ f: Value, _ window: Registers, _ n: Int) throws -> Value {
    if f.isKind(.native) {
      return try f.unmanagedNative._withUnsafeGuaranteedRef { native in
        if native.isSafepoint, isAtSafepoint() { return try beforeSlowCall() }
        return try native.invoke(self, window, n)
      }
    }
    if isAtSafepoint() { return try beforeSlowCall() }
    window[0] = f
    try enter(f, window, n)
    return .unbound
  }

  /// The same in place of the running frame; a value is returned from it.
  @inline(never) func tailCallSlow(_ f: Value, _ window: Registers, _ n: Int) throws -> Value {
    // A condition is raised with its frame still in place, which is where it comes from.
    if f == raiseNative { return try callSlow(f, window, n) }
    if f.isKind(.native), !f.native.isControl {
      return try f.unmanagedNative._withUnsafeGuaranteedRef { try $0.invoke(self, window, n) }
    }
    if !f.isKind(.native) || f.native.isSafepoint, isAtSafepoint() { return try beforeSlowCall() }
    let slot = state.pointee.base - 1
    state.pointee.fp -= 1
    state.pointee.pc = state.pointee.fp.pointee.pc
    state.pointee.base = state.pointee.fp.pointee.base
    window[0] = f
    for i in 0...n { slot[i] = window[i] }
    try enter(f, slot, n)
    return .unbound
  }

  /// Arranges that the value of `f`, called with `slot[1]…slot[n]`, arrives in `slot[0]` when the state goes on.
  func enter(_ f: Value, _ slot: Registers, _ n: Int) throws {
    switch f.kind {
    case .closure: try enterClosure(f, slot, n)
    case .native:
      let v = try f.native.invoke(self, slot, n)
      if v != .unbound { slot[0] = v }
    case .object:
      if let v = f.borrowing(Parameter.self, { parameterValue($0, f) }) {
        guard n == 0 else { throw error("a parameter takes no argument, got \(n)", hint: "use `parameterize` to bind it") }
        slot[0] = v
      } else if let continuation = f.object as? Continuation {
        try resume(continuation, f, with: n == 1 ? slot[1] : multipleValues((0..<n).map { slot[1 + $0] }), slot)
      } else if let continuation = f.object as? DelimitedContinuation {
        try resume(continuation, f, with: n == 0 ? .nil : n == 1 ? slot[1] : multipleValues((0..<n).map { slot[1 + $0] }), slot)
      } else if let function = f.object as? HostFunction {
        try call(function, slot, n)
      } else {
        throw notAFunction(f)
      }
    default: throw notAFunction(f)
    }
  }

  /// A closure that gets too few arguments: the missing ones are nil.
  private func enterClosure(_ f: Value, _ slot: Registers, _ given: Int) throws {
    let arity = f.closureArity
    guard given <= arity, arity != 255 else { return try enterWithRest(f, slot, given) }
    let slot = try room(at: slot, 1 + max(f.closureFrameSize, arity))
    slot[0] = f
    for i in given..<arity { slot[1 + i] = .nil }
    pushFrame(slot, f)
  }
  /// The slot, with that many registers from it on. It may lie elsewhere afterwards, as the whole stack then does.
  @inline(__always) func room(at slot: Registers, _ registers: Int) throws -> Registers {
    if slot + registers <= state.pointee.stackEnd { return slot }
    let offset = slot - current.stack
    try growStack(to: offset + registers)
    return current.stack + offset
  }
  private func pushFrame(_ slot: Registers, _ f: Value) {
    state.pointee.fp.pointee = Frame(pc: state.pointee.pc, base: state.pointee.base)
    state.pointee.fp += 1
    state.pointee.base = slot + 1
    state.pointee.pc = f.closureEntry
  }

  private func enterWithRest(_ f: Value, _ slot: Registers, _ given: Int) throws {
    let code = Code.of(closure: f)
    let required = code.lambda.required, hasRest = code.lambda.hasRest
    if given > required, !hasRest {
      throw error("\(code.displayName): expected \(required == 0 ? "no" : "at most \(required)") argument\(required == 1 ? "" : "s"), got \(given)", hint: "usage: \(code.signature)")
    }
    let slot = try room(at: slot, 1 + max(code.frameSize, given))
    slot[0] = f
    if given < required {
      for i in given..<required { slot[1 + i] = .nil }
    }
    if hasRest { slot[1 + required] = given > required ? heap.list(slot + 1 + required, given - required) : heap.emptyList() }
    pushFrame(slot, f)
  }

  /// Calls a function and runs it to its end, inside a primitive. What it calls cannot wait for the host.
  func callNested(_ f: Value, _ arguments: [Value]) throws -> Value {
    guard suspendedRuns.count < 200 else { throw error("evaluation inside primitives is nested too deeply") }
    try nativeStack.check(.none)
    return try runNested(makeFiber(f, arguments))
  }

  /// Runs a fiber to its end, and goes on with the running one.
  func runNested(_ fiber: Fiber) throws -> Value {
    suspendedRuns.append(current)
    defer {
      current.endWithResumers()
      current = suspendedRuns.removeLast()
    }
    do {
      switch try start(fiber) {
      case .finished(let v): return v
      case .suspended, .preempted: throw error("cannot wait inside a primitive")
      }
    } catch where error is Interruption || error is ExitRequest {
      endNested(because: error)
      throw error
    }
  }

  /// Makes a fiber the current one and runs it from where it is.
  func start(_ fiber: Fiber) throws -> Exit {
    load(fiber)
    do {
      if let status = fiber.requestedExit {
        (fiber.requestedExit, fiber.startArguments, fiber.delivery) = (nil, nil, nil)
        throw ExitRequest(status: status)
      }
      try takeDelivery(fiber)
    } catch is Suspension {
      return .suspended
    } catch {
      try recover(error)
    }
    return try run()
  }

  /// The first call of a new fiber, or the value that a suspended one waited for.
  private func takeDelivery(_ fiber: Fiber) throws {
    if let n = fiber.startArguments {
      fiber.startArguments = nil
      if fiber.delivery == nil { return try enter(fiber.stack[1], fiber.stack + 1, n) }
    }
    switch fiber.delivery {
    case .success(let v)?:
      fiber.delivery = nil
      fiber.stack[fiber.resultOffset] = v
    case .failure(let raise)?:
      fiber.delivery = nil
      try signal(raise, slot: fiber.stack + fiber.resultOffset)
    case nil: break
    }
  }

  // MARK: Switching fibers

  func load(_ fiber: Fiber) {
    current = fiber
    fiber.status = .running
  }

  /// The running fiber, whose state has been spilled, stops; its value will arrive in `slot`.
  func save(slot: Registers?) {
    let fiber = current
    if let slot { fiber.resultOffset = slot - fiber.stack }
    fiber.status = .suspended
  }

  /// Switches to a coroutine, whose next value the running fiber, which has spilled its state, waits for in `slot`.
  @inline(__always) func resume(_ coroutine: Value, with v: Value, slot: Registers) throws {
    guard let next = FiberRecord.of(coroutine), next.pointee.resumer == nil, next.pointee.status == .suspended, next.pointee.startArguments < 0 else {
      return try begin(coroutine, with: v, slot: slot)
    }
    running.hand(to: next, resultIn: slot)
    running = next
    next.pointee.stack[next.pointee.resultOffset] = v
  }
  /// The first time, or never.
  @inline(never) private func begin(_ v: Value, with argument: Value, slot: Registers) throws {
    guard let coroutine = FiberRecord.of(v), coroutine.pointee.resumer == nil, coroutine.pointee.status == .ready else { throw cannotResume(v) }
    running.hand(to: coroutine, resultIn: slot)
    running = coroutine
    coroutine.pointee.startArguments = -1
    let function = coroutine.pointee.stack[1]
    coroutine.pointee.stack[2] = argument
    try enter(function, coroutine.pointee.stack + 1, function.isKind(.closure) && !Code.of(closure: function).lambda.parameters.isEmpty ? 1 : 0)
  }
  @inline(never) private func cannotResume(_ v: Value) -> Raise {
    guard let coroutine = FiberRecord.of(v) else { return wrongType("coroutine-resume", 1, "coroutine", v) }
    return error(coroutine.pointee.status == .finished ? "coroutine-resume: the coroutine has finished" : "coroutine-resume: the coroutine is running")
  }

  /// Hands a value to whoever resumed the running coroutine.
  @inline(__always) func yield(_ v: Value, slot: Registers) throws {
    let coroutine = running
    guard let resumer = coroutine.pointee.resumer else { throw notInCoroutine() }
    coroutine.suspend(resultIn: slot)
    coroutine.pointee.resumer = nil
    running = resumer
    resumer.pointee.status = .running
    resumer.pointee.stack[resumer.pointee.resultOffset] = v
  }
  @inline(never) private func notInCoroutine() -> Raise { error("coroutine-yield: no coroutine is running") }

  /// At the end of a fiber: a coroutine's value goes to its resumer. False when the fiber was no coroutine.
  func leaveCoroutine() throws -> Bool {
    guard let resumer = current.resumer else { return false }
    let v = current.stack[1]
    current.resumer = nil
    current.status = .finished
    load(resumer)
    resumer.stack[resumer.resultOffset] = v
    return true
  }

  /// Parks the running fiber until the host answers.
  func perform(_ name: String, _ arguments: [Value], slot: Registers) throws {
    guard suspendedRuns.isEmpty else { throw error("cannot wait here: `\(name)` inside a primitive or a macro") }
    if let capability = host.capability(of: name) { try demand(capability, name) }
    // Here and in the host, tables of all that wait may have to grow.
    try reserve(next: waiting.count, of: 100)
    let fiber = current
    save(slot: slot)
    park(fiber)
    let operation = Operation(name: name, arguments: arguments.map { Handle(interpreter, $0) }, fiber: FiberID(number: fiber.number))
    guard host.perform(operation, for: interpreter) else {
      waiting[fiber.number] = nil
      fiber.status = .running
      throw error("Unknown operation: \(name)", hint: "the host of this interpreter does not offer it")
    }
    throw Suspension()
  }

  /// From now on the fiber, which has been saved, waits.
  func park(_ fiber: Fiber) {
    fiber.status = .waiting
    waiting[fiber.number] = fiber
  }

  /// Makes a waiting fiber ready with a value or a condition. Does nothing when it no longer waits.
  func wake(_ number: UInt64, _ delivery: Result<Value, Raise>) {
    guard let fiber = waiting.removeValue(forKey: number) else { return }
    if !tasks.isEmpty { tasks[number] = nil }
    fiber.delivery = delivery
    fiber.status = .ready
    ready.append(fiber)
  }

  /// Fibers that run before the host gets a look at what has happened meanwhile, even when none of them uses up its time slice.
  private static let runsBetweenPolls = 64

  /// Runs fibers until none is ready, or until `isDone`.
  func runReady(until isDone: () -> Bool = { false }) {
    var runs = 0
    let run = budget.run
    if cancellation.isRequested { stopParked(cancellation.takeFibers()) }
    while !isDone(), let fiber = ready.popFirst() {
      if let interruption = fiber.interruption {
        limitTrace = captureTrace(of: fiber)
        interrupt(fiber, interruption)
        continue
      }
      runs += 1
      if runs % Machine.runsBetweenPolls == 0 { interpreter.pollEvents() }
      charge(for: fiber, run)
      budget.turn = Machine.slice
      grace = nil
      // A coroutine that waited goes on in place of the fiber that resumed it.
      let outcome = Result { try start(fiber) }
      charge(run)
      let last = current
      switch outcome {
      case .success(.suspended): break
      case .success(.preempted):
        save(slot: nil)
        last.status = .ready
        ready.append(last)
        interpreter.pollEvents()
      case .success(.finished(let v)):
        // What was given up in its last steps has met no safepoint.
        tell(last.endWithResumers(), heap.takeVerdict().map { .failure(asRaise($0)) } ?? .success(v))
      case .failure(let interruption as Interruption): interrupt(last, interruption)
      case .failure(let error): tell(last.endWithResumers(), .failure(asRaise(error)))
      }
    }
  }

  /// Ends a coroutine together with those that wait for it.
  private func interrupt(_ last: Fiber, _ interruption: Interruption) {
    let raise = asRaise(interruption)
    tell(end(last, because: raise.condition), .failure(raise))
  }

  /// Tells whoever waits for a fiber how it has ended.
  private func tell(_ fiber: Fiber, _ result: Result<Value, Raise>) {
    let completion = fiber.completion
    fiber.completion = nil
    completion?(result)
  }
}
