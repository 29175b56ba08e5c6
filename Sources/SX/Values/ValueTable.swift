/// Entries under keys of any kind, in order of insertion, with an open-addressing index over them: what hash tables and sets are made of.
///
/// A deleted entry keeps its place with the key `unbound` until the table is rebuilt, so the order of the others stays. A key that is changed
/// after it was put in is not found any more.
final class ValueTable {
  /// Which keys are the same.
  enum Identity {
    /// As `equal?` says; numbers by value across kinds, so 1 and 1.0 are one key. What is not a number is the same as itself here.
    case deep
    /// As `eqv?` says.
    case eqv
  }
  private struct Entry: BitwiseCopyable {
    var key: Value, value: Value, hash: UInt64
  }

  let identity: Identity
  private(set) var count = 0
  private var rows: UnsafeMutablePointer<Entry>
  private var used = 0, capacity: Int
  /// The index of an entry plus one; 0 is empty.
  private var slots: UnsafeMutablePointer<UInt32>
  private var slotCount: Int

  init(_ identity: Identity = .deep, capacity: Int = 8) {
    self.identity = identity
    self.capacity = max(8, capacity)
    slotCount = ValueTable.slots(for: self.capacity)
    rows = SystemMemory.allocate(self.capacity, of: Entry.self)
    slots = SystemMemory.allocate(slotCount, of: UInt32.self)
    slots.initialize(repeating: 0, count: slotCount)
  }
  deinit {
    rows.deallocate()
    slots.deallocate()
  }
  private static func slots(for capacity: Int) -> Int {
    var n = 16
    while n * 2 < capacity * 3 { n *= 2 }
    return n
  }

  /// Bytes that the next new entry will ask for; 0 when there is room.
  var growth: Int { used < capacity ? 0 : capacity * 48 + slotCount * 8 }

  var bytes: Int { capacity * 24 + slotCount * 4 + 64 }

  func trace(_ marker: inout Marker) {
    for i in 0..<used {
      marker.mark(rows[i].key)
      marker.mark(rows[i].value)
    }
  }

  var entries: [(key: Value, value: Value)] {
    var out: [(key: Value, value: Value)] = []
    out.reserveCapacity(count)
    for i in 0..<used where rows[i].key != .unbound { out.append((rows[i].key, rows[i].value)) }
    return out
  }

  func copy(_ heap: Heap) -> ValueTable {
    let other = ValueTable(identity, capacity: count)
    for i in 0..<used where rows[i].key != .unbound { other.add(rows[i]) }
    return other
  }

  private func hash(_ key: Value, _ heap: Heap) -> UInt64 {
    identity == .deep ? Hashing(heap).deep(key) : Hashing(heap).shallow(key)
  }
  private func same(_ a: Value, _ b: Value, _ heap: Heap, _ nesting: Int) -> Bool {
    if a == b { return true }
    guard identity == .deep else { return Equality.eqv(a, b) }
    if a.isFix, b.isFix { return false }
    return Equality.deep(a, b, heap, nesting: nesting) || Arithmetic.float(a)?.isNaN == true && Arithmetic.float(b)?.isNaN == true
  }
  private func find(_ key: Value, _ h: UInt64, _ heap: Heap, _ nesting: Int) -> Int? {
    let mask = slotCount &- 1
    var i = Int(truncatingIfNeeded: h) & mask
    while slots[i] != 0 {
      let e = Int(slots[i]) &- 1
      if rows[e].hash == h, rows[e].key != .unbound, same(rows[e].key, key, heap, nesting) { return e }
      i = (i &+ 1) & mask
    }
    return nil
  }

  /// `nesting`: how many tables are being compared around this look-up, see `Equality`.
  func get(_ key: Value, _ heap: Heap, nesting: Int = 0) -> Value? { find(key, hash(key, heap), heap, nesting).map { rows[$0].value } }

  /// Adds or changes an entry; true when the key is new. A key that is there stays as it is.
  @discardableResult func set(_ key: Value, _ value: Value, _ heap: Heap) -> Bool {
    let h = hash(key, heap)
    if let e = find(key, h, heap, 0) {
      rows[e].value = value
      return false
    }
    let before = bytes
    add(Entry(key: key, value: value, hash: h))
    if bytes > before { heap.noteExternal(bytes - before) }
    return true
  }

  /// False when the key was not there.
  @discardableResult func delete(_ key: Value, _ heap: Heap) -> Bool {
    guard let e = find(key, hash(key, heap), heap, 0) else { return false }
    rows[e].key = .unbound
    rows[e].value = .nil
    count -= 1
    return true
  }

  func clear() {
    used = 0
    count = 0
    slots.update(repeating: 0, count: slotCount)
  }

  private func add(_ entry: Entry) {
    if used == capacity { rebuild() }
    rows[used] = entry
    used += 1
    count += 1
    insertSlot(entry.hash, used)
  }
  private func insertSlot(_ h: UInt64, _ number: Int) {
    let mask = slotCount &- 1
    var i = Int(truncatingIfNeeded: h) & mask
    while slots[i] != 0 { i = (i &+ 1) & mask }
    slots[i] = UInt32(truncatingIfNeeded: number)
  }

  /// Drops deleted entries, and doubles the room when few were.
  private func rebuild() {
    let old = rows, oldUsed = used
    if count > capacity / 2 { capacity *= 2 }
    rows = SystemMemory.allocate(capacity, of: Entry.self)
    used = 0
    for i in 0..<oldUsed where old[i].key != .unbound {
      rows[used] = old[i]
      used += 1
    }
    old.deallocate()
    slots.deallocate()
    slotCount = ValueTable.slots(for: capacity)
    slots = SystemMemory.allocate(slotCount, of: UInt32.self)
    slots.initialize(repeating: 0, count: slotCount)
    for i in 0..<used { insertSlot(rows[i].hash, i + 1) }
  }
}

/// What hash tables and sets have in common: equality and hash do not depend on the order of the entries.
class TableObject: HeapObject {
  let table: ValueTable
  init(_ table: ValueTable) { self.table = table }
  override var externalBytes: Int { table.bytes }
  override func trace(_ marker: inout Marker) { table.trace(&marker) }
}
