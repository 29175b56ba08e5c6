/// Handlers, raising, unwinding.
///
/// The handler stack is a chain of records on the heap, so that a continuation or a fiber saves it with one word. A record of
/// `guard` says where control goes; a record of `handler-bind` holds the list of predicates and handlers, which run at the point of the signal.
///
/// The handlers of a coroutine go on in the fiber that resumed it. A handler found there runs in the coroutine, with handlers in place that belong to
/// another fiber, so every record says whose it is.
enum HandlerRecord {
  static let next = 1, clauses = 2, pc = 3, base = 4, frame = 5, winders = 6, bindings = 7
  static let words = 8

  /// Where the registers of a guard stand, and in which fiber: a stack has less than 2^26 slots.
  static func place(_ base: Int, _ fiber: UInt64) -> Value { .fix(Int(fiber) << 26 | base) }
  static func base(of record: Value) -> Int { record.word(base).fixValue & (1 << 26 - 1) }
  static func fiber(of record: Value) -> UInt64 { UInt64(record.word(base).fixValue >> 26) }
}

extension Machine {
  // MARK: Handler records

  /// - Parameter register: what gets the condition; with bit 16 the next one gets its origin.
  func pushGuard(target: InstructionPointer, base: Registers, fp: FramePointer, register: Int) {
    let cell = heap.allocate(words: HandlerRecord.words, header: Kind.handler.header)
    cell[HandlerRecord.next] = state.pointee.handlers.bits
    cell[HandlerRecord.clauses] = Value.nil.bits
    cell[HandlerRecord.pc] = UInt64(UInt(bitPattern: target)) | 1          // looks like an integer to the collector
    cell[HandlerRecord.base] = HandlerRecord.place(base - current.stack, current.identity).bits
    cell[HandlerRecord.frame] = Value.fix((fp - current.frames) << 17 | register).bits
    cell[HandlerRecord.winders] = state.pointee.winders.bits
    cell[HandlerRecord.bindings] = state.pointee.bindings.bits
    state.pointee.handlers = Value(cell)
  }

  func pushHandlers(_ clauses: Value) {
    let cell = heap.allocate(words: HandlerRecord.words, header: Kind.handler.header)
    for i in 1..<HandlerRecord.words { cell[i] = Value.nil.bits }
    cell[HandlerRecord.next] = state.pointee.handlers.bits
    cell[HandlerRecord.clauses] = clauses.bits
    cell[HandlerRecord.base] = HandlerRecord.place(0, current.identity).bits
    state.pointee.handlers = Value(cell)
  }

  func isOwn(_ record: Value) -> Bool { HandlerRecord.fiber(of: record) == current.identity }

  /// The first record that is in force, from one in the chain of a fiber outward, and then among those that wait for that fiber; nil when there is none.
  ///
  /// A coroutine may yield inside of a handler, and be resumed by somebody else when the handlers around that handler are gone.
  func handlerInForce(_ start: Value, in chain: Fiber) -> Value {
    var record = start, fiber = chain
    while true {
      if !record.isNil {
        if isOwn(record) { return record }
        if let owner = resumer(numbered: HandlerRecord.fiber(of: record)) {
          guard record.word(HandlerRecord.clauses).isNil else { return record }
          var own = owner.saved.handlers
          while !own.isNil, own != record { own = own.word(HandlerRecord.next) }
          if !own.isNil { return record }
        }
      }
      guard let next = fiber.resumer else { return .nil }
      fiber = next
      record = fiber.saved.handlers
    }
  }
  /// The handlers that stand outside of a record.
  func handlers(outside record: Value) -> Value {
    let owner = isOwn(record) ? current : resumer(numbered: HandlerRecord.fiber(of: record)) ?? current
    return handlerInForce(record.word(HandlerRecord.next), in: owner)
  }
  /// A fiber that waits for the running coroutine, or for one that does.
  private func resumer(numbered identity: UInt64) -> Fiber? {
    var next = current.resumer
    while let fiber = next {
      if fiber.identity == identity { return fiber }
      next = fiber.resumer
    }
    return nil
  }

