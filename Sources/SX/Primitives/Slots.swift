/// Elements that are taken out again by the number they got when they were put in. When it is full, a tenth of it goes, the oldest first.
final class Slots: HeapObject {
  private struct Slot {
    var value: Value
    /// The number of the element: which it is in all, times the capacity, plus the index of its slot. Negative when the slot is free.
    var ticket: Int
    /// Of a free slot: the index of the next one.
    var next: Int
  }

  private struct Table {
    var slots: [Slot] = []
    var firstFree = -1
    var added = 0
    var count = 0
  }

  private let capacity: Int
  /// Behind a pointer, because every access to a property of a class is checked while it goes on, and a span comes by twice.
  private let state: UnsafeMutablePointer<Table>

  init(capacity: Int) {
    self.capacity = capacity
    state = .allocate(capacity: 1)
    state.initialize(to: Table())
  }
  deinit {
    state.deinitialize(count: 1)
    state.deallocate()
  }
  override var typeName: String { "slots" }
  override func describe(_ machine: Machine) -> String { "#<slots \(count)/\(capacity)>" }
  override var externalBytes: Int { state.pointee.slots.count * MemoryLayout<Slot>.stride + 96 }
  override func trace(_ marker: inout Marker) { for slot in state.pointee.slots { marker.mark(slot.value) } }

  var count: Int { state.pointee.count }

  func add(_ v: Value) -> Int { Slots.add(v, to: &state.pointee, capacity) }

  private static func add(_ v: Value, to table: inout Table, _ capacity: Int) -> Int {
    if table.firstFree < 0, table.slots.count == capacity { dropOldest(max(1, capacity / 10), from: &table, capacity) }
    let index = table.firstFree < 0 ? table.slots.count : table.firstFree
    table.added += 1
    let ticket = table.added * capacity + index
    if table.firstFree < 0 {
      table.slots.append(Slot(value: v, ticket: ticket, next: -1))
    } else {
      table.firstFree = table.slots[index].next
      table.slots[index] = Slot(value: v, ticket: ticket, next: -1)
    }
    table.count += 1
    return ticket
  }

  /// - Returns: whether it was there.
  func remove(_ ticket: Int) -> Bool { Slots.remove(ticket, from: &state.pointee, capacity) }

  private static func remove(_ ticket: Int, from table: inout Table, _ capacity: Int) -> Bool {
    let index = ticket % capacity
    guard ticket > 0, index < table.slots.count, table.slots[index].ticket == ticket else { return false }
    table.slots[index] = Slot(value: .nil, ticket: -1, next: table.firstFree)
    table.firstFree = index
    table.count -= 1
    return true
  }

  private static func dropOldest(_ n: Int, from table: inout Table, _ capacity: Int) {
    for ticket in table.slots.map(\.ticket).sorted().prefix(n) { _ = remove(ticket, from: &table, capacity) }
  }

  /// In the order in which they were put in.
  var inOrder: [Value] { state.pointee.slots.filter { $0.ticket > 0 }.sorted { $0.ticket < $1.ticket }.map(\.value) }
}

extension NativeTable {
  mutating func installSlots() {
    @Sendable @inline(__always) func with<R>(_ m: Machine, _ args: Arguments, _ name: StaticString, _ body: (Slots) -> R) throws -> R {
      guard let result = args[0].borrowing(Slots.self, body) else { throw m.wrongType("\(name)", 1, "slots", args[0]) }
      return result
    }
    add("make-slots", required("capacity", .integer), doc: "An empty table whose elements are taken out by the number that they got when they were put in. When as many are in it as it has room for, the oldest tenth is dropped.") { m, args in
      let n = args.integer(0)
      guard n >= 1, n <= 1 << 30 else { throw m.error("make-slots: the capacity must be from 1 to \(1 << 30), got \(n)") }
      return m.heap.allocate(object: Slots(capacity: n))
    }
    add("slots-add!", required("slots"), required("value"), doc: "Puts an element in, and answers its number. O(1).") { m, args in
      .fix(try with(m, args, "slots-add!") { $0.add(args[1]) })
    }
    add("slots-remove!", required("slots"), required("number", .integer), doc: "Takes out the element with this number. Is it in it? O(1).", example: "(let ((s (make-slots 9))) (let ((n (slots-add! s 1))) (list (slots-remove! s n) (slots-remove! s n)))) → (true false)") { m, args in
      .bool(try with(m, args, "slots-remove!") { $0.remove(args.integer(1)) })
    }
    add("slots->list", required("slots"), doc: "The elements, oldest first.", example: "(let ((s (make-slots 9))) (slots-add! s 1) (slots-remove! s (slots-add! s 2)) (slots-add! s 3) (slots->list s)) → (1 3)") { m, args in
      m.heap.list(try with(m, args, "slots->list") { $0.inOrder })
    }
    add("slots-len", required("slots"), doc: "How many elements are in it.") { m, args in .fix(try with(m, args, "slots-len") { $0.count }) }
  }
}
