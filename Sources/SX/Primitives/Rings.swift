/// A bounded buffer that drops its oldest element when it has too many, or when they take too many bytes.
final class Ring: HeapObject {
  /// Behind a pointer, because every access to a property of a class is checked while it goes on, and every span comes by.
  let buffer: UnsafeMutablePointer<RingBuffer>

  init(capacity: Int, mostBytes: Int? = nil) {
    buffer = .allocate(capacity: 1)
    buffer.initialize(to: RingBuffer(capacity: capacity, mostBytes: mostBytes))
  }
  deinit {
    buffer.deinitialize(count: 1)
    buffer.deallocate()
  }
  override var typeName: String { "ring" }
  override func describe(_ machine: Machine) -> String { "#<ring \(buffer.pointee.count)/\(buffer.pointee.capacity)>" }
  override var externalBytes: Int { buffer.pointee.slots.count * MemoryLayout<RingBuffer.Slot>.stride + 96 }
  override func trace(_ marker: inout Marker) { for slot in buffer.pointee.slots { marker.mark(slot.value) } }
}

struct RingBuffer {
  struct Slot {
    var value: Value
    /// 0 until somebody weighs it.
    var weight: Int
  }

  /// Slots are taken as they are needed, so a large capacity costs nothing by itself.
  private(set) var slots: [Slot] = []
  private var start = 0
  private(set) var count = 0
  private(set) var capacity: Int
  private(set) var total = 0
  private(set) var dropped = 0
  /// Those of the dropped ones that had to go for their bytes.
  private(set) var droppedForBytes = 0
  /// What the elements may take, as `Weight` estimates it.
  private(set) var mostBytes: Int?
  /// Weighing begins when the heap as a whole has more bytes than the elements may take. Until then they cannot have too many.
  private var isWeighing = false
  private var weighed = 0

  init(capacity: Int, mostBytes: Int?) {
    self.capacity = capacity
    self.mostBytes = mostBytes
  }

  /// Bytes that the next element will ask for at once; 0 when there is room.
  var growth: Int { slots.count < slots.capacity || count == capacity ? 0 : slots.count * 3 * MemoryLayout<Slot>.stride }

  /// - Parameter heap: the bytes that the heap has in use.
  mutating func push(_ v: Value, heap: Int) {
    total += 1
    guard capacity > 0 else { return dropped += 1 }
    if let mostBytes, heap > mostBytes { weighAll() }
    let slot = Slot(value: v, weight: isWeighing ? Weight.of(v) : 0)
    weighed += slot.weight
    if count == capacity {
      weighed -= slots[start].weight
      slots[start] = slot
      start = place(1)
      dropped += 1
    } else {
      let at = place(count)
      if at == slots.count { slots.append(slot) } else { slots[at] = slot }
      count += 1
    }
    if let mostBytes, weighed > mostBytes { shed(to: mostBytes) }
  }
  /// The newest of all stays, however large it is.
  private mutating func shed(to most: Int) {
    while weighed > most, count > 1 {
      weighed -= slots[start].weight
      slots[start] = Slot(value: .nil, weight: 0)
      start = place(1)
      count -= 1
      dropped += 1
      droppedForBytes += 1
    }
  }
  /// Where the element is that has so many before it. Until all slots are taken, none lies before `start`.
  private func place(_ i: Int) -> Int {
    let slot = start + i
    return slot < capacity ? slot : slot - capacity
  }
  /// The newest that fit stay.
  mutating func limit(bytes most: Int) {
    mostBytes = most
    weighAll()
    shed(to: most)
  }
  /// Whether the elements have more bytes than that.
  mutating func isHeavier(than most: Int, heap: Int) -> Bool {
    if heap <= most { return false }
    weighAll()
    return weighed > most
  }
  /// O(size) when nothing is weighed so far.
  var bytes: Int { isWeighing ? weighed : slots.reduce(0) { $0 + Weight.of($1.value) } }

