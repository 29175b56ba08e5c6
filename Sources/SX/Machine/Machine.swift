/// The virtual machine of one interpreter: heap, globals, fibers, and the loop that runs them. Used by one thread at a time.
final class Machine {
  let heap: Heap
  let safepoint: SafepointCounter
  /// Steps of work until the next look at what may end it, see `Work.swift`.
  let work: UnsafeMutablePointer<Int>
  let nativeStack = NativeStack()
  let host: any Host
  /// Set by the interpreter, which outlives its machine.
  unowned(unsafe) var interpreter: Interpreter!

  // MARK: Names

  static let mostGlobals = 1 << 20
  /// Values of the globals, by index. Reserved once and never moved, so that the loop can keep the address.
  let globals = Registers.allocate(capacity: Machine.mostGlobals)
  private(set) var globalNames: [Value] = []
  /// Definitions of the prelude that nobody has asked for yet.
  var pending = PendingDefinitions()
  /// The texts of the prelude, for documentation.
  var preludeFiles: [PreludeFile] = []
  private(set) var specialForms = IdentityMap<SpecialForm>()
  private(set) var openCoded = IdentityMap<OpenCoded>()
  private var originals: [Bool] = Array(repeating: true, count: OpenCoded.allCases.count)
  private(set) var natives: [Native] = []
  /// Makes a native at run time. It lives as long as the machine.
  func makeNative(_ native: Native) -> Value {
    natives.append(native)
    return heap.permanent(native)
  }
  /// By index of the global; `unbound` where no primitive has the name.
  private var originalNatives: [Value] = []
  private var staticSymbols = IdentityMap<Value>()
  /// Names of the expansions of the form that is being compiled.
  let aliases = AliasTable()
  /// What global names mean outside libraries.
  let program = Namespace(.program)
  /// What they mean in the prelude.
  let preludeNames = Namespace(.prelude)
  /// Globals of names that the prelude defines, and no primitive.
  private(set) var preludeGlobals = 0..<0
  /// By written name.
  var libraries: [String: Library] = [:]
  /// Symbols that name the globals of libraries, and of the prelude where a program took the name; a global is never given up, whatever becomes of its library.
  var libraryGlobals: [Value] = []
  /// Types of records, by number.
  var recordTypes: [RecordType] = []
  var patterns = PatternCache()

  // MARK: Programs

  var sources = SourceMap()
  /// What was compiled of programs that may run again.
  var programs: [ObjectIdentifier: (contents: Program.Contents, compiled: CompiledProgram)] = [:]
  /// How often a global has become a macro, or has ceased to be one.
  private(set) var macroChanges = 0
  /// Forms under compilation: nodes refer to parts of them.
  var compileRoots: [Value] = []
  /// Nodes that macros have made for the form under compilation.
  var expansionSize = 0
  /// Where the form stands whose macro is running.
  var expansionSpan = SourceSpan.none
  /// That form.
  var expansionForm = Value.nil
  private(set) var listNative = Value.nil, concatNative = Value.nil, applyNative = Value.nil, dictNative = Value.nil, mergeNative = Value.nil, raiseNative = Value.nil

  // MARK: Fibers

  /// The switch record of the running fiber, see `FiberSwitch` for who owns it.
  var running: FiberRecord
  /// Where the running fiber is.
  @inline(__always) var state: UnsafeMutablePointer<MachineState> { running.state }
  var current: Fiber {
    get { running.pointee.owner.takeUnretainedValue() }
    set {
      let former = running
      running = newValue.record
      running.retain()
      former.release()
    }
  }
  /// Fibers that wait in nested runs below the current one.
  var suspendedRuns: [Fiber] = []
  var ready = FiberQueue()
  /// Fibers that wait for the host.
  var waiting: [UInt64: Fiber] = [:]
  /// What waiting fibers wait for, where that is a task of the embedding program.
  var tasks: [UInt64: Task<Void, Never>] = [:]
  /// Conditions that have left calls of SX inside the running calls of the host, which may pass them on.
  var nestedFailures: [(number: Int, raise: Raise)] = []
  var failuresSoFar = 0
  /// What has ended a call of SX inside the running call of the host.
  var nestedInterruption: Interruption?
  private var nextFiber: UInt64 = 1
  let halt: UnsafeMutablePointer<Instruction>
  /// The values that stand for objects of the embedding program; they are not kept alive by this.
  var foreignObjects: [ObjectIdentifier: Value] = [:]
  /// Kept alive from Swift.
  var handles = HandleTable()

  // MARK: Switches

