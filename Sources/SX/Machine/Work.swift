/// How work inside one primitive, the reader or the compiler notices that it has to stop: it passes no safepoint, and may last long.
///
/// Work is counted in steps of about the size of an element, a byte or a node. Every `checkInterval` steps somebody looks whether
/// the evaluation was cancelled, its steps or its time are used up, or the heap is far beyond its limit.
extension Machine {
  static let checkInterval = 1 << 16

  /// Counts `steps` of work. Throws when the evaluation has to end. `holding`: bytes that the work keeps outside of the heap.
  @inline(__always) func charge(_ steps: Int, holding bytes: Int = 0) throws {
    work.pointee &-= steps
    if work.pointee < 0 { try checkWork(holding: bytes) }
  }

  /// The same for work that cannot throw. True: give up. What is answered then will not be seen, because the next safepoint ends the evaluation.
  @inline(__always) func hasToStop(after steps: Int) -> Bool {
    work.pointee &-= steps
    return work.pointee < 0 && stopsAtWork()
  }

  /// Before a primitive takes so much memory at once that the collector would learn of it too late.
  func reserve(bytes: Int) throws {
    guard bytes > 1 << 16 else { return }
    if isBeyondLimit(bytes) { throw Interruption.heap }
    if !SystemMemory.has(bytes) { throw Interruption.memory }
  }

  /// Adds or changes an entry of a dict, whose table may double.
  func set(_ d: Value, _ key: Value, _ v: Value) throws {
    if d.length > 1 << 12 { try reserve(bytes: heap.growth(ofDict: d)) }
    heap.set(d, key, v)
  }
  /// A dict of its own with the same entries.
  func copyDict(_ d: Value) throws -> Value {
    if d.length > 1 << 12, DictRepresentation.of(d.cell) == .table { try reserve(bytes: d.length * 64) }
    return heap.copyDict(d)
  }
  /// The same for a hash table or a set.
  func set(_ table: ValueTable, _ key: Value, _ v: Value) throws {
    if table.count > 1 << 11 { try reserve(bytes: table.growth) }
    table.set(key, v, heap)
  }

  func copy(_ table: ValueTable) throws -> ValueTable {
    try reserve(bytes: table.bytes)
    return table.copy(heap)
  }

  @inline(never) private func checkWork(holding bytes: Int) throws {
    if let interruption = spendWork() { throw interruption }
    if cancellation.isRequested { try obeyCancellation() }
    if isBeyondLimit(bytes) { throw Interruption.heap }
  }

  @inline(never) private func stopsAtWork() -> Bool {
    guard spendWork() != nil || cancellation.isRequested || isBeyondLimit(0) else { return false }
    (work.pointee, budget.workInterval) = (0, 0)      // so that whoever is asked next stops too
    heap.requestCollection()
    return true
  }

  /// The collector cannot run inside a primitive, so garbage is granted a quarter more than the limit.
  private func isBeyondLimit(_ bytes: Int) -> Bool {
    let limit = heap.byteLimit
    return limit != .max && heap.bytesInUse + bytes > limit + limit / 4
  }
}

extension Machine {
  /// Does a list occur inside itself? Only lists that were changed in place can. Every list is looked at once. O(size).
  func containsItself(_ v: Value) throws -> Bool {
    var open: [(cell: Value, elements: ListIterator)] = [(v, ListIterator(v))]
    var above: Set<UInt64> = [v.bits], done: Set<UInt64> = []
    while let top = open.indices.last {
      try charge(1)
      guard let element = open[top].elements.next() else {
        let cell = open.removeLast().cell.bits
        above.remove(cell)
        done.insert(cell)
        continue
      }
      guard element.isListCell, !done.contains(element.bits) else { continue }
      guard above.insert(element.bits).inserted else { return true }
      open.append((element, ListIterator(element)))
    }
    return false
  }
}
