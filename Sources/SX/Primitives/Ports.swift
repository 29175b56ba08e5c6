/// Where characters or bytes come from: a text, a bytevector or a file, all of it in memory.
final class InputPort: HeapObject {
  let bytes: [UInt8]
  let isBinary: Bool
  var position = 0
  var isOpen = true
  /// What `read` made of the text, once.
  var source: SourceText?

  init(_ bytes: [UInt8], isBinary: Bool) {
    self.bytes = bytes
    self.isBinary = isBinary
  }
  override var typeName: String { "input-port" }
  override var externalBytes: Int { bytes.count + 128 }
}

/// Where output goes: memory, or a stream of the host.
final class OutputPort: HeapObject {
  let stream: OutputStream?
  let isBinary: Bool
  /// Takes what is written to a stream; what it refuses goes to the host.
  let sink: ((UnsafeBufferPointer<UInt8>) -> Bool)?
  var isOpen = true
  fileprivate(set) var written = ByteWriter(capacity: 64)
  /// The last thing written was the end of a line, or nothing was.
  fileprivate(set) var isAtLineStart = true

  init(_ stream: OutputStream?, isBinary: Bool = false, sink: ((UnsafeBufferPointer<UInt8>) -> Bool)? = nil) {
    self.stream = stream
    self.sink = sink
    self.isBinary = isBinary
  }
  override var typeName: String { "output-port" }
  override var externalBytes: Int { 128 + written.capacity }
}

/// The ports that are current when none is given, each a parameter.
struct StandardPorts {
  fileprivate(set) var input = Value.nil, output = Value.nil, error = Value.nil
}

extension Machine {
  /// Kept alive by handles, because a program may give their names another meaning.
  func makeStandardPorts() {
    func parameter(_ port: HeapObject) -> Value {
      let v = heap.allocate(object: Parameter(initial: heap.allocate(object: port), converter: .nil))
      _ = handles.add(v)
      return v
    }
    standardPorts.input = parameter(InputPort([], isBinary: false))
    standardPorts.output = parameter(OutputPort(.standardOutput))
    standardPorts.error = parameter(OutputPort(.standardError))
  }

  private func current<Port: HeapObject>(_ parameter: Value, _ type: Port.Type, _ name: String, _ expected: String) throws -> Port {
    guard let object = parameter.object(as: Parameter.self), let port = parameterValue(object, parameter).object(as: type) else { throw error("\(name): the current port is no \(expected)") }
    return port
  }

  /// The port that argument `i` is, or the current one when it was left out.
  func output(_ args: Arguments, _ i: Int, _ name: String) throws -> OutputPort {
    guard i < args.count, !args[i].isNil else { return try open(current(standardPorts.output, OutputPort.self, name, "output-port"), name) }
    guard let port = args[i].object(as: OutputPort.self) else { throw wrongType(name, i + 1, "output-port", args[i]) }
    return try open(port, name)
  }
  func errorOutput(_ name: String) throws -> OutputPort { try open(current(standardPorts.error, OutputPort.self, name, "output-port"), name) }
  func input(_ args: Arguments, _ i: Int, _ name: String, binary: Bool = false) throws -> InputPort {
    let port: InputPort
    if i < args.count, !args[i].isNil {
      guard let given = args[i].object(as: InputPort.self) else { throw wrongType(name, i + 1, "input-port", args[i]) }
      port = given
    } else {
      port = try current(standardPorts.input, InputPort.self, name, "input-port")
    }
    guard port.isOpen else { throw error("\(name): the port is closed") }
    guard port.isBinary == binary else { throw error("\(name): expected a \(binary ? "binary" : "textual") port") }
    return port
  }
  private func open(_ port: OutputPort, _ name: String) throws -> OutputPort {
    guard port.isOpen else { throw error("\(name): the port is closed") }
    return port
  }

