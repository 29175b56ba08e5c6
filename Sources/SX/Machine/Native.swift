/// What a parameter of a native accepts.
struct ParameterType: Sendable {
  let name: StaticString
  /// One bit per `TypeBit`.
  let mask: UInt32
  private let verb: StaticString
  /// What an error expects.
  var expectation: String { "\(verb) \(name)" }

  private init(name: StaticString, mask: UInt32, verb: StaticString = "expected") {
    self.name = name
    self.mask = mask
    self.verb = verb
  }

  static let any = ParameterType(name: "any", mask: .max)
  /// The contract writes its error with a capital letter, and programs may look for it.
  static let number = ParameterType(name: "number", mask: TypeBit.integer | TypeBit.float | TypeBit.rational, verb: "Expected")
  static let integer = ParameterType(name: "integer", mask: TypeBit.integer)
  static let string = ParameterType(name: "string", mask: TypeBit.string)
  static let symbol = ParameterType(name: "symbol", mask: TypeBit.symbol)
  /// A string, symbol or keyword.
  static let text = ParameterType(name: "string", mask: TypeBit.string | TypeBit.symbol | TypeBit.keyword)
  static let character = ParameterType(name: "char", mask: TypeBit.character)
  /// A list; nil counts as the empty one.
  static let list = ParameterType(name: "list", mask: TypeBit.list | TypeBit.nil)
  /// A list that is changed in place: nil will not do.
  static let listToChange = ParameterType(name: "list", mask: TypeBit.list)
  static let dict = ParameterType(name: "dict", mask: TypeBit.dict)
  /// A dict; nil counts as the empty one.
  static let dictOrNil = ParameterType(name: "dict", mask: TypeBit.dict | TypeBit.nil)
  static let function = ParameterType(name: "function", mask: TypeBit.closure | TypeBit.native | TypeBit.object)
  static let object = ParameterType(name: "object", mask: TypeBit.object)
  static let listOrString = ParameterType(name: "list or string", mask: TypeBit.list | TypeBit.nil | TypeBit.string)
  static let collection = ParameterType(name: "list, dict or string", mask: TypeBit.list | TypeBit.nil | TypeBit.string | TypeBit.dict)
  static let vector = ParameterType(name: "vector", mask: TypeBit.object)
  static let bytevector = ParameterType(name: "bytevector", mask: TypeBit.object)
  static let set = ParameterType(name: "set", mask: TypeBit.object)
  static let hashTable = ParameterType(name: "hash-table", mask: TypeBit.object)
  static let coroutine = ParameterType(name: "coroutine", mask: TypeBit.object)
  static let port = ParameterType(name: "port", mask: TypeBit.object)
  /// A regexp, or a string that is made into one.
  static let pattern = ParameterType(name: "regexp or string", mask: TypeBit.object | TypeBit.string)
  /// A dict, or a list with indices.
  static let associative = ParameterType(name: "dict or list", mask: TypeBit.list | TypeBit.nil | TypeBit.dict)
}

/// The kinds of value that parameter types are made of: one bit for each kind of cell, and the upper ones for what is no cell.
enum TypeBit {
  private static func of(_ kinds: Kind...) -> UInt32 { kinds.reduce(0) { $0 | 1 << UInt32($1.rawValue) } }
  private static let fix: UInt32 = 1 << 31, end = of(Value.end), endOfFile = of(Value.endOfFile)
  static let float = 1 << 30 | of(.double), `nil` = of(Value.nil), boolean = of(Value.true) | of(Value.false), character = of(Value.character("a"))
  static let integer = fix | of(.int), list = end | of(.pair, .slice, .mutableList)
  static let string = of(.string), symbol = of(.symbol), keyword = of(.keyword), dict = of(.dict), closure = of(.closure), native = of(.native), rational = of(.rational)
  static let object = endOfFile | of(.object, .record, .box, .storage, .entries, .node, .code, .handler)

  /// Kinds are at most 20; the immediates, whose low bytes are 8 apart, have the bits from 21 to 27.
  @inline(__always) static func of(_ v: Value) -> UInt32 {
    if v.isCell { return 1 &<< UInt32(UInt8(truncatingIfNeeded: v.header &>> 8)) }
    return v.isFix ? 1 << 31 : v.isFlo ? 1 << 30 : 1 &<< (21 &+ UInt32(UInt8(truncatingIfNeeded: v.bits) &>> 3))
  }
}

/// One parameter of a native: its name and type, and whether it may be left out or repeated.
struct NativeParameter: Sendable {
  let name: StaticString
  let type: ParameterType
  let presence: Presence
}

