/// Hashes that agree with `Equality.deep`: what is equal has one hash, numbers of different kinds included.
///
/// Lists, dicts, records and objects with elements are hashed by what they hold. A budget bounds the work: every level hands the larger part of its own
/// on to its elements, in equal shares, so the result does not depend on the order in which a dict lists its entries, and neither huge nor
/// cyclic data can keep it going. What the budget leaves out only makes hashes collide.
struct Hashing {
  private let heap: Heap
  private let seed: UInt64

  init(_ heap: Heap) {
    self.heap = heap
    seed = heap.hashSeed
  }

  private static let budget = 1 << 14

  func deep(_ v: Value) -> UInt64 { hash(v, Hashing.budget) }

  /// Agrees with `Equality.eqv`.
  func shallow(_ v: Value) -> UInt64 {
    if v.isFix { return mix(1, v.bits) }
    if let i = Arithmetic.integer(v) { return mix(1, UInt64(bitPattern: Int64(i))) }
    if let d = Arithmetic.float(v) { return mix(2, d.isNaN ? 0 : d.bitPattern) }
    if let q = Arithmetic.rational(v) { return mix(UInt64(bitPattern: Int64(q.numerator)), UInt64(bitPattern: Int64(q.denominator))) }
    if v.isString, v.length == 0 { return seed }
    return mix(3, v.bits)
  }

  @inline(__always) private func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let wide = (a &+ seed ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(by: b ^ 0xD6E8_FEB8_6659_FD93)
    let h = wide.high ^ wide.low
    return h ^ h &>> 29
  }

  private func hash(_ v: Value, _ budget: Int) -> UInt64 {
    if v.isFix { return mix(1, UInt64(bitPattern: Int64(v.fixValue))) }
    if v.isString { return mix(4, UInt64(v.ensureHash(seed: seed))) }
    if let i = Arithmetic.integer(v) { return mix(1, UInt64(bitPattern: Int64(i))) }
    if let d = Arithmetic.float(v) ?? Arithmetic.rational(v)?.double {
      if let whole = Int(exactly: d) { return mix(1, UInt64(bitPattern: Int64(whole))) }
      return mix(2, d.isNaN ? 0 : d.bitPattern)
    }
    if v.isListCell || v == .end { return sequence(ListElements(v), v.listCount, 5, budget) }
    if v.isDict {
      let share = budget * 3 / 4 / max(1, v.length)
      guard share > 0 else { return mix(6, UInt64(v.length)) }
      heap.countSteps(v.length)
      return heap.entries(of: v).reduce(mix(6, UInt64(v.length))) { $0 &+ mix(mix(4, UInt64($1.key.ensureHash(seed: seed))), hash($1.value, share)) }
    }
    if v.isKind(.record) { return sequence((0..<v.length).map(v.field), v.length, UInt64(10 &+ v.recordTypeNumber), budget) }
    guard v.isKind(.object) else { return mix(3, v.bits) }
    let object = v.object
    if let elements = object.elements {
      // They are copied.
      heap.countSteps(elements.count)
      return sequence(elements, elements.count, 7, budget)
    }
    if let table = (object as? TableObject)?.table {
      let share = budget * 3 / 4 / max(1, table.count)
      guard share > 0 else { return mix(8, UInt64(table.count)) }
      return table.entries.reduce(mix(8, UInt64(table.count))) { $0 &+ mix(hash($1.key, share), hash($1.value, share)) }
    }
    if let content = object.contentHash { return mix(9, UInt64(bitPattern: Int64(content))) }
    return mix(3, UInt64(UInt(bitPattern: ObjectIdentifier(object).hashValue)))
  }

  private func sequence(_ values: some Sequence<Value>, _ count: Int, _ tag: UInt64, _ budget: Int) -> UInt64 {
    var h = mix(tag, UInt64(count))
    let share = budget * 3 / 4 / max(1, count)
    var left = budget
    defer { heap.countSteps(budget - left) }
    for v in values {
      if left == 0 { break }
      left -= 1
      h = mix(h, share > 0 || !Hashing.isCompound(v) ? hash(v, share) : tag)
    }
    return h
  }
  private static func isCompound(_ v: Value) -> Bool { v.isListCell || v == .end || v.isDict || v.isKind(.object) || v.isKind(.record) }
}
