/// Deep equality, with an explicit stack. Cyclic data ends: below a depth that harmless data rarely reaches, pairs of cells already
/// under comparison count as equal.
enum Equality {
  /// `equal?`, and `=` where at least one side is no number: numbers by value across kinds, text by content, lists and dicts by elements.
  static func deep(_ a: Value, _ b: Value, _ heap: Heap) -> Bool {
    if let quick = shallow(a, b) { return quick }
    var pending: [(Value, Value)] = [(a, b)]
    var steps = 0
    var seen: Set<PairOfCells> = []
    while let (a, b) = pending.popLast() {
      if let quick = shallow(a, b) {
        if quick { continue }
        return false
      }
      steps += 1
      if steps > 100_000, !seen.insert(PairOfCells(a: a.bits, b: b.bits)).inserted { continue }
      if a.isDict {
        guard a.length == b.length else { return false }
        for (key, value) in heap.entries(of: a) {
          guard let other = heap.get(b, key) else { return false }
          if let quick = shallow(value, other) {
            if !quick { return false }
          } else {
            pending.append((value, other))
          }
        }
      } else {
        guard a.listCount == b.listCount else { return false }
        var x = ListIterator(a), y = ListIterator(b)
        while let p = x.next(), let q = y.next() {
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

  private struct PairOfCells: Hashable {
    let a: UInt64, b: UInt64
  }

  /// The answer when it needs no look inside; nil for two lists or two dicts.
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
    case .object: return b.isKind(.object) && a.object.isEqual(to: b.object)
    default: return false
    }
  }

  /// `eqv?`: identity, and numbers of the same kind by value.
  static func eqv(_ a: Value, _ b: Value) -> Bool {
    if a.bits == b.bits { return true }
    if let x = Arithmetic.integer(a), let y = Arithmetic.integer(b) { return x == y }
    if let x = Arithmetic.float(a), let y = Arithmetic.float(b) { return x.bitPattern == y.bitPattern }
    return a.isString && b.isString && a.length == 0 && b.length == 0
  }
}
