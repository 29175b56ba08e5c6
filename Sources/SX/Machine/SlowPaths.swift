/// What the loop's fast paths leave over. Never inlined, so that the loop stays small.
extension Machine {
  /// `position`: which argument of the source's expression `b` is.
  @inline(never) func arithmetic(_ operation: Arithmetic.Operation, _ a: Value, _ b: Value, _ position: Int = 2) throws -> Value {
    if let result = Arithmetic.apply(operation, a, b, heap) { return result }
    let name = operation == .add ? "+" : operation == .subtract ? "-" : "*"
    if !isStrict, let x = coerced(a), let y = coerced(b), let result = Arithmetic.apply(operation, x, y, heap) { return result }
    throw notANumber(name, a, b, position)
  }
  @inline(never) func addInteger(_ x: Value, _ ip: InstructionPointer) throws -> Value {
    if let result = Arithmetic.apply(.add, x, .fix(ip.integer), heap) { return result }
    if !isStrict, let y = coerced(x) { return try arithmetic(.add, y, .fix(ip.integer)) }
    throw notANumber(["+", "-", "inc", "dec"][Int(ip.n)], x, .fix(0))
  }
  @inline(never) func modulo(_ a: Value, _ b: Value) throws -> Value {
    if let x = Arithmetic.integer(a), let y = Arithmetic.integer(b) {
      if y == 0 { throw error("mod: division by zero") }
      if y == -1 { return .fix(0) }
      let r = x % y
      return heap.int(r != 0 && (r < 0) != (y < 0) ? r + y : r)
    }
    if Arithmetic.isNumber(a), Arithmetic.isNumber(b) {
      guard let r = Arithmetic.divide(.modulo, a, b, heap) else { throw error("mod: division by zero") }
      return r
    }
    if !isStrict, let x = coerced(a), let y = coerced(b) { return try modulo(x, y) }
    throw notANumber("mod", a, b)
  }

  @inline(never) func divide(_ a: Value, _ b: Value) throws -> Value {
    if Value.bothFix(a, b) || Arithmetic.isNumber(a) && Arithmetic.isNumber(b) {
      guard let quotient = Arithmetic.divide(a, b, heap) else { throw error("/: division by zero") }
      return quotient
    }
    let (x, y) = try coercedOperands("/", a, b)
    return try divide(x, y)
  }
  @inline(never) func divide(_ division: Arithmetic.Division, _ a: Value, _ b: Value) throws -> Value {
    let name = division == .quotient ? "quotient" : "remainder"
    if Arithmetic.isNumber(a), Arithmetic.isNumber(b) {
      guard let result = Arithmetic.divide(division, a, b, heap) else { throw error("\(name): division by zero") }
      return result
    }
    let (x, y) = try coercedOperands(name, a, b)
    return try divide(division, x, y)
  }
  private func coercedOperands(_ name: String, _ a: Value, _ b: Value) throws -> (Value, Value) {
    if !isStrict, let x = coerced(a), let y = coerced(b) { return (x, y) }
    let isFirst = !Arithmetic.isNumber(a)
    throw wrongType(name, isFirst ? 1 : 2, .number, isFirst ? a : b)
  }

  // MARK: Vectors

  @inline(never) func vectorElement(_ v: Value, _ i: Value) throws -> Value {
    let element = v.borrowing(Vector.self) { vector in
      i.isFix && i.fixValue >= 0 && i.fixValue < vector.count ? vector[i.fixValue] : .unbound
    }
    if let element, element != .unbound { return element }
    throw badElement("vector-ref", v, i)
  }
  @inline(never) func setVectorElement(_ v: Value, _ i: Value, _ element: Value) throws {
    let isSet = v.borrowing(Vector.self) { vector in
      guard i.isFix, i.fixValue >= 0, i.fixValue < vector.count else { return false }
      vector[i.fixValue] = element
      return true
    }
    if isSet != true { throw badElement("vector-set!", v, i) }
  }
  @inline(never) private func badElement(_ name: String, _ v: Value, _ i: Value) -> Raise {
    guard let vector = v.object(as: Vector.self) else { return wrongType(name, 1, "vector", v) }
    return badIndex(i, name, vector)
  }
  private func badIndex(_ i: Value, _ name: String, _ vector: Vector) -> Raise {
    guard let index = Arithmetic.integer(i) else { return wrongType(name, 2, "integer", i) }
    return error("\(name): argument 2: index \(index) is out of range for a vector of length \(vector.count)")
  }

