extension NativeTable {
  /// Everything writes to a port: the given one, or the current output port.
  mutating func installOutput() {
    add("display", required("value"), optional("port", .port), doc: "Prints for people: strings bare. Answers nil.") { m, args in
      try m.emit(args[0], .display, to: try m.output(args, 1, "display"), "display")
      return .nil
    }
    add("write", required("value"), optional("port", .port), doc: "Prints what the reader reads back. Answers nil.") { m, args in
      try m.emit(args[0], .write, to: try m.output(args, 1, "write"), "write")
      return .nil
    }
    alias("write-simple")
    alias("write-shared")
    add("newline", optional("port", .port), doc: "Ends the line. Answers nil.") { m, args in
      try m.emit(10, to: try m.output(args, 0, "newline"), "newline")
      return .nil
    }
    add("fresh-line", optional("port", .port), doc: "Ends the line, unless it is empty. Answers nil.") { m, args in
      let port = try m.output(args, 0, "fresh-line")
      if !port.isAtLineStart { try m.emit(10, to: port, "fresh-line") }
      return .nil
    }
    add("write-char", required("char", .character), optional("port", .port), doc: "Prints a character. Answers nil.") { m, args in
      try m.emit(args[0], .display, to: try m.output(args, 1, "write-char"), "write-char")
      return .nil
    }
    add("write-string", required("string", .string), optional("port", .port), optional("from", .integer), optional("to", .integer), doc: "Prints a string, or a part of it. Answers nil.") { m, args in
      let range = try m.range(args, from: 3, in: args[0].length, "write-string", of: "string")
      try m.emit(m.stringSlice(args[0], range.lowerBound, range.upperBound), .display, to: try m.output(args, 1, "write-string"), "write-string")
      return .nil
    }
    add("write-u8", required("byte", .integer), optional("port", .port), doc: "Writes a byte to a binary port. Answers nil.") { m, args in
      let port = try m.output(args, 1, "write-u8")
      guard let byte = UInt8(exactly: args.integer(0)) else { throw m.error("write-u8: argument 1: expected a byte from 0 to 255, got \(args.integer(0))") }
      guard port.isBinary else { throw m.error("write-u8: expected a binary port") }
      try m.emit(byte, to: port, "write-u8")
      return .nil
    }
    add("write-bytevector", required("bytevector", .bytevector), optional("port", .port), optional("from", .integer), optional("to", .integer), doc: "Writes bytes, or a part of them, to a binary port. Answers nil.") { m, args in
      guard let bytes = args[0].object(as: Bytevector.self)?.bytes else { throw m.wrongType("write-bytevector", 1, "bytevector", args[0]) }
      let port = try m.output(args, 1, "write-bytevector")
      guard port.isBinary else { throw m.error("write-bytevector: expected a binary port") }
      try bytes[try m.range(args, from: 3, in: bytes.count, "write-bytevector", of: "bytevector")].withUnsafeBufferPointer { try m.emit($0, to: port, "write-bytevector") }
      return .nil
    }
    func line(_ name: StaticString, _ doc: String, newline: Bool, isError: Bool = false) {
      add("\(name)", rest("values"), doc: doc) { m, args in
        try m.emit(line: args, ending: newline, to: try isError ? m.errorOutput("\(name)") : m.output(args, args.count, "\(name)"), name)
        return .nil
      }
    }
    line("print", "Prints the values for people, with blanks between them. Answers nil.", newline: false)
    line("println", "The same, and ends the line.", newline: true)
    line("eprintln", "The same on the current error port.", newline: true, isError: true)
    add("write-to-string", required("value"), doc: "What `write` prints, as a string.", example: "(write-to-string \"a\") → \"\\\"a\\\"\"") { m, args in m.heap.string(Printer.text(args[0], m)) }
    alias("inspect")
    add("display-to-string", required("value"), doc: "What `display` prints, as a string.", example: "(display-to-string \"a\") → \"a\"") { m, args in m.heap.string(Printer.text(args[0], m, .display)) }
  }
}