  var isStrict = true
  var stackLimit = Fiber.mostCapacity
  /// Room beyond the limit, granted to the handlers of a stack overflow until control has gone to a guard.
  var stackReserve = 0
  /// Safepoints per time slice.
  static let slice = 50_000
  let cancellation: Cancellation
  /// The fibers whose end the host waits for, the latest last.
  var awaited: [UInt64] = []
  /// The host's, or its own.
  let mailbox: Mailbox
  var budget = Budget()
  /// What is left of it for the fibers that one interruption ends.
  var grace: RunBudget?
  var capabilities = Capabilities.none { didSet { granted.pointee = capabilities.bits } }
  /// The same as bits, in raw memory: primitives ask for it at every call.
  let granted: UnsafeMutablePointer<UInt32>
  /// Where a limit stopped the script, until that has become a condition.
  var limitTrace: StackTrace?
  /// What a bridge puts around calls that cross the border to the embedding program.
  var border = Border()
  let random = RandomPool()
  let identifiers = IdentifierGenerator()
  var standardPorts = StandardPorts()
  var gensymCount = 0
  /// The latest time that anybody was told, in nanoseconds since 1970. In raw memory for the same reason.
  let lastNow: UnsafeMutablePointer<Int>

  init(host: any Host) {
    self.host = host
    mailbox = host.inbox ?? Mailbox()
    cancellation = Cancellation(waking: mailbox)
    safepoint = .allocate(capacity: 1)
    safepoint.initialize(to: Machine.slice)
    work = .allocate(capacity: 1)
    work.initialize(to: Machine.checkInterval)
    granted = .allocate(capacity: 1)
    granted.initialize(to: 0)
    lastNow = .allocate(capacity: 1)
    lastNow.initialize(to: 0)
    var seed: UInt64 = 0
    withUnsafeMutableBytes(of: &seed) { host.randomBytes($0) }
    heap = Heap(safepoint: safepoint, hashSeed: seed)
    halt = .allocate(capacity: 1)
    halt.initialize(to: Instruction(op: .halt))
    let first = Fiber(number: 0, function: .nil, arguments: [], halt: UnsafePointer(halt))
    running = first.record
    running.retain()
    first.status = .finished
    for operation in OpenCoded.allCases {              // first, so that their globals have the lowest indices
      let name = symbol(operation.name)
      openCoded[name.bits] = operation
      _ = globalIndex(name)
    }
    for form in SpecialForm.allCases { specialForms[heap.symbol(form.rawValue).bits] = form }
    // Other spellings of known forms.
    specialForms[symbol("λ").bits] = .fn
    installNatives()
    makeStandardPorts()
    let firstOfPrelude = globalNames.count
    Prelude.announce(to: self)
    preludeGlobals = firstOfPrelude..<globalNames.count
  }

  deinit {
    for task in tasks.values { task.cancel() }
    // Coroutines go with the heap, in any order.
    for fiber in waiting.values { fiber.endWithResumers() }
    for fiber in ready.all { fiber.endWithResumers() }
    current.endWithResumers()
    running.release()
    globals.deallocate()
    safepoint.deallocate()
    work.deallocate()
    granted.deallocate()
    lastNow.deallocate()
    halt.deallocate()
  }

  private func installNatives() {
    var table = NativeTable()
    table.installAll()
    natives.reserveCapacity(table.natives.count)
    for native in table.natives {
      natives.append(native)
      globals[globalIndex(heap.symbol(native.name))] = heap.permanent(native)
    }
    originalNatives = (0..<globalNames.count).map { globals[$0] }
    // Code of the prelude means the primitive itself. Nobody else can name those that take the machine apart.
    for name in Native.forPreludeOnly { globals[globalIndex(heap.symbol(name))] = .unbound }
    listNative = globals[globalIndex(symbol("list"))]
    concatNative = globals[globalIndex(symbol("concat"))]
    applyNative = globals[globalIndex(symbol("apply"))]
    dictNative = globals[globalIndex(symbol("dict"))]
    mergeNative = globals[globalIndex(symbol("merge"))]
    raiseNative = globals[globalIndex(symbol("raise"))]
  }

  // MARK: Symbols and globals

