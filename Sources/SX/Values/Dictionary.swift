/// Dicts: insertion-ordered, keyed by strings.
///
/// Three representations, told apart by header byte 2; a dict changes representation in place, its identity stays:
///
/// - **flat**, up to 16 entries: word 1 an `entries` cell with key and value in turn. Lookup compares addresses first (literal
///   keys are interned), then hash and bytes. `assoc` copies it, which costs about as much as a small list.
/// - **table**, what `dict-set!` grows into: word 1 a retained `HashTable`. O(1) lookup and change.
/// - **trie**, what `assoc` grows into: word 1 the root of a persistent hash trie, word 2 the next sequence number. O(log n)
///   lookup and change, and versions share structure. Every entry carries its sequence number; listing the entries sorts by it.
///
/// `assoc` on a table turns it into a trie once (O(n)); from then on both old and new are tries, so no chain of `assoc` copies
/// n entries per step, whichever version it starts from.
enum DictRepresentation: UInt8 {
  case flat = 0, table, trie

  static let longestFlat = 16
  /// Pairs that fit the `entries` cells in use: sizes of 7, 12, 20 and 36 words.
  static func flatCapacity(for count: Int) -> Int {
    count <= 3 ? 3 : count <= 5 ? 5 : count <= 9 ? 9 : 17
  }

  @inline(__always) static func of(_ cell: Cell) -> DictRepresentation {
    DictRepresentation(rawValue: UInt8(truncatingIfNeeded: cell[0] &>> 16)).unsafelyUnwrapped
  }

  static func trace(_ cell: Cell, _ marker: inout Marker) {
    switch of(cell) {
    case .flat, .trie: marker.mark(Value(bits: cell[1]))
    case .table: HashTable.unmanaged(cell)._withUnsafeGuaranteedRef { $0.trace(&marker) }
    }
  }
}

extension Value {
  @inline(__always) var isDict: Bool { isKind(.dict) }
  @inline(__always) var isFlatDict: Bool { isCell && UInt16(truncatingIfNeeded: header &>> 8) == UInt16(Kind.dict.rawValue) | UInt16(DictRepresentation.flat.rawValue) &<< 8 }
  /// Key and value of an entry of a flat dict.
  @inline(__always) func flatKey(_ i: Int) -> Value { Value(bits: word(1).cell[1 &+ 2 &* i]) }
  @inline(__always) func flatValue(_ i: Int) -> Value { Value(bits: word(1).cell[2 &+ 2 &* i]) }
}

extension Heap {
  // MARK: Making

  func dict(capacity: Int = 3) -> Value {
    if capacity > DictRepresentation.longestFlat {
      let v = flatDict(entries: entries(capacity: 3), count: 0)
      becomeTable(v, capacity: capacity)
      return v
    }
    return flatDict(entries: entries(capacity: DictRepresentation.flatCapacity(for: capacity)), count: 0)
  }

  func flatDict(entries: Value, count: Int) -> Value {
    let cell = allocate(words: 3, header: Kind.dict.header(length: count))
    cell[1] = entries.bits
    cell[2] = Value.nil.bits
    return Value(cell)
  }

  /// A flat dict of `count` entries, which `fill` writes into the given memory. The keys differ, and have their hashes, as constants do.
  func dict(count: Int, _ fill: (UnsafeMutablePointer<(key: Value, value: Value)>) throws -> Void) rethrows -> Value {
    let v = entries(capacity: DictRepresentation.flatCapacity(for: count))
    try fill(UnsafeMutableRawPointer(v.cell + 1).assumingMemoryBound(to: (key: Value, value: Value).self))
    return flatDict(entries: v, count: count)
  }

  func entries(capacity: Int) -> Value {
    let cell = allocateLarge(words: 1 + 2 * capacity, header: Kind.entries.header(length: capacity))
    for i in 0..<(2 * capacity) { cell[1 + i] = Value.nil.bits }
    return Value(cell)
  }

  /// A dict of its own with the same entries. O(1) for a trie, else O(n).
  func copyDict(_ d: Value, room: Int = 0) -> Value {
    switch DictRepresentation.of(d.cell) {
    case .flat:
      let n = d.length
      let copy = entries(capacity: DictRepresentation.flatCapacity(for: min(n + room, DictRepresentation.longestFlat)))
      (copy.cell + 1).update(from: d.word(1).cell + 1, count: 2 * n)
      return flatDict(entries: copy, count: n)
    case .table:
      let cell = allocate(words: 3, header: d.header & ~1)
      cell[1] = HashTable.retained(HashTable.unmanaged(d.cell).takeUnretainedValue().copy())
      cell[2] = Value.nil.bits
      noteExternal(d.length * 32)
      return Value(cell)
    case .trie:
      let cell = allocate(words: 3, header: d.header & ~1)
      cell[1] = d.cell[1]
      cell[2] = d.cell[2]
      return Value(cell)
    }
  }

  // MARK: Reading

  /// The value under a key, which must be a string.
  @inline(__always) func get(_ d: Value, _ key: Value) -> Value? {
    if DictRepresentation.of(d.cell) == .flat {
      let n = d.length, base = d.word(1).cell + 1
      for i in 0..<n where base[2 &* i] == key.bits { return Value(bits: base[2 &* i &+ 1]) }
    }
    return getSlow(d, key)
  }
  @inline(never) private func getSlow(_ d: Value, _ key: Value) -> Value? {
    _ = key.ensureHash(seed: hashSeed)
    switch DictRepresentation.of(d.cell) {
    case .flat:
      guard let i = flatIndex(d, key) else { return nil }
      return Value(bits: d.word(1).cell[2 + 2 * i])
    case .table:
      return HashTable.unmanaged(d.cell)._withUnsafeGuaranteedRef { $0.get(key) }
    case .trie:
      return HashTrie(heap: self).get(d.word(1), key)
    }
  }
  private func flatIndex(_ d: Value, _ key: Value) -> Int? {
    let n = d.length, base = d.word(1).cell + 1, word = key.cell[1]
    for i in 0..<n {
      let other = Value(bits: base[2 * i])
      if other == key || other.cell[1] == word && other.textEquals(key) { return i }
    }
    return nil
  }

