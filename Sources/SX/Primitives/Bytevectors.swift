/// A run of bytes that can be changed in place.
final class Bytevector: HeapObject {
  var bytes: [UInt8]
  init(_ bytes: [UInt8]) { self.bytes = bytes }
  override var typeName: String { "bytevector" }
  override func describe(_ machine: Machine) -> String { "#u8(" + bytes.map(String.init).joined(separator: " ") + ")" }
  override var externalBytes: Int { bytes.count + 64 }
  override func isEqual(to other: HeapObject) -> Bool { (other as? Bytevector)?.bytes == bytes }
  override var contentHash: Int? { bytes.hashValue }
}

extension NativeTable {
  mutating func installBytevectors() {
    @Sendable func vector(_ m: Machine, _ args: Arguments, _ name: String, _ i: Int = 0) throws -> Bytevector {
      guard let v = args[i].object(as: Bytevector.self) else { throw m.wrongType(name, i + 1, "bytevector", args[i]) }
      return v
    }
    @Sendable func byte(_ m: Machine, _ v: Value, _ name: String, _ position: Int, within: Bool = false) throws -> UInt8 {
      guard let i = Arithmetic.integer(v), let byte = UInt8(exactly: i) else { throw m.wrongType(name, position, within ? "list of bytes from 0 to 255" : "byte from 0 to 255", v, within: within) }
      return byte
    }
    add("bytevector", rest("bytes", .integer), doc: "A bytevector of the bytes.", example: "(bytevector 1 2) → #u8(1 2)") { m, args in
      m.heap.allocate(object: Bytevector(try (0..<args.count).map { try byte(m, args[$0], "bytevector", $0 + 1) }))
    }
    add("make-bytevector", required("count", .integer), optional("byte", .integer), doc: "A bytevector of so many bytes, all 0 or all `byte`.", example: "(make-bytevector 2 7) → #u8(7 7)") { m, args in
      guard args.integer(0) >= 0, args.integer(0) <= 1 << 31 else { throw m.error("make-bytevector: \(args.integer(0)) bytes are out of range") }
      if args.integer(0) > 1 << 20 { try m.checkLength("make-bytevector", args.integer(0)) }
      return m.heap.allocate(object: Bytevector(Array(repeating: try args.optional(1).map { try byte(m, $0, "make-bytevector", 2) } ?? 0, count: args.integer(0))))
    }
    add("bytevector?", required("value"), doc: "Is it a bytevector?") { _, args in .bool(args[0].object(as: Bytevector.self) != nil) }
    add("bytevector-length", required("bytevector", .bytevector), doc: "How many bytes it has.") { m, args in .fix(try vector(m, args, "bytevector-length").bytes.count) }
    add("bytevector-u8-ref", required("bytevector", .bytevector), required("index", .integer), doc: "The byte at an index from 0.", example: "(bytevector-u8-ref (bytevector 5 6) 1) → 6") { m, args in
      let v = try vector(m, args, "bytevector-u8-ref")
      return .fix(Int(v.bytes[try m.index(args, 2, below: v.bytes.count, "bytevector-u8-ref", of: "bytevector")]))
    }
    add("bytevector-u8-set!", required("bytevector", .bytevector), required("index", .integer), required("byte", .integer), doc: "Replaces a byte.") { m, args in
      let v = try vector(m, args, "bytevector-u8-set!")
      v.bytes[try m.index(args, 2, below: v.bytes.count, "bytevector-u8-set!", of: "bytevector")] = try byte(m, args[2], "bytevector-u8-set!", 3)
      return .nil
    }
    add("bytevector-copy", required("bytevector", .bytevector), optional("from", .integer), optional("to", .integer), doc: "A copy, or one of a part.", example: "(bytevector-copy (bytevector 1 2 3) 1) → #u8(2 3)") { m, args in
      let v = try vector(m, args, "bytevector-copy")
      let range = try m.range(args, from: 2, in: v.bytes.count, "bytevector-copy", of: "bytevector")
      try m.reserve(bytes: range.count)
      return m.heap.allocate(object: Bytevector(Array(v.bytes[range])))
    }
    add("bytevector-append", rest("bytevectors", .bytevector), doc: "The bytes of all in one.", example: "(bytevector-append (bytevector 1) (bytevector 2)) → #u8(1 2)") { m, args in
      let parts = try (0..<args.count).map { try vector(m, args, "bytevector-append", $0) }
      let count = parts.reduce(0) { $0 + $1.bytes.count }
      try m.reserve(bytes: count)
      var bytes: [UInt8] = []
      bytes.reserveCapacity(count)
      for part in parts { bytes += part.bytes }
      return m.heap.allocate(object: Bytevector(bytes))
    }
    add("bytevector-copy!", required("to", .bytevector), required("at", .integer), required("from", .bytevector), optional("start", .integer), optional("end", .integer), doc: "Copies the bytes of `from`, or of a part of it, into `to` at an index. The two may be one bytevector. Answers nil.", example: "(let ((b (bytevector 1 2 3))) (bytevector-copy! b 1 (bytevector 8 9)) b) → #u8(1 8 9)") { m, args in
      let to = try vector(m, args, "bytevector-copy!"), from = try vector(m, args, "bytevector-copy!", 2), at = args.integer(1)
      let range = try m.range(args, from: 4, in: from.bytes.count, "bytevector-copy!", of: "bytevector")
      try m.reserve(bytes: range.count)
      let part = Array(from.bytes[range])
      guard at >= 0, at <= to.bytes.count - part.count else { throw m.error("bytevector-copy!: argument 2: \(part.count) bytes do not fit at index \(at) of a bytevector of length \(to.bytes.count)") }
      to.bytes.replaceSubrange(at..<(at + part.count), with: part)
      return .nil
    }
    add("bytevector-fill!", required("bytevector", .bytevector), required("byte", .integer), optional("from", .integer), optional("to", .integer), doc: "Replaces every byte, or every one of a part. Answers nil.", example: "(let ((b (bytevector 1 2))) (bytevector-fill! b 7) b) → #u8(7 7)") { m, args in
      let v = try vector(m, args, "bytevector-fill!"), value = try byte(m, args[1], "bytevector-fill!", 2)
      let range = try m.range(args, from: 3, in: v.bytes.count, "bytevector-fill!", of: "bytevector")
      try m.charge(range.count)
      for i in range { v.bytes[i] = value }
      return .nil
    }
    add("bytevector->list", required("bytevector", .bytevector), optional("from", .integer), optional("to", .integer), doc: "The bytes, or those of a part, as a list of integers.", example: "(bytevector->list (bytevector 1 2)) → (1 2)") { m, args in
      let v = try vector(m, args, "bytevector->list")
      let range = try m.range(args, from: 2, in: v.bytes.count, "bytevector->list", of: "bytevector")
      try m.reserve(bytes: range.count * 16)
      return m.heap.list(v.bytes[range].map { .fix(Int($0)) })
    }
    add("list->bytevector", required("list", .list), doc: "A bytevector of a list of bytes.", example: "(list->bytevector (list 1 2)) → #u8(1 2)") { m, args in
      try m.reserve(bytes: args[0].listCount)
      return m.heap.allocate(object: Bytevector(try ListElements(args[0]).map { try byte(m, $0, "list->bytevector", 1, within: true) }))
    }
    add("string->utf8", required("string", .string), optional("from", .integer), optional("to", .integer), doc: "The bytes of a string, or of some of its scalars.", example: "(string->utf8 \"é\") → #u8(195 169)") { m, args in
      let range = try m.range(args, from: 2, in: args[0].length, "string->utf8", of: "string")
      try m.reserve(bytes: min(args[0].byteCount, range.count * 4) * 2)
      return m.heap.allocate(object: Bytevector(Array(m.stringSlice(args[0], range.lowerBound, range.upperBound).utf8)))
    }
    add("utf8->string", required("bytevector", .bytevector), optional("from", .integer), optional("to", .integer), doc: "The string that the bytes, or those of a part, spell; an error when they are not UTF-8.", example: "(utf8->string (bytevector 104 105)) → \"hi\"") { m, args in
      let v = try vector(m, args, "utf8->string"), range = try m.range(args, from: 2, in: v.bytes.count, "utf8->string", of: "bytevector")
      try m.reserve(bytes: range.count * 2)
      let part = Array(v.bytes[range])
      if let bad = Bytes.firstInvalidUTF8(part) { throw m.error("utf8->string: invalid UTF-8 at byte \(range.lowerBound + bad)") }
      return m.heap.string(part)
    }
    add("utf8->text", required("bytevector", .bytevector), doc: "The string that the bytes spell, with U+FFFD in the place of what is not UTF-8.", example: "(utf8->text (bytevector 104 255)) → \"h\u{FFFD}\"") { m, args in
      let v = try vector(m, args, "utf8->text")
      // Each byte may become a replacement of three.
      try m.reserve(bytes: v.bytes.count * 6)
      return m.heap.string(String(decoding: v.bytes, as: UTF8.self))
    }
  }
}