  /// While a handler runs: what stands outside of it. Nil means nothing at all, and not what those have who wait for the running coroutine.
  func setHandlers(outside record: Value) {
    state.pointee.handlers = record
    guard record.isNil, let resumer = current.resumer else { return }
    pushHandlers(heap.emptyList())
    state.pointee.handlers.setWord(HandlerRecord.base, HandlerRecord.place(0, resumer.outermost.identity))
  }

  /// May the guard of `record` let a condition pass?
  func mayPass(_ record: Value) -> Bool { record.word(HandlerRecord.frame).fixValue & 1 << 16 != 0 }

  /// Control goes to the guard of `record`, with the dynamic state of its body's surroundings.
  ///
  /// - Parameter origin: the continuation of a raise that can be continued, else nil.
  func transfer(to record: Value, _ condition: Value, from origin: Value = .nil) {
    let frame = record.word(HandlerRecord.frame).fixValue
    state.pointee.pc = InstructionPointer(bitPattern: UInt(record.cell[HandlerRecord.pc] & ~1)).unsafelyUnwrapped
    state.pointee.base = current.stack + HandlerRecord.base(of: record)
    state.pointee.fp = current.frames + frame >> 17
    state.pointee.handlers = record.word(HandlerRecord.next)
    state.pointee.winders = record.word(HandlerRecord.winders)
    state.pointee.bindings = record.word(HandlerRecord.bindings)
    state.pointee.base[frame & 0xFFFF] = condition
    if frame & 1 << 16 != 0 { state.pointee.base[frame & 0xFFFF + 1] = origin }
    stackReserve = 0
  }

  // MARK: Raising

  /// Hands a condition to the innermost handler. `slot` is free for a call, and where the value of `raise-continuable` goes.
  func signal(_ raise: Raise, slot: Registers) throws {
    if let error = raise.condition.object(as: ErrorObject.self), error.stackTrace == nil {
      let trace = captureTrace()
      error.stackTrace = trace
      heap.noteExternal(trace.bytes)
      // It takes as long as that many calls, and a loop of nothing but errors has to hear of its end as soon as others.
      heap.countSteps(2048)
    }
    var record = state.pointee.handlers, slot = slot
    if record.isNil || !isOwn(record) { record = handlerInForce(record, in: current) }
    guard !record.isNil else { return try leaveFiber(raise, slot: slot) }
    // The place of a raise that can be continued has to be kept for a guard that may let it pass; SX code does that.
    let isGuard = record.word(HandlerRecord.clauses).isNil && !(raise.isContinuable && mayPass(record))
    if isGuard {
      while !isOwn(record), state.pointee.winders.isNil, leaveCoroutineForGood() { slot = Fiber.top(state.pointee.base) }
      if isOwn(record), record.word(HandlerRecord.winders) == state.pointee.winders { return transfer(to: record, raise.condition) }
    }
    slot = try roomForCall(slot)
    if isGuard {
      slot[1] = record
      slot[2] = raise.condition
      slot[3] = .nil
      try enter(try preludeValue("control/-leave"), slot, 3)
    } else {
      slot[1] = raise.condition
      slot[2] = record
      slot[3] = .bool(raise.isContinuable)
      try enter(try preludeValue("control/-signal"), slot, 3)
    }
  }

  /// A slot with room for the arguments of a call behind it.
  func roomForCall(_ slot: Registers) throws -> Registers { try room(at: slot, 8) }

  /// No handler in this fiber, or in those that wait for it: the condition leaves it, through whatever `dynamic-wind` is in the way.
  func leaveFiber(_ raise: Raise, slot: Registers) throws {
    if state.pointee.winders.isNil { return try uncaught(raise) }
    // The after-thunks run on the same stack, and the trace would show them.
    current.leavingTrace = raise.trace ?? (raise.condition.object(as: ErrorObject.self) == nil ? captureTrace() : nil)
    let slot = try roomForCall(slot)
    slot[1] = raise.condition
    try enter(try preludeValue("control/-leave-fiber"), slot, 1)
  }

