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
  @inline(__always) func hasToStop(after steps: Int, holding bytes: Int = 0) -> Bool {
    work.pointee &-= steps
    return work.pointee < 0 && stopsAtWork(holding: bytes)
  }

  /// Before a primitive takes so much memory at once that the collector would learn of it too late. What fills it counts as a step for each 16 bytes.
  func reserve(bytes: Int) throws {
    try reserve(growing: bytes)
    try charge(bytes >> 4)
  }
  /// The same for what grows by doubling: its elements have been paid for one by one.
  func reserve(growing bytes: Int) throws {
    if let reason = refusal(of: bytes) { throw reason }
  }
  /// The same where nothing can be thrown. True: give up, as above.
  func lacks(_ bytes: Int) -> Bool {
    guard let reason = refusal(of: bytes) else { return false }
    heap.giveUp(reason)
    return true
  }
  /// Before a primitive adds to an array of `count` elements that take so many bytes each, with what belongs to them. Asks at every 4096th.
  @inline(__always) func reserve(next count: Int, of bytes: Int) throws {
    if count & 0xFFF == 0xFFF { try reserve(growing: 3 * count * bytes) }
  }
  private func refusal(of bytes: Int) -> Interruption? {
    guard bytes > 1 << 16 else { return heap.allowsRequest() ? nil : .memory }
    if isBeyondLimit(bytes) { return .heap }
    return heap.has(bytes) ? nil : .memory
  }

  /// Where something is made of work that could not throw.
  @inline(__always) func obeyVerdict() throws {
    if heap.verdict != nil, let verdict = heap.takeVerdict() { throw verdict }
  }

  /// Before a primitive that walks through all of its arguments, or may take `growth` bytes for each element, entry or byte of them.
  @inline(__always) func prepare(for args: Arguments, walks: Bool, growth: Int) throws {
    var extent = 0
    for i in 0..<args.count { extent &+= args[i].extent }
    if growth > 0, extent > 1 << 12 { try reserve(growing: extent &* growth) }
    if walks { try charge(extent) }
  }

  /// Adds or changes an entry of a dict, whose table may double.
  func set(_ d: Value, _ key: Value, _ v: Value) throws {
    if d.length > 1 << 12 { try reserve(growing: heap.growth(ofDict: d)) }
    heap.set(d, key, v)
  }
  /// A dict of its own with the same entries.
  func copyDict(_ d: Value) throws -> Value {
    if d.length > DictRepresentation.longestFlat, DictRepresentation.of(d.cell) == .table { try reserve(bytes: d.length * 64) }
    return heap.copyDict(d)
  }
  /// The same for a hash table or a set.
  func set(_ table: ValueTable, _ key: Value, _ v: Value) throws {
    if table.count > 1 << 11 { try reserve(growing: table.growth) }
    table.set(key, v, heap)
  }

  func copy(_ table: ValueTable) throws -> ValueTable {
    try reserve(bytes: table.bytes)
    return table.copy(heap)
  }

  @inline(never) private func checkWork(holding bytes: Int) throws {
    if let interruption = spendWork() { throw interruption }
    if cancellation.isRequested { try obeyCancellation() }
    if let reason = heap.takeVerdict() ?? shortage(bytes) { throw reason }
  }

  @inline(never) private func stopsAtWork(holding bytes: Int) -> Bool {
    var isSpent = spendWork() != nil
    if !isSpent, cancellation.isRequested, let reason = obeyRequests() {
      askAgain(for: reason)
      isSpent = true
    }
    if !isSpent, heap.verdict == nil {
      guard let reason = shortage(bytes) else { return false }
      heap.giveUp(reason)
    }
    (work.pointee, budget.workInterval) = (0, 0)      // so that whoever is asked next stops too
    heap.requestCollection()
    return true
  }

  /// Why work that holds so many bytes outside of the heap cannot go on, if it cannot. What grows doubles, and is there twice while it does.
  private func shortage(_ bytes: Int) -> Interruption? {
    if isBeyondLimit(bytes) { return .heap }
    return heap.isOutOfMemory || bytes > 1 << 16 && !heap.has(3 * bytes) ? .memory : nil
  }

  /// Before an operation that answers a new version of a dict: the first one makes a trie of a table.
  func becomeTrie(_ d: Value) throws {
    guard DictRepresentation.of(d.cell) == .table else { return }
    try reserve(bytes: d.length * 128)
    heap.becomeTrie(d)
  }
  /// The entries of a dict in order of insertion.
  func entries(of d: Value) throws -> [(key: Value, value: Value)] {
    try reserve(bytes: d.length * 64)
    return heap.entries(of: d)
  }

  /// The collector cannot run inside a primitive, so garbage is granted a quarter more than the limit.
  private func isBeyondLimit(_ bytes: Int) -> Bool {
    let limit = heap.byteLimit
    return limit != .max && heap.bytesInUse + bytes > limit + limit / 4
  }
}

extension Value {
  /// How much there may be to walk through: bytes of a text, elements of a list, entries of a dict; 0 for what is small.
  @inline(__always) var extent: Int {
    guard isCell else { return 0 }
    switch kind {
    case .string, .symbol, .keyword: return byteCount
    case .pair, .slice, .mutableList, .dict: return length
    case .object: return object.externalBytes >> 3
    default: return 0
    }
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
