/// A run of bytes that can be changed in place.
final class Bytevector: HeapObject {
  var bytes: [UInt8]
  init(_ bytes: [UInt8]) { self.bytes = bytes }
  override var typeName: String { "bytevector" }
  override func describe(_ machine: Machine) -> String { "#u8(" + bytes.map(String.init).joined(separator: " ") + ")" }
  override var externalBytes: Int { bytes.count + 64 }
  override func isEqual(to other: HeapObject) -> Bool { (other as? Bytevector)?.bytes == bytes }
}

extension NativeTable {
  mutating func installBytevectors() {
    @Sendable func vector(_ m: Machine, _ args: Arguments, _ name: String, _ i: Int = 0) throws -> Bytevector {
      guard let v = args[i].object(as: Bytevector.self) else { throw m.wrongType(name, i + 1, "bytevector", args[i]) }
      return v
    }
    @Sendable func byte(_ m: Machine, _ v: Value, _ name: String) throws -> UInt8 {
      guard let i = Arithmetic.integer(v), let byte = UInt8(exactly: i) else { throw m.error("\(name): expected a byte from 0 to 255, got \(m.shown(v))") }
      return byte
    }
    @Sendable func index(_ m: Machine, _ args: Arguments, _ count: Int, _ name: String) throws -> Int {
      let i = args.integer(1)
      guard i >= 0, i < count else { throw m.error("\(name): index \(i) is out of range for a bytevector of \(count)") }
      return i
    }
    @Sendable func range(_ m: Machine, _ args: Arguments, _ count: Int, _ name: String) throws -> Range<Int> {
      let from = args.integer(1, default: 0), to = args.integer(2, default: count)
      guard from >= 0, from <= to, to <= count else { throw m.error("\(name): \(from) to \(to) is out of range for a bytevector of \(count)") }
      return from..<to
    }
    add("bytevector", rest("bytes", .integer), doc: "A bytevector of the bytes.", example: "(bytevector 1 2) → #u8(1 2)") { m, args in
      m.heap.allocate(object: Bytevector(try (0..<args.count).map { try byte(m, args[$0], "bytevector") }))
    }
    add("make-bytevector", required("count", .integer), optional("byte", .integer), doc: "A bytevector of so many bytes, all 0 or all `byte`.", example: "(make-bytevector 2 7) → #u8(7 7)") { m, args in
      guard args.integer(0) >= 0, args.integer(0) <= 1 << 31 else { throw m.error("make-bytevector: \(args.integer(0)) bytes are out of range") }
      return m.heap.allocate(object: Bytevector(Array(repeating: try args.optional(1).map { try byte(m, $0, "make-bytevector") } ?? 0, count: args.integer(0))))
    }
    add("bytevector?", required("value"), doc: "Is it a bytevector?") { _, args in .bool(args[0].object(as: Bytevector.self) != nil) }
    add("bytevector-length", required("bytevector"), doc: "How many bytes it has.") { m, args in .fix(try vector(m, args, "bytevector-length").bytes.count) }
    add("bytevector-u8-ref", required("bytevector"), required("index", .integer), doc: "The byte at an index from 0.", example: "(bytevector-u8-ref (bytevector 5 6) 1) → 6") { m, args in
      let v = try vector(m, args, "bytevector-u8-ref")
      return .fix(Int(v.bytes[try index(m, args, v.bytes.count, "bytevector-u8-ref")]))
    }
    add("bytevector-u8-set!", required("bytevector"), required("index", .integer), required("byte", .integer), doc: "Replaces a byte.") { m, args in
      let v = try vector(m, args, "bytevector-u8-set!")
      v.bytes[try index(m, args, v.bytes.count, "bytevector-u8-set!")] = try byte(m, args[2], "bytevector-u8-set!")
      return .nil
    }
    add("bytevector-copy", required("bytevector"), optional("from", .integer), optional("to", .integer), doc: "A copy, or one of a part.", example: "(bytevector-copy (bytevector 1 2 3) 1) → #u8(2 3)") { m, args in
      let v = try vector(m, args, "bytevector-copy")
      return m.heap.allocate(object: Bytevector(Array(v.bytes[try range(m, args, v.bytes.count, "bytevector-copy")])))
    }
    add("bytevector-append", rest("bytevectors"), doc: "The bytes of all in one.", example: "(bytevector-append (bytevector 1) (bytevector 2)) → #u8(1 2)") { m, args in
      m.heap.allocate(object: Bytevector(try (0..<args.count).flatMap { try vector(m, args, "bytevector-append", $0).bytes }))
    }
    add("string->utf8", required("string", .string), doc: "The bytes of a string.", example: "(string->utf8 \"é\") → #u8(195 169)") { m, args in m.heap.allocate(object: Bytevector(Array(args[0].utf8))) }
    add("utf8->string", required("bytevector"), doc: "The string that the bytes spell; an error when they are not UTF-8.", example: "(utf8->string (bytevector 104 105)) → \"hi\"") { m, args in
      let v = try vector(m, args, "utf8->string")
      if let bad = Bytes.firstInvalidUTF8(v.bytes) { throw m.error("utf8->string: invalid UTF-8 at byte \(bad)") }
      return m.heap.string(v.bytes)
    }
  }
}
