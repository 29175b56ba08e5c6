/// The mutable representation of a large dict: entries in order of insertion, and an open-addressing index over them.
///
/// A deleted entry keeps its place with the key `unbound` until the table is rebuilt, so the order of the others stays.
final class HashTable {
  private struct Entry: BitwiseCopyable {
    var key: Value, value: Value
  }
  private var entries: UnsafeMutablePointer<Entry>
  private var used = 0, capacity: Int, count = 0
  /// Per slot the hash in the upper half and the index of the entry plus one in the lower; 0 is empty.
  private var slots: UnsafeMutablePointer<UInt64>
  private var slotCount: Int

  init(capacity: Int) {
    self.capacity = max(16, capacity)
    var n = 32
    while n * 2 < self.capacity * 3 { n *= 2 }
    slotCount = n
    entries = SystemMemory.allocate(self.capacity, of: Entry.self)
    slots = SystemMemory.allocate(n, of: UInt64.self)
    slots.initialize(repeating: 0, count: n)
  }
  deinit {
    entries.deallocate()
    slots.deallocate()
  }

  static func unmanaged(_ cell: Cell) -> Unmanaged<HashTable> {
    Unmanaged.fromOpaque(UnsafeRawPointer(bitPattern: UInt(cell[1])).unsafelyUnwrapped)
  }
  static func retained(_ table: HashTable) -> UInt64 {
    UInt64(UInt(bitPattern: Unmanaged.passRetained(table).toOpaque()))
  }

  /// Bytes that the next new entry will ask for; 0 when there is room.
  var growth: Int { used < capacity ? 0 : capacity * 32 + slotCount * 16 }

  func trace(_ marker: inout Marker) {
    marker.mark(UnsafeMutableRawPointer(entries).assumingMemoryBound(to: Value.self), used * 2)   // an entry is two values
    marker.note(external: capacity * 16 + slotCount * 8)
  }

  var live: [(key: Value, value: Value)] {
    var out: [(key: Value, value: Value)] = []
    out.reserveCapacity(count)
    for i in 0..<used where entries[i].key != .unbound { out.append((entries[i].key, entries[i].value)) }
    return out
  }

  func copy() -> HashTable {
    let other = HashTable(capacity: capacity)
    for i in 0..<used where entries[i].key != .unbound { _ = other.set(entries[i].key, entries[i].value) }
    return other
  }

  /// Every key in a table has its hash computed.
  @inline(__always) private func hash(_ key: Value) -> UInt64 { key.cell[1] &>> 32 }

  @inline(__always) private func find(_ key: Value) -> Int? {
    let mask = slotCount &- 1, h = hash(key)
    var i = Int(truncatingIfNeeded: h) & mask
    while slots[i] != 0 {
      if slots[i] &>> 32 == h {
        let e = Int(truncatingIfNeeded: slots[i] & 0xFFFF_FFFF) &- 1
        let other = entries[e].key
        if other != .unbound, other.textEquals(key) { return e }
      }
      i = (i &+ 1) & mask
    }
    return nil
  }

  func get(_ key: Value) -> Value? { find(key).map { entries[$0].value } }

  /// Answers the number of entries, and the bytes by which the table grew.
  func set(_ key: Value, _ value: Value) -> (count: Int, grown: Int) {
    if let e = find(key) {
      entries[e].value = value
      return (count, 0)
    }
    var grown = 0
    if used == capacity { grown = rebuild() }
    entries[used] = Entry(key: key, value: value)
    insertSlot(hash(key), used)
    used += 1
    count += 1
    return (count, grown)
  }

  func delete(_ key: Value) -> Bool {
    guard let e = find(key) else { return false }
    entries[e] = Entry(key: .unbound, value: .nil)
    count -= 1
    return true
  }

  private func insertSlot(_ h: UInt64, _ e: Int) {
    let mask = slotCount &- 1
    var i = Int(truncatingIfNeeded: h) & mask
    while slots[i] != 0 { i = (i &+ 1) & mask }
    slots[i] = h &<< 32 | UInt64(e &+ 1)
  }

  /// Drops deleted entries, and doubles the room when few were.
  private func rebuild() -> Int {
    let old = entries, oldUsed = used, before = capacity * 16 + slotCount * 8
    if count > capacity / 2 { capacity *= 2 }
    entries = SystemMemory.allocate(capacity, of: Entry.self)
    used = 0
    for i in 0..<oldUsed where old[i].key != .unbound {
      entries[used] = old[i]
      used += 1
    }
    old.deallocate()
    while slotCount * 2 < capacity * 3 { slotCount *= 2 }
    slots.deallocate()
    slots = SystemMemory.allocate(slotCount, of: UInt64.self)
    slots.initialize(repeating: 0, count: slotCount)
    for i in 0..<used { insertSlot(hash(entries[i].key), i) }
    return max(0, capacity * 16 + slotCount * 8 - before)
  }
}