  /// The symbol with a name that stands in our own source.
  func symbol(_ name: StaticString) -> Value {
    let key = UInt64(UInt(bitPattern: name.utf8Start))
    if let known = staticSymbols[key], known.textEquals(name) { return known }
    let v = heap.symbol(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    staticSymbols[key] = v
    return v
  }

  /// The string with the text of a keyword, symbol or string; one and the same for equal names of keywords.
  func keyString(_ v: Value) -> Value { v.isString && v.header & 1 != 0 ? v : heap.constantString(v.utf8) }

  /// Index of the global that a symbol names.
  func globalIndex(_ symbol: Value) -> Int {
    let known = symbol.length
    if known != 0 { return known - 1 }
    let index = globalNames.count
    precondition(index < Machine.mostGlobals, "more than a million globals")
    globalNames.append(symbol)
    (globals + index).initialize(to: .unbound)
    heap.setLength(symbol, index + 1)
    return index
  }

  /// The primitive that a global was born with.
  func original(_ index: Int) -> Value? { index < originalNatives.count && originalNatives[index] != .unbound ? originalNatives[index] : nil }

  func isOriginal(_ operation: OpenCoded) -> Bool { originals[Int(operation.rawValue)] }

  /// Gives a global a value. A redefined primitive makes the functions that have it open-coded compile again.
  func setGlobal(_ index: Int, _ v: Value) throws {
    // What is pending has no value yet. Nearly every assignment is to what has one.
    if globals[index] == .unbound { pending[index] = nil }
    if v.object(as: Macro.self) != nil || globals[index].object(as: Macro.self) != nil { macroChanges &+= 1 }
    globals[index] = v
    guard index < OpenCoded.allCases.count, let operation = openCoded[globalNames[index].bits] else { return }
    let isOriginal = v.isKind(.native) && v.native.name == String(describing: operation.name)
    guard originals[Int(operation.rawValue)] != isOriginal else { return }
    originals[Int(operation.rawValue)] = isOriginal
    try recompile(operation)
  }

  /// After a primitive was redefined, or has got its own meaning back: frames that run keep their code, every next call sees the new one.
  private func recompile(_ operation: OpenCoded) throws {
    var codes: [Code] = []
    heap.forEachCell { cell in
      if Kind(header: cell[0]) == .code { codes.append(Code.of(cell: Value(cell))) }
    }
    let bit = UInt64(1) << UInt64(operation.rawValue)
    var renewed: Set<ObjectIdentifier> = []
    for code in codes where code.openCoded & bit != 0 && !code.lambda.isPrelude {
      try Compiler.recompile(self, code)
      renewed.insert(ObjectIdentifier(code))
    }
    heap.forEachCell { cell in
      guard Kind(header: cell[0]) == .closure else { return }
      let code = Code.of(closure: Value(cell))
      guard renewed.contains(ObjectIdentifier(code)) else { return }
      cell[0] = cell[0] & ~(0xFFFF << 32) | UInt64(code.frameSize) << 32
      cell[1] = UInt64(UInt(bitPattern: code.entry))
    }
  }

  /// The value of a global, evaluating its prelude definition when nobody has asked for it before; `unbound` when there is none.
  func globalValue(_ index: Int) throws -> Value {
    let v = globals[index]
    if v != .unbound { return v }
    guard let definition = pending.remove(index) else { return .unbound }
    do {
      let own = preludeGlobal(index)
      // A program has announced a definition of its own, and not made it yet.
      if own != index { globals[index] = try globalValue(own) } else { try definition.evaluate(in: self) }
    } catch {
      // It was not finished; the next who asks for it begins anew.
      if globals[index] == .unbound { pending[index] = definition }
      throw error
    }
    return globals[index]
  }

  /// The same, but a missing one is an error.
  @inline(never) func boundGlobal(_ index: Int) throws -> Value {
    let v = try globalValue(index)
    if v == .unbound {
      let name = globalNames[index].text
      let object = ErrorObject(message: undefinedMessage(name))
      object.undefinedName = name
      throw Raise(condition: heap.allocate(object: object))
    }
    return v
  }

  /// A word of another language has a hint of its own; else a near name is offered.
  func undefinedMessage(_ name: String, alsoKnown: [String] = []) -> String {
    let message = "Undefined symbol: \(name)"
    if Hint.text(for: message) != nil { return message }
    return message + (Suggestion.near(name, globalNames: definedNames + alsoKnown).map { ", " + $0 } ?? "")
  }

  /// Names that have a value, prelude definitions included.
  var definedNames: [String] {
    globalNames.indices.filter { globals[$0] != .unbound || pending[$0] != nil }.map { globalNames[$0].text }
  }

  // MARK: Macros

  /// The macro that a global names.
  func macro(_ index: Int) throws -> Macro? {
    if globals[index] == .unbound, pending[index]?.isMacro == true { _ = try globalValue(index) }
    return globals[index].object(as: Macro.self)
  }

  func defineMacro(_ index: Int, _ lambda: Lambda, _ namespace: Namespace?) throws {
    let code = try Compiler.compile(self, lambda)
    let closure = heap.closure(Code.of(cell: code), captures: 0)
    let macro = Macro(name: lambda.name, closure: closure)
    macro.namespace = namespace
    try setGlobal(index, heap.allocate(object: macro))
  }

  /// Calls a macro on unevaluated forms.
  func expand(_ macro: Macro, _ form: Value, _ arguments: [Value], name: String, _ span: SourceSpan) throws -> Value {
    let outer = (expansionSpan, expansionForm)
    (expansionSpan, expansionForm) = (span, form)
    defer { (expansionSpan, expansionForm) = outer }
    do {
      let expansion = try callNested(macro.closure, arguments)
      compileRoots.append(expansion)
      return expansion
    } catch let raise as Raise {
      if let object = raise.condition.object(as: ErrorObject.self), object.expansions.isEmpty { object.expansions = [(name, span)] }
      throw raise
    }
  }

  // MARK: Fibers

  func makeFiber(_ function: Value, _ arguments: [Value], room: Int = Fiber.initialCapacity) -> Fiber {
    defer { nextFiber += 1 }
    let fiber = Fiber(number: nextFiber, function: function, arguments: arguments, room: room, halt: UnsafePointer(halt))
    fiber.saved.bindings = state.pointee.bindings
    fiber.run = budget.run
    return fiber
  }

  // MARK: Collection

  /// Only at safepoints: every live value is in a root.
  func collect() {
    let running = current.status == .running
    heap.collect { marker in
      for i in 0..<globalNames.count {
        marker.mark(globals[i])
        // Names of a library are no interned symbols, and code may outlive a library that did not load.
        marker.mark(globalNames[i])
      }
      for root in compileRoots { marker.mark(root) }
      handles.trace(&marker)
      for failure in nestedFailures { marker.mark(failure.raise.condition) }
      for program in programs.values { program.compiled.trace(&marker) }
      aliases.trace(&marker)
      for symbol in libraryGlobals { marker.mark(symbol) }
      for library in libraries.values { library.namespace.trace(&marker) }
      marker.mark(self.running.pointee.cell)
      if running { traceRunning(current, &marker) }
      for fiber in suspendedRuns {
        if fiber.status == .running { traceRunning(fiber, &marker) } else { fiber.traceAsRoot(&marker) }
      }
      for fiber in ready.all { fiber.traceAsRoot(&marker) }
      for fiber in waiting.values { fiber.traceAsRoot(&marker) }
      marker.drain()
    }
    forgetDeadForeignObjects()
  }

  private func traceRunning(_ fiber: Fiber, _ marker: inout Marker) {
    let state = fiber.saved, top = Fiber.top(state.base)
    marker.mark(fiber.stack, top - fiber.stack)
    fiber.clear(above: top)
    marker.mark(state.handlers)
    marker.mark(state.winders)
    marker.mark(state.bindings)
    marker.mark(fiber.record.pointee.cell)
    fiber.traceResumer(&marker)
  }
}

/// A global whose value is a macro.
final class Macro: HeapObject {
  let name: String
  /// Of the `defmacro` kind: what is called with the forms.
  private(set) var closure: Value
  /// Of the `syntax-rules` kind.
  var rules: SyntaxRules?
  /// The form that `rules` were read from, whose parts they refer to.
  var source = Value.nil
  /// What was visible where it was defined, see `Scope`; 0 at top level.
  var serial = 0
  /// The library that defined it.
  var namespace: Namespace?

