/// A fixed number of values, each of which can be replaced in place. They are in memory of its own, because every access to an array in a property of a
/// class is checked while it goes on, which costs more than the rest of `vector-ref`. Nobody but the object has the pointer.
final class Vector: HeapObject {
  private let base: UnsafeMutablePointer<Value>
  let count: Int

  init(_ values: some Swift.Collection<Value>) {
    count = values.count
    base = SystemMemory.allocate(count, of: Value.self)
    _ = UnsafeMutableBufferPointer(start: base, count: count).initialize(from: values)
  }
  deinit { base.deallocate() }

  /// - Precondition: `i` is an index; the caller has looked.
  @inline(__always) subscript(i: Int) -> Value {
    get {
      assert(i >= 0 && i < count)
      return base[i]
    }
    set {
      assert(i >= 0 && i < count)
      base[i] = newValue
    }
  }
  /// A copy of the values, or of a part of them. O(size).
  var values: [Value] { self[0..<count] }
  subscript(range: Range<Int>) -> [Value] {
    precondition(range.upperBound <= count)
    return Array(UnsafeBufferPointer(start: base + range.lowerBound, count: range.count))
  }

  override var typeName: String { "vector" }
  override var elements: [Value]? { values }
  override var printedForm: PrintedForm? { PrintedForm(open: "#(", parts: values, close: ")") }
  override var externalBytes: Int { count * 8 + 64 }
  override func trace(_ marker: inout Marker) { marker.mark(base, count) }
}

extension Machine {
  func vector(_ v: Value, _ name: String, _ position: Int = 1) throws -> Vector {
    guard let vector = v.object(as: Vector.self) else { throw wrongType(name, position, "vector", v) }
    return vector
  }

  /// Argument `position` as an index below `count`.
  func index(_ args: Arguments, _ position: Int, below count: Int, _ name: String, of what: String) throws -> Int {
    let i = args.integer(position - 1)
    guard i >= 0, i < count else { throw error("\(name): argument \(position): index \(i) is out of range for a \(what) of length \(count)") }
    return i
  }

  /// The range between two optional arguments, by default from the beginning and to the end.
  func range(_ args: Arguments, from position: Int, in count: Int, _ name: String, of what: String) throws -> Range<Int> {
    let from = args.integer(position - 1, default: 0), to = args.integer(position, default: count)
    guard from >= 0, from <= to, to <= count else { throw error("\(name): range \(from)…\(to) is out of range for a \(what) of length \(count)") }
    return from..<to
  }
}