/// The arguments of a call, in registers.
struct Arguments {
  let base: Registers
  let count: Int
  @inline(__always) subscript(i: Int) -> Value { base[i] }
  /// Argument `i`, or nil when it was left out.
  @inline(__always) func optional(_ i: Int) -> Value? { i < count ? base[i] : nil }
  func integer(_ i: Int) -> Int { Arithmetic.integer(base[i]) ?? 0 }
  func integer(_ i: Int, default value: Int) -> Int { i < count && !base[i].isNil ? Arithmetic.integer(base[i]) ?? value : value }
  func number(_ i: Int) -> Double { Arithmetic.number(base[i]) ?? .nan }
}

/// A primitive: one declaration gives its name, parameters, doc and example; arity and type errors, `doc`, completion and the manual all come from it.
final class Native: Sendable {
  /// Gets checked arguments, answers the value. Must not run SX code.
  typealias Body = @Sendable (Machine, Arguments) throws -> Value
  /// Gets checked arguments in `slot[1]…slot[n]`; must arrange that the value arrives in `slot[0]`. May change the machine's state.
  typealias Control = @Sendable (Machine, _ slot: Registers, _ n: Int) throws -> Void

  let name: String
  let group: String
  let parameters: [NativeParameter]
  let doc: String
  /// `expression → value`, one a line; they run as tests. See `DocComment`.
  let example: String
  /// The name that was declared first, when this is another one of it.
  let aliasOf: String?
  /// What a script must be granted to call it.
  let capability: Capability?
  /// Where it is declared: `SX/Lists.swift`, as the compiler says it.
  fileprivate let fileID: StaticString
  let line: Int
  /// The path of that file in the project.
  var file: String { "Sources/SX/Primitives/" + ("\(fileID)".split(separator: "/").last ?? "") }
  /// What it does: answer a value, or, for the few that change the machine's state, `control`. Two plain closures, because calling one
  /// out of an `Optional` or a generic enum allocates a thunk.
  let body: Body
  let control: Control
  let isControl: Bool
  /// Whether a call may go on with SX code, so that a loop needs no other safepoint. Not what waits: it gives its turn away as it is.
  let isSafepoint: Bool
  let fieldAccess: FieldAccess?
  private let arity: Arity
  /// Masks of the parameters; arguments beyond them have the last one. In raw memory that is written once, because every call of a primitive reads it.
  private nonisolated(unsafe) let masks: UnsafeMutablePointer<UInt32>
  private let lastMask: Int
  /// The bit of the capability that has to be granted; 0 for none.
  private let neededBit: UInt32
  /// Whether it takes as long as all of its arguments are.
  fileprivate let walks: Bool
  /// Whether there is more to do before a call than to look at types.
  private let paysAhead: Bool
  /// How many bytes it may take for each element, entry or byte of its arguments.
  fileprivate let growth: Int
  /// Whether nothing has to be known of its arguments but their number.
  private let takesAnything: Bool

  init(name: String, group: String, parameters: [NativeParameter], doc: String, example: String, aliasOf: String? = nil, capability: Capability? = nil, walks: Bool = false, growth: Int = 0, fieldAccess: FieldAccess? = nil, waits: Bool = false, file: StaticString, line: Int, body: Body?, control: Control?) {
    self.name = name
    self.aliasOf = aliasOf
    self.capability = capability
    fileID = file
    self.line = line
    self.group = group
    self.parameters = parameters
    self.doc = doc
    self.example = example
    isControl = control != nil
    isSafepoint = control != nil && !waits
    self.fieldAccess = fieldAccess
    self.body = body ?? { _, _ in fatalError("\(name) has no body") }
    self.control = control ?? { _, _, _ in fatalError("\(name) does not change control") }
    arity = Arity(required: parameters.reduce(0) { $0 + ($1.presence == .required ? 1 : 0) }, most: parameters.last?.presence == .rest ? Int.max : parameters.count)
    masks = .allocate(capacity: max(1, parameters.count))
    masks.initialize(repeating: .max, count: max(1, parameters.count))
    for (i, parameter) in parameters.enumerated() { masks[i] = parameter.presence == .optional ? parameter.type.mask | TypeBit.nil : parameter.type.mask }
    lastMask = max(0, parameters.count - 1)
    neededBit = capability.map { $0 == .environment ? 0 : $0.bit } ?? 0
    self.walks = walks
    paysAhead = walks || growth > 0
    self.growth = growth
    takesAnything = parameters.allSatisfy { $0.type.mask == .max }
  }
  deinit { masks.deallocate() }

  /// Calls it with the arguments in `window[1]…window[n]`. Answers the value, or `unbound` when it changed the machine's state and the value arrives in `window[0]`.
  @inline(never) func invoke(_ machine: Machine, _ window: Registers, _ n: Int) throws -> Value {
    if !accepts(window + 1, n) || machine.granted.pointee & neededBit != neededBit || paysAhead { try check(machine, window + 1, n) }
    if isControl {
      try control(machine, window, n)
      return .unbound
    }
    let value = try body(machine, Arguments(base: window + 1, count: n))
    if growth > 0 { try machine.charge(value.extent) }
    return value
  }