  init(name: String, closure: Value) {
    self.name = name
    self.closure = closure
  }
  /// Takes over the meaning of another macro: names are made visible before their transformers exist.
  func become(_ other: Macro) {
    closure = other.closure
    rules = other.rules
    source = other.source
    serial = other.serial
    namespace = other.namespace
  }
  override var typeName: String { "macro" }
  override func describe(_ machine: Machine) -> String { "#<macro \(name)>" }
  override func trace(_ marker: inout Marker) {
    marker.mark(closure)
    marker.mark(source)
  }
}

/// First in, first out.
struct FiberQueue {
  private var items: [Fiber] = []
  private var head = 0
  var isEmpty: Bool { head == items.count }
  var all: ArraySlice<Fiber> { items[head...] }

  mutating func append(_ fiber: Fiber) { items.append(fiber) }
  mutating func popFirst() -> Fiber? {
    guard head < items.count else { return nil }
    defer {
      head += 1
      if head > 64, head * 2 > items.count {
        items.removeFirst(head)
        head = 0
      }
    }
    return items[head]
  }
}

/// Values that Swift holds on to.
struct HandleTable {
  private var values: [Value] = []
  private var free: [Int] = []

  mutating func add(_ v: Value) -> Int {
    if let slot = free.popLast() {
      values[slot] = v
      return slot
    }
    values.append(v)
    return values.count - 1
  }
  mutating func remove(_ slot: Int) {
    values[slot] = .nil
    free.append(slot)
  }
  subscript(slot: Int) -> Value { values[slot] }
  func trace(_ marker: inout Marker) { for v in values { marker.mark(v) } }
}