  /// In a coroutine the condition leaves the fiber that resumed it as well.
  private func uncaught(_ raise: Raise) throws {
    var raise = raise
    repeat {
      if let trace = current.leavingTrace {
        raise.trace = trace
        current.leavingTrace = nil
      }
      if raise.trace == nil, raise.condition.object(as: ErrorObject.self) == nil { raise.trace = captureTrace() }
      guard leaveCoroutineForGood() else { throw raise }
    } while state.pointee.winders.isNil
    try leaveFiber(raise, slot: Fiber.top(state.pointee.base))
  }

  /// The running coroutine ends without a value, because control goes to where a fiber stands that waits for it. False when it is no coroutine.
  func leaveCoroutineForGood() -> Bool {
    guard let resumer = current.resumer else { return false }
    current.resumer = nil
    current.status = .finished
    load(resumer)
    resumer.stack[resumer.resultOffset] = .nil
    return true
  }

  /// An error left the loop: hand it to a handler of the running fiber. Throws what no script may catch.
  func recover(_ cause: any Error) throws {
    if let request = cause as? ExitRequest {
      // Whoever runs this inside a primitive leaves its own winders.
      guard suspendedRuns.isEmpty else { throw request }
      return try beginExit(request.status)
    }
    if let limit = cause as? Interruption {
      // On its way out it may pass several runs of the loop; the innermost tells where it was.
      limitTrace = limitTrace ?? captureTrace()
      throw limit
    }
    try signal(asRaise(cause), slot: Fiber.top(state.pointee.base))
  }

  /// Any Swift error as a condition.
  func asRaise(_ error: any Error) -> Raise {
    switch error {
    case let raise as Raise: return raise
    case let syntax as SyntaxError:
      let object = ErrorObject(message: syntax.message, hint: syntax.hint)
      object.span = syntax.span
      object.expansions = syntax.expansions
      object.kind = "syntax"
      return Raise(condition: heap.allocate(object: object))
    case let host as HostError: return self.error(host.message)
    case let limit as Interruption:
      defer { limitTrace = nil }
      return Raise(condition: condition(of: limit))
    default: return self.error("\(error)")
    }
  }
  func condition(of limit: Interruption) -> Value {
    let object = ErrorObject(message: limit.description)
    object.interruption = limit
    object.stackTrace = limitTrace
    return heap.allocate(object: object)
  }

  // MARK: Making errors

  /// An error value; it takes its trace when it is raised, because only then the machine's state has been spilled.
  func error(_ message: String, hint: String? = nil, irritants: [Value] = []) -> Raise {
    Raise(condition: heap.allocate(object: ErrorObject(message: message, irritants: irritants, hint: hint)))
  }
  /// - Parameter within: `got` is an element of the argument.
  func wrongType(_ name: String, _ position: Int, _ expected: String, _ got: Value, within: Bool = false) -> Raise {
    error("\(name): argument \(position): expected \(expected), got \(within ? "one with " : "")\(shown(got))")
  }
  func wrongType(_ name: String, _ position: Int, _ expected: ParameterType, _ got: Value) -> Raise {
    error("\(name): argument \(position): \(expected.expectation), got \(shown(got))")
  }
  /// For arithmetic: which of the two arguments is at fault.
  func notANumber(_ name: String, _ a: Value, _ b: Value, _ position: Int = 2) -> Raise {
    let first = !Arithmetic.isNumber(a)
    return wrongType(name, first ? position - 1 : position, .number, first ? a : b)
  }
  func notAFunction(_ f: Value) -> Raise {
    let raise = error("not a function: \(Printer.text(f, self).prefix(60))")
    raise.condition.object(as: ErrorObject.self)?.kind = "call of \(typeName(f))"
    return raise
  }
  /// A type and, where it is short, the value.
  func shown(_ v: Value) -> String {
    let type = typeName(v)
    guard Arithmetic.isNumber(v) || v.isString && v.byteCount <= 40 || v.isKind(.symbol) || v.isKind(.keyword) || v.isBool || v.isCharacter else { return type }
    let text = Printer.text(v, self)
    return text.utf8.count > 40 ? type : "\(type) \(text)"
  }

