/// Deep equality, with an explicit stack. Cyclic data ends: below a depth that harmless data rarely reaches, pairs of cells already
/// under comparison count as equal.
enum Equality {
  /// `equal?`, and `=` where at least one side is no number: numbers by value across kinds, text by content, lists and dicts by elements.
  /// `nesting`: how many tables are being compared around this comparison. Looking a key up compares it on the native stack, so
  /// beyond `deepestTables` a table is equal to itself alone.
  static func deep(_ a: Value, _ b: Value, _ heap: Heap, nesting: Int = 0) -> Bool {
    if let quick = shallow(a, b) {
      if a.isCell, b.isCell, a.bits != b.bits { countBytes(a, b, heap) }
      return quick
    }
    var pending: [(Value, Value)] = [(a, b)]
    var steps = 0, elements = 0
    defer { heap.countSteps(steps + elements) }
    var seen: Set<PairOfCells> = []
    while let (a, b) = pending.popLast() {
      if let quick = shallow(a, b) {
        if quick { continue }
        return false
      }
      steps += 1
      if steps > 100_000, !seen.insert(PairOfCells(a: a.bits, b: b.bits)).inserted { continue }
      if a.isKind(.record) {
        for i in 0..<a.length { pending.append((a.field(i), b.field(i))) }
      } else if a.isDict {
        guard a.length == b.length else { return false }
        elements += a.length
        for (key, value) in heap.entries(of: a) {
          guard let other = heap.get(b, key) else { return false }
          if let quick = shallow(value, other) {
            if !quick { return false }
          } else {
            pending.append((value, other))
          }
        }
      } else if a.isKind(.object) {
        if let x = (a.object as? TableObject)?.table, let y = (b.object as? TableObject)?.table {
          guard x.count == y.count, x.identity == y.identity, nesting < deepestTables else { return false }
          elements += 8 * x.count
          for (key, value) in x.entries {
            guard let other = y.get(key, heap, nesting: nesting + 1) else { return false }
            pending.append((value, other))
          }
        } else {
          guard let x = a.object.elements, let y = b.object.elements, x.count == y.count else { return false }
          elements += x.count
          for i in x.indices { pending.append((x[i], y[i])) }
        }
      } else {
        guard a.listCount == b.listCount else { return false }
        var x = ListIterator(a), y = ListIterator(b)
        while let p = x.next(), let q = y.next() {
          elements += 1
          if let quick = shallow(p, q) {
            if !quick { return false }
          } else {
            pending.append((p, q))
          }
        }
      }
    }
    return true
  }

  private static let deepestTables = 8

  /// Texts and runs of bytes, which are compared in one go.
  @inline(__always) private static func countBytes(_ a: Value, _ b: Value, _ heap: Heap) {
    if a.isString, b.isString {
      heap.countSteps(min(a.byteCount, b.byteCount) >> 2)
    } else if a.isKind(.object), b.isKind(.object) {
      heap.countSteps(min(a.object.externalBytes, b.object.externalBytes) >> 2)
    }
  }

  private struct PairOfCells: Hashable {
    let a: UInt64, b: UInt64
  }

  /// The answer when it needs no look inside; nil for two lists, two dicts two records of one type, or two objects of one class with elements.
  @inline(__always) private static func shallow(_ a: Value, _ b: Value) -> Bool? {
    if a.bits == b.bits { return !(a.isKind(.double) && Double(bitPattern: a.cell[1]).isNaN) }
    if a.isFix && b.isFix { return false }
    return shallowSlow(a, b)
  }
  @inline(never) private static func shallowSlow(_ a: Value, _ b: Value) -> Bool? {
    if let numbers = Arithmetic.equal(a, b) { return numbers }
    if a.isListCell || a == .end { return b.isListCell || b == .end ? nil : false }
    switch a.kind {
    case .string: return b.isString && a.textEquals(b)
    case .dict: return b.isDict ? nil : false
    case .record: return b.isKind(.record) && a.recordTypeNumber == b.recordTypeNumber ? nil : false
    case .object:
      guard b.isKind(.object) else { return false }
      let x = a.object, y = b.object
      if x === y { return true }
      if x is TableObject || x.elements != nil { return type(of: x) == type(of: y) ? nil : false }
      return x.isEqual(to: y)
    default: return false
    }
  }

  /// `eqv?`: identity, and numbers of the same kind by value.
  static func eqv(_ a: Value, _ b: Value) -> Bool {
    if a.bits == b.bits { return true }
    if let x = Arithmetic.integer(a), let y = Arithmetic.integer(b) { return x == y }
    if let x = Arithmetic.float(a), let y = Arithmetic.float(b) { return x.bitPattern == y.bitPattern }
    if let x = Arithmetic.rational(a), let y = Arithmetic.rational(b) { return x.compare(y) == .equal }
    return a.isString && b.isString && a.length == 0 && b.length == 0
  }
}