  func emit(_ bytes: UnsafeBufferPointer<UInt8>, to port: OutputPort, _ name: StaticString) throws {
    guard let last = bytes.last else { return }
    // What was cut off for want of memory leaves nothing behind.
    try obeyVerdict()
    if port.stream != nil { try spendOutput(bytes.count) }
    port.isAtLineStart = last == 10
    if let sink = port.sink, sink(bytes) { return }
    if let stream = port.stream { return host.write(UnsafeRawBufferPointer(bytes), to: stream) }
    let room = port.written.capacity, before = port.written.count
    if before + bytes.count > 1 << 20 { try checkLength(name, before + bytes.count) }
    port.written.append(bytes)
    if port.written.isCut {
      port.written.takeBack(to: before)
      throw Interruption.memory
    }
    if port.written.capacity > room { heap.noteExternal(port.written.capacity - room) }
  }
  func emit(_ v: Value, _ style: Printer.Style, to port: OutputPort, _ name: StaticString) throws {
    if port.isBinary { throw error("\(name): expected a textual port") }
    if style == .display, v.isString { return try emit(v.utf8, to: port, name) }
    var printer = Printer(self, style)
    printer.print(v)
    try printer.out.withUnsafeBufferPointer { try emit($0, to: port, name) }
  }
  /// The values with blanks between them, for people. In one piece, so that nothing that another interpreter of the process writes comes
  /// between; only a long text goes by itself, because that takes no copy.
  func emit(line values: Arguments, ending hasNewline: Bool, to port: OutputPort, _ name: StaticString) throws {
    if port.isBinary { throw error("\(name): expected a textual port") }
    var printer = Printer(self, .display)
    for i in 0..<values.count {
      if i > 0 { printer.put(" ") }
      if values[i].isString, values[i].byteCount > 1 << 16 {
        try printer.out.withUnsafeBufferPointer { try emit($0, to: port, name) }
        try emit(values[i].utf8, to: port, name)
        printer = Printer(self, .display)
      } else {
        printer.print(values[i])
      }
    }
    if hasNewline { printer.put("\n") }
    try printer.out.withUnsafeBufferPointer { try emit($0, to: port, name) }
  }
  func emit(_ byte: UInt8, to port: OutputPort, _ name: StaticString) throws {
    try withUnsafePointer(to: byte) { try emit(UnsafeBufferPointer(start: $0, count: 1), to: port, name) }
  }
}

