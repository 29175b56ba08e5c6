extension Machine {
  func write(_ v: Value, _ style: Printer.Style, newline: Bool = false, to stream: OutputStream = .standardOutput) {
    if style == .display, v.isString, !newline { return host.write(UnsafeRawBufferPointer(v.utf8), to: stream) }
    var printer = Printer(self, style)
    printer.print(v)
    var out = printer.out
    if newline { out.append(10) }
    out.withUnsafeBytes { host.write($0, to: stream) }
  }
}

extension NativeTable {
  mutating func installOutput() {
    add("display", required("value"), doc: "Prints for people: strings bare.") { m, args in
      m.write(args[0], .display)
      return .nil
    }
    add("write", required("value"), doc: "Prints what the reader reads back.") { m, args in
      m.write(args[0], .write)
      return .nil
    }
    add("newline", doc: "Ends the line.") { m, _ in
      [UInt8(10)].withUnsafeBytes { m.host.write($0, to: .standardOutput) }
      return .nil
    }
    func line(_ name: String, _ doc: String, _ style: Printer.Style, newline: Bool, _ stream: OutputStream) {
      add(name, rest("values"), doc: doc) { m, args in
        for i in 0..<args.count {
          if i > 0 { [UInt8(32)].withUnsafeBytes { m.host.write($0, to: stream) } }
          m.write(args[i], style, newline: newline && i == args.count - 1, to: stream)
        }
        if newline, args.count == 0 { [UInt8(10)].withUnsafeBytes { m.host.write($0, to: stream) } }
        return .nil
      }
    }
    line("print", "Prints the values for people, with blanks between them.", .display, newline: false, .standardOutput)
    line("println", "The same, and ends the line.", .display, newline: true, .standardOutput)
    line("eprintln", "The same on standard error.", .display, newline: true, .standardError)
    add("write-to-string", required("value"), doc: "What `write` prints, as a string.", example: "(write-to-string \"a\") → \"\\\"a\\\"\"") { m, args in m.heap.string(Printer.text(args[0], m)) }
    alias("inspect")
    add("display-to-string", required("value"), doc: "What `display` prints, as a string.", example: "(display-to-string \"a\") → \"a\"") { m, args in m.heap.string(Printer.text(args[0], m, .display)) }
  }
}