  /// Are number and types of the arguments right? Every call of a primitive comes by here: there is no call in it, and what is wrong is said elsewhere.
  @inline(__always) private func accepts(_ base: Registers, _ n: Int) -> Bool {
    if !arity.accepts(n) { return false }
    if takesAnything { return true }
    var i = 0
    while i < n {
      if masks[i < lastMask ? i : lastMask] & TypeBit.of(base[i]) == 0 { return false }
      i &+= 1
    }
    return true
  }
  @inline(never) private func check(_ machine: Machine, _ base: Registers, _ n: Int) throws {
    if !arity.accepts(n) { throw machine.error(arity.message(name, n), hint: "usage: \(signature)") }
    if machine.granted.pointee & neededBit != neededBit, let capability { try machine.demand(capability, name) }
    for i in 0..<n {
      let mask = masks[min(i, lastMask)]
      if mask & TypeBit.of(base[i]) == 0 { base[i] = try coerced(machine, i, base[i], mask) }
    }
    if paysAhead { try machine.prepare(for: Arguments(base: base, count: n), walks: walks, growth: growth) }
  }
  /// Arithmetic takes more than numbers while `set-strict!` is off.
  private func coerced(_ machine: Machine, _ i: Int, _ v: Value, _ mask: UInt32) throws -> Value {
    if !machine.isStrict, group == "numbers", let number = machine.coerced(v), mask & TypeBit.of(number) != 0 { return number }
    throw wrongType(machine, i, v)
  }
  private func wrongType(_ machine: Machine, _ i: Int, _ v: Value) -> Raise {
    machine.wrongType(name, i + 1, parameters[min(i, parameters.count - 1)].type, v)
  }

  /// What is wrong with a call with `n` arguments, if anything.
  func arityProblem(_ n: Int) -> String? { arity.accepts(n) ? nil : arity.message(name, n) }

  /// `(name a [b] c…)`.
  var signature: String {
    let shown = parameters.map { $0.presence.shown("\($0.name)") }
    return "(" + ([name] + shown).joined(separator: " ") + ")"
  }
}

/// Collects the declarations of all groups.
struct NativeTable {
  private(set) var natives: [Native] = []
  private var group = ""

  mutating func begin(_ group: String) { self.group = group }

  /// Declares a primitive. `example` is `expression → value`, one a line, and runs as a test; `→ error: MESSAGE` is one that raises, `→ …` one that is not run.
  /// One that `needs` a capability asks for it before anything else; only the environment is empty instead, and looking at it no error.
  /// One that `walks` through all of its arguments takes a step for each element, entry or byte of them. One that may take `growth` bytes for each asks whether the system has as much, and takes a step
  /// for each of what it answers. Whoever may look at a part alone counts what it has looked at.
  mutating func add(_ name: String, _ parameters: NativeParameter..., needs capability: Capability? = nil, walks: Bool = false, growth: Int = 0, doc: String, example: String = "", file: StaticString = #fileID, line: Int = #line, body: @escaping Native.Body) {
    natives.append(Native(name: name, group: group, parameters: parameters, doc: doc, example: example, capability: capability, walks: walks, growth: growth, file: file, line: line, body: body, control: nil))
  }
  mutating func addControl(_ name: String, _ parameters: NativeParameter..., needs capability: Capability? = nil, waits: Bool = false, doc: String, example: String = "", file: StaticString = #fileID, line: Int = #line, control: @escaping Native.Control) {
    natives.append(Native(name: name, group: group, parameters: parameters, doc: doc, example: example, capability: capability, waits: waits, file: file, line: line, body: nil, control: control))
  }
  /// A second name for the primitive that was declared last.
  mutating func alias(_ name: String) {
    guard let last = natives.last else { return }
    natives.append(Native(name: name, group: group, parameters: last.parameters, doc: last.doc, example: "", aliasOf: last.aliasOf ?? last.name, capability: last.capability, walks: last.walks, growth: last.growth, file: last.fileID, line: last.line, body: last.isControl ? nil : last.body, control: last.isControl ? last.control : nil))
  }
}

// Shorthands for declarations.
func required(_ name: StaticString, _ type: ParameterType = .any) -> NativeParameter { NativeParameter(name: name, type: type, presence: .required) }
func optional(_ name: StaticString, _ type: ParameterType = .any) -> NativeParameter { NativeParameter(name: name, type: type, presence: .optional) }
func rest(_ name: StaticString, _ type: ParameterType = .any) -> NativeParameter { NativeParameter(name: name, type: type, presence: .rest) }