  /// `swapped`: the source says `>` or `>=`, and `a` is what it has second. `position`: which argument of the source's expression that is.
  @inline(never) func less(_ a: Value, _ b: Value, _ swapped: UInt8, _ position: Int = 2) throws -> Bool {
    if a.isFlo, b.isFlo { return a.floValue < b.floValue }
    if let order = Arithmetic.compare(a, b) { return order == .less }
    if a.isString, b.isString { return a.textLess(b) }
    if !isStrict, let x = coerced(a), let y = coerced(b), let order = Arithmetic.compare(x, y) { return order == .less }
    throw swapped == 0 ? notANumber("<", a, b, position) : notANumber(">", b, a, position)
  }
  @inline(never) func lessOrEqual(_ a: Value, _ b: Value, _ swapped: UInt8, _ position: Int = 2) throws -> Bool {
    if a.isFlo, b.isFlo { return a.floValue <= b.floValue }
    if let order = Arithmetic.compare(a, b) { return order == .less || order == .equal }
    if a.isString, b.isString { return !b.textLess(a) }
    if !isStrict, let x = coerced(a), let y = coerced(b), let order = Arithmetic.compare(x, y) { return order == .less || order == .equal }
    throw swapped == 0 ? notANumber("<=", a, b, position) : notANumber(">=", b, a, position)
  }
  /// `numeric`: the source says `zero?`, which takes numbers only.
  @inline(never) func equalsInteger(_ a: Value, _ b: Value, _ numeric: UInt8) throws -> Bool {
    if let same = Arithmetic.equal(a, b) { return same }
    if numeric == 1 { throw wrongType("zero?", 1, .number, a) }
    return false
  }

  /// What a value counts as in arithmetic when the interpreter is not strict.
  func coerced(_ v: Value) -> Value? {
    if Arithmetic.isNumber(v) { return v }
    switch v {
    case .nil, .false: return .fix(0)
    case .true: return .fix(1)
    default: return v.isString ? Numbers.parse(v.utf8, heap) : nil
    }
  }

  @inline(never) func isEmpty(_ v: Value) throws -> Bool {
    if v.isEmptyList { return true }
    if v.isListCell || v.isDict || v.isString { return v.length == 0 }
    throw wrongType("empty?", 1, "list, dict or string", v)
  }
  @inline(never) func firstSlow(_ v: Value) throws -> Value {
    if v.isNil { return .nil }
    if v.isKind(.slice), v.length > 0 { return v.run.pointee }
    if v.isString { return v.length > 0 ? stringScalar(v, at: 0) : .nil }
    guard v.isListCell else { throw wrongType("first", 1, "list or string", v) }
    return v.length == 0 ? .nil : heap.element(v, 0)
  }
  @inline(never) func restSlow(_ v: Value) throws -> Value {
    guard v.isListOrNil else { throw wrongType("rest", 1, "list", v) }
    return heap.rest(v)
  }
  /// `rest` for the variable of a walking loop. Along an array the loop keeps one slice of its own and moves it on in place;
  /// header byte 2 marks it. A captured continuation takes the mark away, because it may come back to an earlier turn.
  @inline(never) func advance(_ v: Value) throws -> Value {
    guard v.isKind(.slice), v.length > 1 else {
      let rest = try restSlow(v)
      if rest.isKind(.slice) { rest.cell[0] |= .variantHeaderBit }
      return rest
    }
    if v.header & .variantHeaderBit == 0 {
      let own = heap.rest(v)
      own.cell[0] |= .variantHeaderBit
      return own
    }
    return v.advance()
  }
  /// Moves the list in a register on. Answers whether anything is left of it.
  @inline(never) func nextItem(_ register: Registers) throws -> Bool {
    let x = register.pointee
    let rest = x.isPair ? heap.rest(x) : try advance(x)
    register.pointee = rest
    return try rest.isPairOrRun || !isEmpty(rest)
  }

  // MARK: Lists that a loop collects

