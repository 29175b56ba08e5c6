/// A bounded buffer that drops its oldest element when full.
final class Ring: HeapObject {
  private var slots: [Value]
  private var start = 0
  private(set) var count = 0
  private(set) var capacity: Int
  private(set) var total = 0
  private(set) var dropped = 0

  /// Slots are taken as they are needed, so a large capacity costs nothing by itself.
  init(capacity: Int) {
    self.capacity = capacity
    slots = []
  }
  override var typeName: String { "ring" }
  override func describe(_ machine: Machine) -> String { "#<ring \(count)/\(capacity)>" }
  override var externalBytes: Int { slots.count * 8 + 96 }
  override func trace(_ marker: inout Marker) { for v in slots { marker.mark(v) } }

  func push(_ v: Value) {
    total += 1
    if count < capacity {
      if slots.count < capacity { slots.append(v) } else { slots[(start + count) % capacity] = v }
      count += 1
    } else if capacity == 0 {
      dropped += 1
    } else {
      slots[start] = v
      start += 1
      if start == capacity { start = 0 }
      dropped += 1
    }
  }
  /// The newest `n`, oldest first.
  func last(_ n: Int) -> [Value] {
    let n = min(max(0, n), count)
    return (count - n..<count).map { slots[(start + $0) % max(1, slots.count)] }
  }
  func clear() {
    slots = []
    start = 0
    count = 0
    dropped = 0
  }
  /// Keeps the newest that still fit.
  func resize(_ newCapacity: Int) {
    let kept = last(newCapacity)
    dropped += count - kept.count
    slots = kept
    start = 0
    count = kept.count
    capacity = newCapacity
  }
}

extension NativeTable {
  mutating func installRings() {
    @Sendable func ring(_ m: Machine, _ args: Arguments, _ name: String) throws -> Ring {
      guard args[0].isKind(.object), let ring = args[0].object as? Ring else { throw m.wrongType(name, 1, "ring", args[0]) }
      return ring
    }
    @Sendable func capacity(_ m: Machine, _ n: Int, _ name: String) throws -> Int {
      guard n >= 0, n <= 1 << 30 else { throw m.error("\(name): the capacity must be from 0 to \(1 << 30), got \(n)") }
      return n
    }
    add("make-ring", required("capacity", .integer), doc: "An empty ring buffer: it holds so many elements and drops the oldest for a newer one.") { m, args in
      m.heap.allocate(object: Ring(capacity: try capacity(m, args.integer(0), "make-ring")))
    }
    add("ring-push!", required("ring"), required("value"), doc: "Adds an element. O(1).") { m, args in
      try ring(m, args, "ring-push!").push(args[1])
      return .nil
    }
    add("ring-append!", required("ring"), required("list", .list), doc: "Adds the elements of a list. O(n).", example: "(let ((r (make-ring 2))) (ring-append! r (list 1 2 3)) (ring->list r)) → (2 3)") { m, args in
      let r = try ring(m, args, "ring-append!")
      for v in ListElements(args[1]) { r.push(v) }
      return .nil
    }
    add("ring->list", required("ring"), doc: "The elements, oldest first.") { m, args in
      let r = try ring(m, args, "ring->list")
      return m.heap.list(r.last(r.count))
    }
    add("ring-last", required("ring"), required("n", .integer), doc: "The newest `n` elements, oldest first.") { m, args in m.heap.list(try ring(m, args, "ring-last").last(args.integer(1))) }
    add("ring-len", required("ring"), doc: "How many elements it holds.") { m, args in .fix(try ring(m, args, "ring-len").count) }
    add("ring-cap", required("ring"), doc: "How many elements it can hold.") { m, args in .fix(try ring(m, args, "ring-cap").capacity) }
    add("ring-dropped", required("ring"), doc: "How many elements it has dropped since it was made or cleared.") { m, args in .fix(try ring(m, args, "ring-dropped").dropped) }
    add("ring-total", required("ring"), doc: "How many elements were ever pushed.") { m, args in .fix(try ring(m, args, "ring-total").total) }
    add("ring-set-cap!", required("ring"), required("capacity", .integer), doc: "Changes how many it can hold; the newest stay.") { m, args in
      try ring(m, args, "ring-set-cap!").resize(try capacity(m, args.integer(1), "ring-set-cap!"))
      return .nil
    }
    add("ring-clear!", required("ring"), doc: "Drops all elements, uncounted.") { m, args in
      try ring(m, args, "ring-clear!").clear()
      return .nil
    }
    add("ring?", required("value"), doc: "Is it a ring buffer?") { _, args in .bool(args[0].object(as: Ring.self) != nil) }
  }
}