extension NativeTable {
  mutating func installPorts() {
    add("open-input-string", required("string", .string), walks: true, growth: 2, doc: "A port that reads the text of a string.", example: "(read-char (open-input-string \"ab\")) → #\\a") { m, args in m.heap.allocate(object: InputPort(Array(args[0].utf8), isBinary: false)) }
    add("open-output-string", doc: "A port that keeps what is written to it.", example: "(let ((p (open-output-string))) (write 'a p) (get-output-string p)) → \"a\"") { m, _ in m.heap.allocate(object: OutputPort(nil)) }
    add("get-output-string", required("port", .port), doc: "What was written to a port that `open-output-string` made.", example: "(get-output-string (open-output-string)) → \"\"") { m, args in
      guard let port = args[0].object(as: OutputPort.self), port.stream == nil, !port.isBinary else { throw m.wrongType("get-output-string", 1, "output-port of a string", args[0]) }
      return try m.string("get-output-string", port.written)
    }
    add("open-input-bytevector", required("bytevector", .bytevector), doc: "A port that reads bytes.", example: "(read-u8 (open-input-bytevector (bytevector 7))) → 7") { m, args in
      guard let bytes = args[0].object(as: Bytevector.self)?.bytes else { throw m.wrongType("open-input-bytevector", 1, "bytevector", args[0]) }
      return m.heap.allocate(object: InputPort(bytes, isBinary: true))
    }
    add("open-output-bytevector", doc: "A port that keeps the bytes that are written to it.", example: "(let ((p (open-output-bytevector))) (write-u8 7 p) (get-output-bytevector p)) → #u8(7)") { m, _ in m.heap.allocate(object: OutputPort(nil, isBinary: true)) }
    add("get-output-bytevector", required("port", .port), growth: 8, doc: "The bytes that were written to a port that `open-output-bytevector` made.", example: "(get-output-bytevector (open-output-bytevector)) → #u8()") { m, args in
      guard let port = args[0].object(as: OutputPort.self), port.isBinary else { throw m.wrongType("get-output-bytevector", 1, "output-port of bytes", args[0]) }
      return m.heap.allocate(object: Bytevector(Array(port.written.written)))
    }
    add("open-input-file", required("path", .string), needs: .read, doc: "A port that reads a file, which must be UTF-8; all of it is read at once. What files there are is up to the host.") { m, args in
      let bytes: [UInt8]
      do { bytes = try m.readFile(args[0].text, for: .read) } catch let failure as HostError { throw m.error("open-input-file: \(failure.message)") }
      if let bad = Bytes.firstInvalidUTF8(bytes) { throw m.error("open-input-file: \(args[0].text): invalid UTF-8 at byte \(bad)") }
      return m.heap.allocate(object: InputPort(bytes, isBinary: false))
    }
    func test(_ name: String, _ what: String, _ example: String, _ holds: @escaping @Sendable (Value) -> Bool) {
      add(name, required("value"), doc: "Is it \(what)?", example: example) { _, args in .bool(holds(args[0])) }
    }
    test("port?", "a port", "(port? (current-output-port)) → true") { $0.object(as: InputPort.self) != nil || $0.object(as: OutputPort.self) != nil }
    test("input-port?", "a port to read from", "(input-port? (open-input-string \"\")) → true") { $0.object(as: InputPort.self) != nil }
    test("output-port?", "a port to write to", "(output-port? (current-output-port)) → true") { $0.object(as: OutputPort.self) != nil }
    test("textual-port?", "a port of characters", "(textual-port? (open-input-string \"\")) → true") { $0.object(as: InputPort.self)?.isBinary == false || $0.object(as: OutputPort.self)?.isBinary == false }
    test("binary-port?", "a port of bytes", "(binary-port? (open-input-string \"\")) → false") { $0.object(as: InputPort.self)?.isBinary == true || $0.object(as: OutputPort.self)?.isBinary == true }
    test("input-port-open?", "an open port to read from", "(input-port-open? (open-input-string \"\")) → true") { $0.object(as: InputPort.self)?.isOpen == true }
    test("output-port-open?", "an open port to write to", "(output-port-open? (open-output-string)) → true") { $0.object(as: OutputPort.self)?.isOpen == true }
    test("eof-object?", "what reading gives at the end of a port", "(eof-object? (read-char (open-input-string \"\"))) → true") { $0 == .endOfFile }
    add("eof-object", doc: "What reading gives at the end of a port.", example: "(eof-object) → #<eof>") { _, _ in .endOfFile }
    add("close-port", required("port", .port), doc: "Closes a port; reading or writing it is an error from now on. What was written to a string stays. Answers nil.") { m, args in
      if let port = args[0].object(as: InputPort.self) { port.isOpen = false } else if let port = args[0].object(as: OutputPort.self) { port.isOpen = false } else { throw m.wrongType("close-port", 1, "port", args[0]) }
      return .nil
    }
    alias("close-input-port")
    alias("close-output-port")
    add("flush-output-port", optional("port", .port), doc: "Does nothing: the host decides when output leaves.") { _, _ in .nil }
    alias("flush-output")
    add("ports/-standard", required("name", .string), doc: "The parameter of the current input, output or error port.") { m, args in
      args[0].textEquals("input") ? m.standardPorts.input : args[0].textEquals("output") ? m.standardPorts.output : m.standardPorts.error
    }
    installReading()
  }

