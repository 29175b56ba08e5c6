extension NativeTable {
  mutating func installStringBuffers() {
    add("make-string-buffer", doc: "An empty string buffer: text that grows at its end at amortised O(1).", example: "(string-buffer-length (make-string-buffer)) → 0") { m, _ in m.heap.allocate(object: StringBuffer()) }
    add("string-buffer-append!", required("buffer"), rest("values"), doc: "Adds the display forms of the values. Answers the buffer.", example: "(string-buffer->string (string-buffer-append! (make-string-buffer) \"a\" 1)) → \"a1\"") { m, args in
      let buffer = try m.stringBuffer("string-buffer-append!", args)
      for i in 1..<max(1, args.count) { try buffer.append(args[i], m) }
      return args[0]
    }
    add("string-buffer->string", required("buffer"), doc: "What is in the buffer now.", example: "(string-buffer->string (make-string-buffer)) → \"\"") { m, args in
      let buffer = try m.stringBuffer("string-buffer->string", args)
      if buffer.text.count > 1 << 12 { try m.checkLength("string-buffer->string", buffer.text.count) }
      return m.heap.string(buffer.text.bytes, buffer.text.count, scalars: buffer.scalars)
    }
    add("string-buffer-length", required("buffer"), doc: "Number of Unicode scalars in the buffer. O(1).", example: "(string-buffer-length (string-buffer-append! (make-string-buffer) \"añb\")) → 3") { m, args in
      .fix(try m.stringBuffer("string-buffer-length", args).scalars)
    }
    add("string-buffer?", required("value"), doc: "Is it a string buffer?", example: "(string-buffer? (make-string-buffer)) → true") { _, args in .bool(args[0].object(as: StringBuffer.self) != nil) }
  }
}

extension Machine {
  fileprivate func stringBuffer(_ name: String, _ args: Arguments) throws -> StringBuffer {
    guard let buffer = args[0].object(as: StringBuffer.self) else { throw wrongType(name, 1, "string-buffer", args[0]) }
    return buffer
  }
}

/// Text that grows at its end.
final class StringBuffer: HeapObject {
  fileprivate var text = ByteWriter(capacity: 64)
  fileprivate var scalars = 0

  override var typeName: String { "string-buffer" }
  override var externalBytes: Int { 128 + text.capacity }
  override func describe(_ machine: Machine) -> String { "#<string-buffer \(scalars)>" }

  fileprivate func append(_ v: Value, _ machine: Machine) throws {
    let before = text.count, room = text.capacity
    if v.isString {
      if before + v.byteCount > 1 << 20 {
        try machine.checkLength("string-buffer-append!", before + v.byteCount)
        if room - before < v.byteCount { try machine.reserve(growing: max(room * 2, before + v.byteCount)) }
      }
      text.append(v.utf8)
    } else {
      machine.appendDisplay(v, to: &text)
    }
    if text.isCut {
      text.takeBack(to: before)
      throw Interruption.memory
    }
    scalars += v.isString ? v.length : Bytes.scalarCount(text.bytes + before, text.count - before)
    if text.capacity > room { machine.heap.noteExternal(text.capacity - room) }
  }
}