extension NativeTable {
  mutating func installVectors() {
    /// Room for so many values, and as many again in what becomes of them.
    @Sendable func reserve(_ m: Machine, _ count: Int) throws { try m.reserve(bytes: count * 16) }
    add("vector", rest("values"), doc: "A vector of the values.", example: "(vector 1 2) → #(1 2)") { m, args in m.heap.allocate(object: Vector(UnsafeBufferPointer(start: args.base, count: args.count))) }
    add("make-vector", required("count", .integer), optional("value"), doc: "A vector of so many times the value (nil).", example: "(make-vector 3 0) → #(0 0 0)") { m, args in
      guard args.integer(0) >= 0, args.integer(0) <= 1 << 28 else { throw m.error("make-vector: argument 1: expected a length from 0 to \(1 << 28), got \(args.integer(0))") }
      try m.checkLength("make-vector", args.integer(0) * 8)
      return m.heap.allocate(object: Vector(repeatElement(args.optional(1) ?? .nil, count: args.integer(0))))
    }
    add("vector?", required("value"), doc: "Is it a vector?", example: "(vector? (vector)) → true") { _, args in .bool(args[0].object(as: Vector.self) != nil) }
    add("vector-length", required("vector", .vector), doc: "How many values it has.", example: "(vector-length (vector 5 6)) → 2") { m, args in .fix(try m.vector(args[0], "vector-length").count) }
    add("vector-ref", required("vector", .vector), required("index", .integer), doc: "The value at an index from 0. O(1).", example: "(vector-ref (vector 5 6) 1) → 6") { m, args in
      let v = try m.vector(args[0], "vector-ref")
      return v[try m.index(args, 2, below: v.count, "vector-ref", of: "vector")]
    }
    add("vector-set!", required("vector", .vector), required("index", .integer), required("value"), doc: "Replaces a value. O(1). Answers nil.", example: "(let ((v (vector 5 6))) (vector-set! v 0 7) v) → #(7 6)") { m, args in
      let v = try m.vector(args[0], "vector-set!")
      v[try m.index(args, 2, below: v.count, "vector-set!", of: "vector")] = args[2]
      return .nil
    }
    add("vector->list", required("vector", .vector), optional("from", .integer), optional("to", .integer), doc: "The values, or those of a part, as a list.", example: "(vector->list (vector 1 2 3) 1) → (2 3)") { m, args in
      let v = try m.vector(args[0], "vector->list")
      let range = try m.range(args, from: 2, in: v.count, "vector->list", of: "vector")
      try reserve(m, range.count)
      return m.heap.list(v[range])
    }
    add("list->vector", required("list", .list), walks: true, doc: "The elements as a vector.", example: "(list->vector (list 1 2)) → #(1 2)") { m, args in
      try reserve(m, args[0].listCount)
      return m.heap.allocate(object: Vector(Array(ListElements(args[0]))))
    }
    add("vector-fill!", required("vector", .vector), required("value"), optional("from", .integer), optional("to", .integer), doc: "Replaces every value, or every one of a part. Answers nil.", example: "(let ((v (vector 1 2 3))) (vector-fill! v 0 1) v) → #(1 0 0)") { m, args in
      let v = try m.vector(args[0], "vector-fill!")
      let range = try m.range(args, from: 3, in: v.count, "vector-fill!", of: "vector")
      try m.charge(range.count)
      for i in range { v[i] = args[1] }
      return .nil
    }
    add("vector-copy", required("vector", .vector), optional("from", .integer), optional("to", .integer), doc: "A copy, or one of a part.", example: "(vector-copy (vector 1 2 3) 1) → #(2 3)") { m, args in
      let v = try m.vector(args[0], "vector-copy")
      let range = try m.range(args, from: 2, in: v.count, "vector-copy", of: "vector")
      try reserve(m, range.count)
      return m.heap.allocate(object: Vector(v[range]))
    }
    add("vector-copy!", required("to", .vector), required("at", .integer), required("from", .vector), optional("start", .integer), optional("end", .integer), doc: "Copies the values of `from`, or of a part of it, into `to` at an index. The two may be one vector. Answers nil.", example: "(let ((v (vector 1 2 3))) (vector-copy! v 1 (vector 8 9)) v) → #(1 8 9)") { m, args in
      let to = try m.vector(args[0], "vector-copy!"), from = try m.vector(args[2], "vector-copy!", 3), at = args.integer(1)
      let range = try m.range(args, from: 4, in: from.count, "vector-copy!", of: "vector")
      try reserve(m, range.count)
      let part = from[range]
      guard at >= 0, at <= to.count - part.count else { throw m.error("vector-copy!: argument 2: \(part.count) values do not fit at index \(at) of a vector of length \(to.count)") }
      for (i, v) in part.enumerated() { to[at + i] = v }
      return .nil
    }
    add("vector-append", rest("vectors", .vector), doc: "The values of all in one vector.", example: "(vector-append (vector 1) (vector 2 3)) → #(1 2 3)") { m, args in
      let parts = try (0..<args.count).map { try m.vector(args[$0], "vector-append", $0 + 1) }
      let count = parts.reduce(0) { $0 + $1.count }
      try reserve(m, count)
      var values: [Value] = []
      values.reserveCapacity(count)
      for part in parts { values += part.values }
      return m.heap.allocate(object: Vector(values))
    }
    add("vector->string", required("vector", .vector), optional("from", .integer), optional("to", .integer), doc: "The string of a vector of characters, or of a part of it.", example: "(vector->string (vector #\\a #\\b)) → \"ab\"") { m, args in
      let v = try m.vector(args[0], "vector->string")
      let range = try m.range(args, from: 2, in: v.count, "vector->string", of: "vector")
      try m.charge(range.count)
      var out = ByteWriter(capacity: range.count)
      for c in v[range] {
        guard c.isCharacter else { throw m.wrongType("vector->string", 1, "vector of characters", c, within: true) }
        out.append(c.scalar)
      }
      return try m.string("vector->string", out)
    }
    add("string->vector", required("string", .string), optional("from", .integer), optional("to", .integer), doc: "The characters of a string, or of a part of it, as a vector.", example: "(string->vector \"ab\") → #(#\\a #\\b)") { m, args in
      let range = try m.range(args, from: 2, in: args[0].length, "string->vector", of: "string")
      // The text is copied as well.
      try m.reserve(bytes: range.count * 32)
      return m.heap.allocate(object: Vector(m.stringSlice(args[0], range.lowerBound, range.upperBound).text.unicodeScalars.map(Value.character)))
    }
  }
}