  /// Adds a value to the list in a register. As long as it is short it is a chain of pairs, last element first; then a slice with all the
  /// elements of its storage, which nobody else has. A captured continuation takes the mark away that says so: then a turn goes on with a
  /// slice of its own, behind the elements that the other one has, unless another turn is there already.
  @inline(never) func collect(_ register: Registers, _ v: Value) throws {
    let list = register.pointee, n = list.listCount
    guard n >= Heap.longestPairChain else { return register.pointee = heap.cons(v, list) }
    let capacity = n < 64 ? 4 * n : 2 * n
    var storage = list.word(1)
    if list.isPair || storage.length != n {
      try reserve(growing: capacity * 8)
      storage = heap.storage(capacity: capacity)
      if list.isPair {
        for (i, element) in ListElements(list).enumerated() { storage.elements[n - 1 - i] = element }
      } else {
        storage.elements.update(from: list.run, count: n)
      }
    } else if n == storage.capacity {
      try reserve(growing: capacity * 8)
      heap.resize(storage, capacity: capacity)
    }
    storage.elements[n] = v
    heap.setLength(storage, n + 1)
    let own = heap.slice(storage, 0, n + 1)
    own.cell[0] |= .variantHeaderBit
    register.pointee = own
  }
  /// The complete list.
  @inline(never) func collected(_ list: Value) -> Value {
    guard list.isKind(.slice) else { return heap.reversed(list) }
    guard list.header & .variantHeaderBit != 0 else { return heap.slice(list.word(1), 0, list.length) }
    list.cell[0] &= ~.variantHeaderBit
    if list.length > 64 { heap.resize(list.word(1), capacity: list.length) }
    return list
  }
  /// What the primitive itself does, for arguments of which its instruction knows nothing.
  @inline(never) func primitive(_ operation: OpenCoded, _ arguments: Value...) throws -> Value {
    guard let native = original(Int(operation.rawValue)) else { return .nil }
    return try withUnsafeTemporaryAllocation(of: Value.self, capacity: arguments.count + 1) { window in
      let base = window.baseAddress.unsafelyUnwrapped
      base.initialize(to: native)
      for (i, argument) in arguments.enumerated() { (base + 1 + i).initialize(to: argument) }
      return try native.native.invoke(self, base, arguments.count)
    }
  }

  @inline(never) func length(_ v: Value) throws -> Value {
    v.isListCell || v.isString || v.isDict ? .fix(v.length) : try primitive(.length, v)
  }

  // MARK: Strings

  @inline(never) func character(_ s: Value, _ i: Value) throws -> Value {
    if s.isString, i.isFix, s.isASCII, i.fixValue >= 0, i.fixValue < s.length { return .character(Unicode.Scalar(s.bytes[i.fixValue])) }
    return try primitive(.stringRef, s, i)
  }

  @inline(never) func consSlow(_ head: Value, _ tail: Value) throws -> Value {
    guard tail.isListOrNil else { throw wrongType("cons", 2, "list", tail) }
    return heap.cons(head, tail)
  }
  /// `get` with a key of the source, which is not in the entry in which it was the last time. Notes in the instruction in which it is now: dicts that a
  /// program reads at one place mostly come from one place, too.
  @inline(never) func getKey(_ d: Value, _ key: Value, _ ip: InstructionPointer) throws -> Value {
    guard d.isDict else { return try getSlow(d, key) }
    if d.isFlatDict, let i = (0..<d.length).first(where: { d.flatKey($0) == key }) {
      UnsafeMutablePointer(mutating: ip).pointee.n = UInt8(truncatingIfNeeded: i)
      return d.flatValue(i)
    }
    return heap.get(d, key) ?? .nil
  }
  /// `get` of anything but a dict with a string key.
  @inline(never) func getSlow(_ d: Value, _ k: Value) throws -> Value { try lookUp(d, k) ?? .nil }

  /// The value under a key of a dict or at an index of a list; nil when there is none.
  func lookUp(_ d: Value, _ k: Value) throws -> Value? {
    if d.isDict { return k.isText ? heap.get(d, k.isString ? k : keyString(k)) : nil }
    if d.isNil { return nil }
    if d.isListCell {
      guard let i = Arithmetic.integer(k) else { throw wrongType("get", 2, "integer", k) }
      return i >= 0 && i < d.length ? heap.element(d, i) : nil
    }
    throw wrongType("get", 1, .associative, d)
  }

  // MARK: Closures and dicts