  private mutating func installReading() {
    func character(_ name: String, _ doc: String, _ example: String, advance: Bool) {
      add(name, optional("port", .port), doc: doc, example: example) { m, args in
        let port = try m.input(args, 0, name)
        guard port.position < port.bytes.count else { return .endOfFile }
        let (scalar, width) = port.bytes.withUnsafeBufferPointer { UTF8Text.decode($0.baseAddress.unsafelyUnwrapped + port.position) }
        if advance { port.position += width }
        return .character(scalar)
      }
    }
    character("read-char", "The next character, or the eof object.", "(read-char (open-input-string \"é\")) → #\\é", advance: true)
    character("peek-char", "The next character, which stays, or the eof object.", "(peek-char (open-input-string \"é\")) → #\\é", advance: false)
    add("read-line", optional("port", .port), doc: "The text up to the end of the line, which is dropped; the eof object when there is nothing left. A line ends with LF or CR LF.", example: "(read-line (open-input-string \"ab\\ncd\")) → \"ab\"") { m, args in
      let port = try m.input(args, 0, "read-line")
      guard port.position < port.bytes.count else { return .endOfFile }
      let end = port.bytes[port.position...].firstIndex(of: 10) ?? port.bytes.count
      let text = port.bytes[port.position..<(end < port.bytes.count && end > port.position && port.bytes[end - 1] == 13 ? end - 1 : end)]
      port.position = min(end + 1, port.bytes.count)
      return m.heap.string(Array(text))
    }
    add("read-string", required("count"), optional("port", .port), doc: "The next characters, at most so many; the eof object when there is nothing left. With a string instead of a count it is `read`.", example: "(read-string 2 (open-input-string \"abc\")) → \"ab\"") { m, args in
      if args[0].isString { return try m.firstDatum(of: args[0]) }
      guard let count = Arithmetic.integer(args[0]), count >= 0 else { throw m.wrongType("read-string", 1, "count from 0 or string", args[0]) }
      let port = try m.input(args, 1, "read-string")
      if count > 0, port.position >= port.bytes.count { return .endOfFile }
      return port.bytes.withUnsafeBufferPointer { all in
        let rest = UnsafeBufferPointer(rebasing: all[port.position...])
        let length = rest.baseAddress.map { Bytes.offset(ofScalar: count, $0, rest.count) } ?? 0
        port.position += length
        return m.heap.string(UnsafeBufferPointer(rebasing: rest[..<length]))
      }
    }
    add("read", optional("source"), doc: "The next datum of a port (the current one), or the eof object. Of a string, its first datum, or nil when there is none.", example: "(read \"(1 two) 3\") → (1 two)") { m, args in
      if args.count > 0, args[0].isString { return try m.firstDatum(of: args[0]) }
      return try m.nextDatum(try m.input(args, 0, "read"))
    }
    add("char-ready?", optional("port", .port), doc: "Is there no need to wait for a character? Always true: ports are in memory.") { m, args in
      _ = try m.input(args, 0, "char-ready?")
      return .true
    }
    func byte(_ name: String, _ doc: String, _ example: String, advance: Bool) {
      add(name, optional("port", .port), doc: doc, example: example) { m, args in
        let port = try m.input(args, 0, name, binary: true)
        guard port.position < port.bytes.count else { return .endOfFile }
        defer { if advance { port.position += 1 } }
        return .fix(Int(port.bytes[port.position]))
      }
    }
    byte("read-u8", "The next byte, or the eof object.", "(read-u8 (open-input-bytevector (bytevector 7))) → 7", advance: true)
    byte("peek-u8", "The next byte, which stays, or the eof object.", "(peek-u8 (open-input-bytevector (bytevector 7))) → 7", advance: false)
    add("read-bytevector", required("count", .integer), optional("port", .port), doc: "The next bytes, at most so many; the eof object when there is nothing left.", example: "(read-bytevector 2 (open-input-bytevector (bytevector 1 2 3))) → #u8(1 2)") { m, args in
      let port = try m.input(args, 1, "read-bytevector", binary: true)
      guard args.integer(0) >= 0 else { throw m.error("read-bytevector: argument 1: expected a count from 0, got \(args.integer(0))") }
      if args.integer(0) > 0, port.position >= port.bytes.count { return .endOfFile }
      let end = min(port.bytes.count, port.position + min(args.integer(0), port.bytes.count))
      defer { port.position = end }
      return m.heap.allocate(object: Bytevector(Array(port.bytes[port.position..<end])))
    }
  }
}

extension Machine {
  fileprivate func firstDatum(of string: Value) throws -> Value {
    let text = try register(file: "<string>", bytes: Array(string.utf8))
    return try text.bytes.withUnsafeBufferPointer { bytes in
      var reader = Reader(self, text, bytes)
      return try reader.next()?.value ?? .nil
    }
  }
  fileprivate func nextDatum(_ port: InputPort) throws -> Value {
    let text = try port.source ?? register(file: "<port>", bytes: port.bytes)
    port.source = text
    return try text.bytes.withUnsafeBufferPointer { bytes in
      var reader = Reader(self, text, bytes, from: port.position)
      defer { port.position = reader.position }
      return try reader.next()?.value ?? .endOfFile
    }
  }
}