  /// The entries in order of insertion. O(n), for a trie O(n log n).
  func entries(of d: Value) -> [(key: Value, value: Value)] {
    switch DictRepresentation.of(d.cell) {
    case .flat:
      let base = d.word(1).cell + 1
      return (0..<d.length).map { (Value(bits: base[2 * $0]), Value(bits: base[2 * $0 + 1])) }
    case .table: return HashTable.unmanaged(d.cell).takeUnretainedValue().live
    case .trie: return HashTrie.ordered(d.word(1), count: d.length)
    }
  }

  /// The keys as a list, in order of insertion. nil counts as empty.
  func keys(_ d: Value) -> Value { column(d, 0) }
  /// The values as a list, in order of insertion. nil counts as empty.
  func values(_ d: Value) -> Value { column(d, 1) }
  private func column(_ d: Value, _ which: Int) -> Value {
    guard d.isDict else { return emptyList() }
    if DictRepresentation.of(d.cell) == .flat {
      let base = d.word(1).cell + (1 + which)
      return list(count: d.length) { out in
        for i in 0..<d.length { out[i] = Value(bits: base[2 &* i]) }
      }
    }
    return list(entries(of: d).map { which == 0 ? $0.key : $0.value })
  }

  /// Bytes that the next new entry will ask for at once; 0 when there is room.
  func growth(ofDict d: Value) -> Int {
    DictRepresentation.of(d.cell) == .table ? HashTable.unmanaged(d.cell)._withUnsafeGuaranteedRef { $0.growth } : 0
  }

  // MARK: Changing in place

  func set(_ d: Value, _ key: Value, _ v: Value) {
    _ = key.ensureHash(seed: hashSeed)
    switch DictRepresentation.of(d.cell) {
    case .flat:
      if let i = flatIndex(d, key) {
        d.word(1).cell[2 + 2 * i] = v.bits
        return
      }
      let n = d.length
      if n == DictRepresentation.longestFlat {
        becomeTable(d, capacity: n * 2)
        set(d, key, v)
        return
      }
      if n == d.word(1).length {
        let bigger = entries(capacity: DictRepresentation.flatCapacity(for: n + 1))
        (bigger.cell + 1).update(from: d.word(1).cell + 1, count: 2 * n)
        d.setWord(1, bigger)
      }
      let base = d.word(1).cell + 1
      base[2 * n] = key.bits
      base[2 * n + 1] = v.bits
      setLength(d, n + 1)
    case .table:
      let (count, grown) = HashTable.unmanaged(d.cell)._withUnsafeGuaranteedRef { $0.set(key, v) }
      setLength(d, count)
      if grown > 0 { noteExternal(grown) }
    case .trie:
      let trie = HashTrie(heap: self)
      let next = d.word(2).fixValue
      let (root, isNew) = trie.set(d.word(1), key, v, sequence: next)
      d.setWord(1, root)
      if isNew {
        d.setWord(2, .fix(next + 1))
        setLength(d, d.length + 1)
      }
    }
  }

  /// Removes a key; false when it was not there.
  @discardableResult func delete(_ d: Value, _ key: Value) -> Bool {
    _ = key.ensureHash(seed: hashSeed)
    switch DictRepresentation.of(d.cell) {
    case .flat:
      guard let i = flatIndex(d, key) else { return false }
      let n = d.length, base = d.word(1).cell + 1
      for j in (2 * i)..<(2 * n - 2) { base[j] = base[j + 2] }
      base[2 * n - 2] = Value.nil.bits
      base[2 * n - 1] = Value.nil.bits
      setLength(d, n - 1)
      return true
    case .table:
      guard HashTable.unmanaged(d.cell)._withUnsafeGuaranteedRef({ $0.delete(key) }) else { return false }
      setLength(d, d.length - 1)
      return true
    case .trie:
      guard let root = HashTrie(heap: self).delete(d.word(1), key) else { return false }
      d.setWord(1, root)
      setLength(d, d.length - 1)
      return true
    }
  }

  // MARK: New versions

  /// A dict with one entry more or changed; the given one stays as it is.
  func assoc(_ d: Value, _ key: Value, _ v: Value) -> Value {
    if DictRepresentation.of(d.cell) == .table || d.length >= DictRepresentation.longestFlat { becomeTrie(d) }
    let copy = copyDict(d, room: 1)
    set(copy, key, v)
    return copy
  }

  private func becomeTable(_ d: Value, capacity: Int) {
    let table = HashTable(capacity: capacity)
    for (k, v) in entries(of: d) { _ = table.set(k, v) }
    d.cell[0] = d.header & ~0xFF_0000 | UInt64(DictRepresentation.table.rawValue) &<< 16 | .ownsHeaderBit
    d.cell[1] = HashTable.retained(table)
    noteExternal(capacity * 32)
  }

  func becomeTrie(_ d: Value) {
    let representation = DictRepresentation.of(d.cell)
    guard representation != .trie else { return }
    let all = entries(of: d)
    let root = HashTrie(heap: self).node(of: all)
    if representation == .table { HashTable.unmanaged(d.cell).release() }
    d.cell[0] = d.header & ~0xFF_0000 & ~UInt64.ownsHeaderBit | UInt64(DictRepresentation.trie.rawValue) &<< 16
    d.setWord(1, root)
    d.setWord(2, .fix(all.count))
  }
}