  @inline(never) func makeClosure(_ ip: InstructionPointer, _ base: Registers) -> Value {
    let code = ip.constant
    let n = Int(ip.n)
    let closure = Unmanaged<Code>.fromOpaque(UnsafeRawPointer(bitPattern: UInt(code.cell[1])).unsafelyUnwrapped)
      ._withUnsafeGuaranteedRef { heap.closure($0, captures: n) }
    for j in 0..<n {
      let capture = ip + (1 &+ j)
      switch capture.n {
      case 0: closure.setWord(2 &+ j, base[capture.b])
      case 1: closure.setWord(2 &+ j, base[-1].upvalue(capture.b))
      default: closure.setWord(2 &+ j, base[-1])
      }
    }
    return closure
  }

  @inline(never) func makeDict(_ ip: InstructionPointer, _ base: Registers) -> Value {
    let template = ip.constant, n = Int(ip.n), capacity = template.length
    let entries = heap.allocateLarge(words: 1 &+ 2 &* capacity, header: Kind.entries.header(length: capacity))
    let keys = template.cell
    for i in 0..<n {
      entries[1 &+ 2 &* i] = keys[1 &+ 2 &* i]
      entries[2 &+ 2 &* i] = base[ip.a &+ i].bits
    }
    for i in (2 &* n)..<(2 &* capacity) { entries[1 &+ i] = Value.nil.bits }
    return heap.flatDict(entries: Value(entries), count: n)
  }

  // MARK: Safepoints

  /// The counter ran out, or somebody zeroed it. Answers whether the fiber has to give way. Collects, so nothing may hold values in Swift variables here.
  @inline(never) func atSafepoint() throws -> Bool {
    if cancellation.isRequested { try obeyCancellation() }
    try spendSafepoints()
    if heap.wantsCollection {
      collect()
      shrinkStack()
      let isShort = heap.recoverFromRefusal()
      if let verdict = heap.takeVerdict() { throw verdict }
      if isShort { throw Interruption.memory }
      if heap.isExhausted, heap.isFull() { throw Interruption.heap }
      // Who makes much garbage comes here often, and has turns as long as others.
      return budget.turn <= 0 && suspendedRuns.isEmpty
    }
    return suspendedRuns.isEmpty
  }

  /// Before a call whose frame does not fit, or at a safepoint. Afterwards the call is executed anew.
  @inline(never) func beforeCall(_ callee: Registers, _ f: Value) throws -> Bool {
    let needed = callee + f.closureFrameSize
    if needed > state.pointee.stackEnd { try growStack(to: needed - current.stack) }
    return safepoint.pointee < 0 ? try atSafepoint() : false
  }

  /// Counts a call that the loop leaves to others. True: it has to go by `beforeSlowCall`.
  @inline(__always) func isAtSafepoint() -> Bool {
    safepoint.pointee &-= 1
    return safepoint.pointee < 0
  }

  /// The same as `beforeCall` for a call whose state is spilled, and which answers what such a call does: the state changed.
  @inline(never) func beforeSlowCall() throws -> Value {
    state.pointee.pc -= 1
    if try atSafepoint() { throw Suspension(exit: .preempted) }
    return .unbound
  }

  /// Room for `slots` in all on the value stack of the running fiber.
  @inline(never) func growStack(to slots: Int) throws {
    // Both stacks double, and for a moment there are two of them.
    try reserve(growing: slots * 48)
    let allowed = budget.limits.stackSlots.map { max($0, Fiber.evaluationCapacity) } ?? .max
    guard let moved = try current.reserve(slots + 16, fp: state.pointee.fp, limit: min(stackLimit + stackReserve, allowed)) else {
      if allowed < stackLimit { throw Interruption.stack }
      stackReserve = 1 << 16
      throw error("stack overflow: the recursion is deeper than the limit of \(stackLimit) stack slots")
    }
    if !current.record.pointee.cell.isNil { heap.noteExternal(slots * 12) }
    relocate(moved)
  }
  private func shrinkStack() {
    let used = Fiber.top(state.pointee.base) - current.stack
    // There may be no memory for a copy; then they stay as they are.
    if let moved = try? current.shrink(used: used, fp: state.pointee.fp) { relocate(moved) }
  }
  private func relocate(_ moved: (values: Int, frames: Int)) {
    state.pointee.base = (UnsafeMutableRawPointer(state.pointee.base) + moved.values).assumingMemoryBound(to: Value.self)
    state.pointee.fp = (UnsafeMutableRawPointer(state.pointee.fp) + moved.frames).assumingMemoryBound(to: Frame.self)
    state.pointee.stackEnd = current.end
  }
}