  /// What `type-of` says.
  func typeName(_ v: Value) -> String {
    if Arithmetic.isNumber(v) { return v.isKind(.rational) ? "rational" : "number" }
    if v.isNil { return "nil" }
    if v.isBool { return "boolean" }
    if v.isCharacter { return "char" }
    if v == .endOfFile { return "eof-object" }
    switch v.kind {
    case .pair, .slice, .mutableList: return "list"
    case .string: return "string"
    case .symbol: return "symbol"
    case .keyword: return "keyword"
    case .dict: return "dict"
    case .closure: return "lambda"
    case .native: return "native-fn"
    case .object: return v.object.typeName
    case .record: return recordType(of: v).family
    default: return v == .end ? "list" : "\(v.kind)"
    }
  }

  // MARK: Dynamic bindings

  func pushBindings(_ registers: Registers, _ n: Int) throws {
    // A converter may collect: what it answers goes to a register, and no cell is made before the last one has.
    for i in 0..<n {
      let key = registers[2 * i]
      guard let converter = key.borrowing(Parameter.self, { $0.converter }) else { throw error("parameterize: expected a parameter, got \(shown(key))") }
      if !converter.isNil { registers[2 * i + 1] = try callNested(converter, [registers[2 * i + 1]]) }
    }
    let outer = state.pointee.bindings
    var chain = outer
    for i in 0..<n {
      let cell = heap.allocate(words: 5, header: Kind.entries.header(length: 2))
      cell[1] = registers[2 * i].bits
      cell[2] = registers[2 * i + 1].bits
      cell[3] = chain.bits
      cell[4] = Value.nil.bits
      chain = Value(cell)
    }
    registers[0] = outer
    state.pointee.bindings = chain
  }

  @inline(__always) func parameterValue(_ parameter: Parameter, _ key: Value) -> Value {
    var chain = state.pointee.bindings
    while !chain.isNil {
      if chain.word(1) == key { return chain.word(2) }
      chain = chain.word(3)
    }
    return parameter.initial
  }
}

/// Made by `make-parameter`: called without arguments it answers its value in the running fiber.
final class Parameter: HeapObject {
  let initial: Value
  let converter: Value
  init(initial: Value, converter: Value) {
    self.initial = initial
    self.converter = converter
  }
  override var typeName: String { "parameter" }
  override func trace(_ marker: inout Marker) {
    marker.mark(initial)
    marker.mark(converter)
  }
}

/// What `error` and failing primitives raise.
final class ErrorObject: HeapObject {
  let message: String
  let irritants: [Value]
  let hint: String?
  /// The calls that were active when it was first raised.
  var stackTrace: StackTrace?
  /// The name that has no value, for an undefined symbol.
  var undefinedName: String?
  /// Where the mistake stands, when that is not where the innermost frame is.
  var span = SourceSpan.none
  /// The macros in whose expansions it happened, innermost first.
  var expansions: [(macro: String, span: SourceSpan)] = []
  /// The Swift error that it stands for.
  var underlyingError: (any Error)?
  /// What ended a fiber, when that was no mistake.
  var interruption: Interruption?
  /// What sort of mistake it is, for hints.
  var kind = "error"

  init(message: String, irritants: [Value] = [], hint: String? = nil) {
    self.message = message
    self.irritants = irritants
    self.hint = hint
  }
  override var typeName: String { "error" }
  override var externalBytes: Int { 320 + message.utf8.count + irritants.count * 8 + (stackTrace?.bytes ?? 0) }
  override func describe(_ machine: Machine) -> String { "#<error \(message)>" }
  override func trace(_ marker: inout Marker) { for v in irritants { marker.mark(v) } }

  /// The message with its irritants.
  func fullMessage(_ machine: Machine) -> String {
    ([message] + irritants.map { Printer.text($0, machine) }).joined(separator: " ")
  }
}

/// Several values on their way to `call-with-values`.
final class MultipleValues: HeapObject {
  let values: [Value]
  init(_ values: [Value]) { self.values = values }
  override var typeName: String { "values" }
  override func describe(_ machine: Machine) -> String { values.map { Printer.text($0, machine) }.joined(separator: " ") }
  override func trace(_ marker: inout Marker) { for v in values { marker.mark(v) } }
}

extension Machine {
  func multipleValues(_ values: [Value]) -> Value {
    values.count == 1 ? values[0] : heap.allocate(object: MultipleValues(values))
  }
}