  private mutating func weighAll() {
    guard !isWeighing else { return }
    isWeighing = true
    for i in slots.indices { slots[i].weight = Weight.of(slots[i].value) }
    weighed = slots.reduce(0) { $0 + $1.weight }
  }
  private mutating func refill(_ elements: [Value]) {
    slots = elements.map { Slot(value: $0, weight: isWeighing ? Weight.of($0) : 0) }
    start = 0
    count = elements.count
    weighed = slots.reduce(0) { $0 + $1.weight }
  }
  /// The newest `n`, oldest first.
  func last(_ n: Int) -> [Value] {
    let n = min(max(0, n), count)
    return (count - n..<count).map { slots[place($0)].value }
  }
  mutating func clear() {
    refill([])
    dropped = 0
    droppedForBytes = 0
  }
  /// Keeps the newest that still fit.
  mutating func resize(_ newCapacity: Int) {
    let kept = last(newCapacity)
    dropped += count - kept.count
    capacity = newCapacity
    refill(kept)
  }
}

/// What a value takes of the memory, roughly and from above: what several values share counts for each of them.
enum Weight {
  /// Parts that are looked at. A value of more is large in any case, and may even contain itself.
  private static let mostParts = 1 << 16
  private static let deepest = 100
  /// Shorter keys are mostly the same few, over and over, and count for nothing.
  @inline(__always) private static var ordinaryKey: Int { 64 }

  static func of(_ v: Value) -> Int {
    var parts = mostParts
    return weigh(v, &parts, 0)
  }

  /// Most parts are numbers or texts, which need no call.
  @inline(__always) private static func weigh(_ v: Value, _ parts: inout Int, _ depth: Int) -> Int {
    guard v.isCell else { return 0 }
    return v.isString ? 32 + v.byteCount : weighCompound(v, &parts, depth)
  }

  @inline(never) private static func weighCompound(_ v: Value, _ parts: inout Int, _ depth: Int) -> Int {
    parts -= 1
    guard parts > 0, depth < deepest else { return 64 }
    switch v.kind {
    case .dict:
      if DictRepresentation.of(v.cell) == .flat {
        let entries = v.word(1).cell + 1, n = v.length
        var sum = 48 &+ 16 &* n, i = 0
        while i < n {
          let key = Value(bits: entries[2 &* i]).byteCount, value = Value(bits: entries[2 &* i &+ 1])
          if key > ordinaryKey { sum &+= key }
          if value.isCell { sum &+= value.isString ? 32 &+ value.byteCount : weighCompound(value, &parts, depth &+ 1) }
          i &+= 1
        }
        return sum
      }
      let isTable = DictRepresentation.of(v.cell) == .table
      let entries = isTable ? HashTable.unmanaged(v.cell).takeUnretainedValue().live : HashTrie.ordered(v.word(1), count: v.length)
      var sum = 64 + 48 * entries.count
      for (name, value) in entries { sum += (name.byteCount > ordinaryKey ? name.byteCount : 0) + weigh(value, &parts, depth + 1) }
      return sum
    case .pair, .slice, .mutableList:
      guard v.length > 0 else { return 32 }
      var sum = 32
      for element in ListElements(v) {
        sum += 16 + weigh(element, &parts, depth + 1)
        if parts <= 0 { break }
      }
      return sum
    case .object:
      var sum = 32 + v.object.externalBytes
      for element in v.object.elements ?? [] where parts > 0 { sum += weigh(element, &parts, depth + 1) }
      return sum
    default: return 32
    }
  }
}

