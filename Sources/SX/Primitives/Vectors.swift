/// A fixed number of values, each of which can be replaced in place.
final class Vector: HeapObject {
  var values: [Value]
  init(_ values: [Value]) { self.values = values }
  override var typeName: String { "vector" }
  override func describe(_ machine: Machine) -> String { "#(" + values.map { Printer.text($0, machine) }.joined(separator: " ") + ")" }
  override var externalBytes: Int { values.count * 8 + 64 }
  override func trace(_ marker: inout Marker) { for v in values { marker.mark(v) } }
}

extension NativeTable {
  mutating func installVectors() {
    @Sendable func vector(_ m: Machine, _ args: Arguments, _ name: String) throws -> Vector {
      guard let v = args[0].object(as: Vector.self) else { throw m.wrongType(name, 1, "vector", args[0]) }
      return v
    }
    @Sendable func index(_ m: Machine, _ args: Arguments, _ count: Int, _ name: String) throws -> Int {
      let i = args.integer(1)
      guard i >= 0, i < count else { throw m.error("\(name): index \(i) is out of range for a vector of \(count)") }
      return i
    }
    add("vector", rest("values"), doc: "A vector of the values.", example: "(vector->list (vector 1 2)) → (1 2)") { m, args in m.heap.allocate(object: Vector((0..<args.count).map { args[$0] })) }
    add("make-vector", required("count", .integer), optional("value"), doc: "A vector of so many times the value (nil).", example: "(vector-length (make-vector 3 0)) → 3") { m, args in
      guard args.integer(0) >= 0, args.integer(0) <= 1 << 28 else { throw m.error("make-vector: \(args.integer(0)) values are out of range") }
      return m.heap.allocate(object: Vector(Array(repeating: args.optional(1) ?? .nil, count: args.integer(0))))
    }
    add("vector?", required("value"), doc: "Is it a vector?") { _, args in .bool(args[0].object(as: Vector.self) != nil) }
    add("vector-length", required("vector"), doc: "How many values it has.") { m, args in .fix(try vector(m, args, "vector-length").values.count) }
    add("vector-ref", required("vector"), required("index", .integer), doc: "The value at an index from 0.", example: "(vector-ref (vector 5 6) 1) → 6") { m, args in
      let v = try vector(m, args, "vector-ref")
      return v.values[try index(m, args, v.values.count, "vector-ref")]
    }
    add("vector-set!", required("vector"), required("index", .integer), required("value"), doc: "Replaces a value.") { m, args in
      let v = try vector(m, args, "vector-set!")
      v.values[try index(m, args, v.values.count, "vector-set!")] = args[2]
      return .nil
    }
    add("vector->list", required("vector"), doc: "The values as a list.") { m, args in m.heap.list(try vector(m, args, "vector->list").values) }
    add("list->vector", required("list", .list), doc: "The elements as a vector.") { m, args in m.heap.allocate(object: Vector(Array(ListElements(args[0])))) }
    add("vector-fill!", required("vector"), required("value"), doc: "Replaces every value.") { m, args in
      let v = try vector(m, args, "vector-fill!")
      for i in v.values.indices { v.values[i] = args[1] }
      return .nil
    }
    add("vector-copy", required("vector"), doc: "A copy.") { m, args in m.heap.allocate(object: Vector(try vector(m, args, "vector-copy").values)) }
  }
}
