/// A bounded buffer that drops its oldest element when it has too many, or when they take too many bytes.
final class Ring: HeapObject {
  private var slots: [Value]
  private var start = 0
  private(set) var count = 0
  private(set) var capacity: Int
  private(set) var total = 0
  private(set) var dropped = 0
  /// Those of the dropped ones that had to go for their bytes.
  private(set) var droppedForBytes = 0
  /// What the elements may take, as `Weight` estimates it; nil when nobody asks.
  private(set) var mostBytes: Int?
  private(set) var bytes = 0
  /// Of the element in the same slot; empty without a limit.
  private var weights: [Int] = []

  /// Slots are taken as they are needed, so a large capacity costs nothing by itself.
  init(capacity: Int, mostBytes: Int? = nil) {
    self.capacity = capacity
    self.mostBytes = mostBytes
    slots = []
  }
  override var typeName: String { "ring" }
  override func describe(_ machine: Machine) -> String { "#<ring \(count)/\(capacity)>" }
  override var externalBytes: Int { (slots.count + weights.count) * 8 + 96 }
  override func trace(_ marker: inout Marker) { for v in slots { marker.mark(v) } }

  func push(_ v: Value) {
    total += 1
    guard capacity > 0 else { return dropped += 1 }
    if count == capacity { dropOldest() }
    let slot = place(count)
    if slot == slots.count { slots.append(v) } else { slots[slot] = v }
    count += 1
    guard let mostBytes else { return }
    let weight = Weight.of(v)
    if slot == weights.count { weights.append(weight) } else { weights[slot] = weight }
    bytes += weight
    while bytes > mostBytes, count > 1 {
      dropOldest()
      droppedForBytes += 1
    }
  }
  /// Where the element is that has so many before it. Until all slots are taken, none lies before `start`.
  private func place(_ i: Int) -> Int {
    let slot = start + i
    return slot < capacity ? slot : slot - capacity
  }
  private func dropOldest() {
    slots[start] = .nil
    if mostBytes != nil { bytes -= weights[start] }
    start = place(1)
    count -= 1
    dropped += 1
  }
  /// Measures from now on what is in it; the newest that fit stay, and the newest of all in any case.
  func limit(bytes most: Int) {
    let kept = last(count)
    mostBytes = most
    refill(kept)
    while bytes > most, count > 1 {
      dropOldest()
      droppedForBytes += 1
    }
  }
  private func refill(_ elements: [Value]) {
    slots = elements
    start = 0
    count = elements.count
    weights = mostBytes == nil ? [] : elements.map(Weight.of)
    bytes = weights.reduce(0, +)
  }
  /// The newest `n`, oldest first.
  func last(_ n: Int) -> [Value] {
    let n = min(max(0, n), count)
    return (count - n..<count).map { slots[place($0)] }
  }
  func clear() {
    refill([])
    dropped = 0
    droppedForBytes = 0
  }
  /// Keeps the newest that still fit.
  func resize(_ newCapacity: Int) {
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

  static func of(_ v: Value) -> Int {
    var parts = mostParts
    return weigh(v, &parts, 0)
  }

  private static func weigh(_ v: Value, _ parts: inout Int, _ depth: Int) -> Int {
    guard v.isCell else { return 0 }
    parts -= 1
    guard parts > 0, depth < deepest else { return 64 }
    switch v.kind {
    case .string: return 32 + v.byteCount
    case .dict:
      if DictRepresentation.of(v.cell) == .flat {
        let entries = v.word(1).cell + 1
        var sum = 48 + 16 * v.length
        for i in 0..<v.length { sum += key(Value(bits: entries[2 &* i])) + weigh(Value(bits: entries[2 &* i &+ 1]), &parts, depth + 1) }
        return sum
      }
      let isTable = DictRepresentation.of(v.cell) == .table
      let entries = isTable ? HashTable.unmanaged(v.cell).takeUnretainedValue().live : HashTrie.ordered(v.word(1), count: v.length)
      var sum = 64 + 48 * entries.count
      for (name, value) in entries { sum += key(name) + weigh(value, &parts, depth + 1) }
      return sum
    case .pair, .slice, .mutableList:
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
  /// Short ones are mostly the same few, over and over.
  @inline(__always) private static func key(_ key: Value) -> Int { key.byteCount > 64 ? key.byteCount : 0 }
}

extension NativeTable {
  mutating func installRings() {
    @Sendable func ring(_ m: Machine, _ args: Arguments, _ name: String) throws -> Ring {
      guard let ring = args[0].object(as: Ring.self) else { throw m.wrongType(name, 1, "ring", args[0]) }
      return ring
    }
    @Sendable func capacity(_ m: Machine, _ n: Int, _ name: String) throws -> Int {
      guard n >= 0, n <= 1 << 30 else { throw m.error("\(name): the capacity must be from 0 to \(1 << 30), got \(n)") }
      return n
    }
    @Sendable func bytes(_ m: Machine, _ n: Int, _ name: String) throws -> Int {
      guard n >= 0 else { throw m.error("\(name): the bytes must not be negative, got \(n)") }
      return n
    }
    add("make-ring", required("capacity", .integer), optional("bytes", .integer), doc: "An empty ring buffer: it holds so many elements and drops the oldest for a newer one. With `bytes` also when the elements take more than that, as estimated when they come; the newest always stays.", example: "(let ((r (make-ring 9 300))) (ring-append! r (list \"a\" (repeat \"b\" 200) (repeat \"c\" 200))) (ring-len r)) → 1") { m, args in
      let most = try args.optional(1).map { _ in try bytes(m, args.integer(1), "make-ring") }
      return m.heap.allocate(object: Ring(capacity: try capacity(m, args.integer(0), "make-ring"), mostBytes: most))
    }
    add("ring-bytes", required("ring"), doc: "How many bytes its elements take, as estimated; 0 when it was made without a limit of them.", example: "(let ((r (make-ring 9 1000))) (ring-push! r \"abc\") (ring-bytes r)) → 35") { m, args in .fix(try ring(m, args, "ring-bytes").bytes) }
    add("ring-set-bytes!", required("ring"), required("bytes", .integer), doc: "Changes how many bytes its elements may take; the newest stay.") { m, args in
      try ring(m, args, "ring-set-bytes!").limit(bytes: try bytes(m, args.integer(1), "ring-set-bytes!"))
      return .nil
    }
    add("ring-dropped-for-bytes", required("ring"), doc: "How many of the elements it has dropped had to go because all together took too many bytes.") { m, args in .fix(try ring(m, args, "ring-dropped-for-bytes").droppedForBytes) }
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