extension NativeTable {
  mutating func installRings() {
    @Sendable func ring(_ m: Machine, _ args: Arguments, _ name: String) throws -> Ring {
      guard let ring = args[0].object(as: Ring.self) else { throw m.wrongType(name, 1, "ring", args[0]) }
      return ring
    }
    @Sendable func push(_ m: Machine, _ v: Value, _ ring: Ring) throws {
      let growth = ring.buffer.pointee.growth
      if growth > 0 {
        try m.reserve(growing: growth)
        m.heap.noteExternal(growth / 3)
      }
      ring.buffer.pointee.push(v, heap: m.heap.bytesInUse)
    }
    @Sendable func capacity(_ m: Machine, _ n: Int, _ name: String) throws -> Int {
      guard n >= 0, n <= 1 << 30 else { throw m.error("\(name): the capacity must be from 0 to \(1 << 30), got \(n)") }
      return n
    }
    @Sendable func bytes(_ m: Machine, _ n: Int, _ name: String) throws -> Int {
      guard n >= 0 else { throw m.error("\(name): the bytes must not be negative, got \(n)") }
      return n
    }
    add("make-ring", required("capacity", .integer), optional("bytes", .integer), doc: "An empty ring buffer: it holds so many elements and drops the oldest for a newer one. With `bytes` also when the elements take more than that, as estimated; the newest always stays.", example: "(let ((r (make-ring 9 300))) (ring-append! r (list \"a\" (repeat \"b\" 200) (repeat \"c\" 200))) (ring-len r)) → 1") { m, args in
      let most = try args.optional(1).map { _ in try bytes(m, args.integer(1), "make-ring") }
      return m.heap.allocate(object: Ring(capacity: try capacity(m, args.integer(0), "make-ring"), mostBytes: most))
    }
    add("ring-bytes", required("ring"), doc: "How many bytes its elements take, as estimated. O(size) while the heap is small.", example: "(let ((r (make-ring 9))) (ring-push! r \"abc\") (ring-bytes r)) → 35") { m, args in .fix(try ring(m, args, "ring-bytes").buffer.pointee.bytes) }
    add("ring-heavier?", required("ring"), required("bytes", .integer), doc: "Do its elements take more than so many bytes, as estimated? The answer costs nothing while the heap as a whole takes less.", example: "(let ((r (make-ring 9))) (ring-push! r \"abc\") (list (ring-heavier? r 34) (ring-heavier? r 35))) → (true false)") { m, args in
      .bool(try ring(m, args, "ring-heavier?").buffer.pointee.isHeavier(than: args.integer(1), heap: m.heap.bytesInUse))
    }
    add("ring-set-bytes!", required("ring"), required("bytes", .integer), doc: "Changes how many bytes its elements may take; the newest stay.") { m, args in
      try ring(m, args, "ring-set-bytes!").buffer.pointee.limit(bytes: try bytes(m, args.integer(1), "ring-set-bytes!"))
      return .nil
    }
    add("ring-dropped-for-bytes", required("ring"), doc: "How many of the elements it has dropped had to go because all together took too many bytes.") { m, args in .fix(try ring(m, args, "ring-dropped-for-bytes").buffer.pointee.droppedForBytes) }
    add("ring-push!", required("ring"), required("value"), doc: "Adds an element. O(1).") { m, args in
      guard let _ = try args[0].borrowing(Ring.self, { try push(m, args[1], $0) }) else { throw m.wrongType("ring-push!", 1, "ring", args[0]) }
      return .nil
    }
    add("ring-append!", required("ring"), required("list", .list), doc: "Adds the elements of a list. O(n).", example: "(let ((r (make-ring 2))) (ring-append! r (list 1 2 3)) (ring->list r)) → (2 3)") { m, args in
      let r = try ring(m, args, "ring-append!")
      try m.charge(args[1].listCount)
      for v in ListElements(args[1]) { try push(m, v, r) }
      return .nil
    }
    add("ring->list", required("ring"), growth: 16, doc: "The elements, oldest first.") { m, args in
      let r = try ring(m, args, "ring->list")
      return m.heap.list(r.buffer.pointee.last(r.buffer.pointee.count))
    }
    add("ring-last", required("ring"), required("n", .integer), growth: 16, doc: "The newest `n` elements, oldest first.") { m, args in m.heap.list(try ring(m, args, "ring-last").buffer.pointee.last(args.integer(1))) }
    add("ring-len", required("ring"), doc: "How many elements it holds.") { m, args in .fix(try ring(m, args, "ring-len").buffer.pointee.count) }
    add("ring-cap", required("ring"), doc: "How many elements it can hold.") { m, args in .fix(try ring(m, args, "ring-cap").buffer.pointee.capacity) }
    add("ring-dropped", required("ring"), doc: "How many elements it has dropped since it was made or cleared.") { m, args in .fix(try ring(m, args, "ring-dropped").buffer.pointee.dropped) }
    add("ring-total", required("ring"), doc: "How many elements were ever pushed.") { m, args in .fix(try ring(m, args, "ring-total").buffer.pointee.total) }
    add("ring-set-cap!", required("ring"), required("capacity", .integer), doc: "Changes how many it can hold; the newest stay.") { m, args in
      let r = try ring(m, args, "ring-set-cap!")
      try m.charge(r.buffer.pointee.count)
      r.buffer.pointee.resize(try capacity(m, args.integer(1), "ring-set-cap!"))
      return .nil
    }
    add("ring-clear!", required("ring"), doc: "Drops all elements, uncounted.") { m, args in
      try ring(m, args, "ring-clear!").buffer.pointee.clear()
      return .nil
    }
    add("ring?", required("value"), doc: "Is it a ring buffer?") { _, args in .bool(args[0].object(as: Ring.self) != nil) }
  }
}
