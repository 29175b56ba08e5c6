extension NativeTable {
  mutating func installJSON() {
    add("json-encode", required("value"), doc: "The value as JSON text. The order of a dict is kept; symbols and keywords become strings, vectors and sets arrays, bytevectors base64; nil and floats that are not finite become null.", example: "(json-encode {:a (list 1 nil)}) → \"{\\\"a\\\":[1,null]}\"") { m, args in
      try JSONWriter.encode(args[0], m, "json-encode", indent: 0)
    }
    add("json-pretty", required("value"), optional("indent", .integer), doc: "The value as JSON text with a line for every member, indented by 2 (or `indent`) spaces a level.", example: "(json-pretty (list 1 2)) → \"[\\n  1,\\n  2\\n]\"") { m, args in
      try JSONWriter.encode(args[0], m, "json-pretty", indent: min(max(1, args.integer(1, default: 2)), 16))
    }
    add("json-decode", required("text", .string), doc: "The value of a JSON text (RFC 8259): objects become dicts, arrays lists, null nil; integers stay integers. An error names the offset.", example: "(json-decode \"{\\\"a\\\":[1,null]}\") → {:a (1 nil)}") { m, args in
      var reader = JSONReader(args[0], m)
      return try reader.decode()
    }
  }
}

/// Writes JSON. Keeps its own stack, so depth costs memory only.
struct JSONWriter: ~Copyable {
  /// A container whose members are being written.
  private struct Open {
    let cell: Value
    var elements: ListIterator
    /// The entries of a dict that are not simply a row in memory.
    let entries: [(key: Value, value: Value)]
    let isDict: Bool
    var at = 0
  }

  private let machine: Machine
  private let name: StaticString
  private let indent: Int
  private var out = ByteWriter(capacity: 1024)
  private var stack: [Open] = []
  private var cycles = CycleCheck()

  static func encode(_ v: Value, _ machine: Machine, _ name: StaticString, indent: Int) throws -> Value {
    var writer = JSONWriter(machine, name, indent)
    try writer.run(v)
    try machine.charge(writer.out.count >> 4)
    return try machine.string(name, writer.out)
  }

  private init(_ machine: Machine, _ name: StaticString, _ indent: Int) {
    self.machine = machine
    self.name = name
    self.indent = indent
  }

  private mutating func run(_ v: Value) throws {
    try begin(v)
    while !stack.isEmpty {
      let top = stack.count - 1, at = stack[top].at
      // Indentation may be longer than what it indents.
      try machine.charge(16 + stack.count * indent, holding: out.count)
      if stack[top].isDict {
        guard at < stack[top].cell.length else {
          close(UInt8(ascii: "}"))
          continue
        }
        let (key, value) = entry(stack[top], at)
        separate(at)
        JSONText.quote(key.utf8, to: &out)
        out.append(UInt8(ascii: ":"))
        if indent > 0 { out.append(UInt8(ascii: " ")) }
        stack[top].at = at + 1
        try begin(value)
      } else {
        guard let element = stack[top].elements.next() else {
          close(UInt8(ascii: "]"))
          continue
        }
        separate(at)
        stack[top].at = at + 1
        try begin(element)
      }
    }
  }

  private func entry(_ open: borrowing Open, _ i: Int) -> (key: Value, value: Value) {
    if DictRepresentation.of(open.cell.cell) != .flat { return open.entries[i] }
    let row = open.cell.word(1)
    return (row.word(1 + 2 * i), row.word(2 + 2 * i))
  }

  private mutating func separate(_ at: Int) {
    if at > 0 { out.append(UInt8(ascii: ",")) }
    if indent > 0 { newLine(stack.count) }
  }
  private mutating func newLine(_ level: Int) {
    out.append(UInt8(ascii: "\n"))
    for _ in 0..<(level * indent) { out.append(UInt8(ascii: " ")) }
  }
  private mutating func close(_ bracket: UInt8) {
    let closed = stack.removeLast()
    cycles.leave(closed.cell)
    if indent > 0, closed.at > 0 { newLine(stack.count) }
    out.append(bracket)
  }

  private mutating func begin(_ v: Value) throws {
    if v.isString { return JSONText.quote(v.utf8, to: &out) }
    if v.isFix { return out.append(decimal: v.fixValue) }
    if v.isListCell || v.isDict || v == .end {
      guard cycles.enter(v) else { throw machine.error("\(name): the value contains itself") }
      try machine.checkLength(name, out.count)
      let isDict = v.isDict
      out.append(isDict ? UInt8(ascii: "{") : UInt8(ascii: "["))
      let entries = try isDict && DictRepresentation.of(v.cell) != .flat ? machine.entries(of: v) : []
      stack.append(Open(cell: v, elements: ListIterator(isDict ? .nil : v), entries: entries, isDict: isDict))
      return
    }
    switch v {
    case .nil: return out.append("null")
    case .true: return out.append("true")
    case .false: return out.append("false")
    default: break
    }
    if let i = Arithmetic.integer(v) { return out.append(decimal: i) }
    if let d = Arithmetic.float(v) { return d.isFinite ? out.append(d.description) : out.append("null") }
    if let q = Arithmetic.rational(v) { return out.append(q.double.description) }
    if v.isText { return JSONText.quote(v.utf8, to: &out) }
    if v.isCharacter {
      var character = ByteWriter(capacity: 4)
      character.append(v.scalar)
      return JSONText.quote(character.written, to: &out)
    }
    if let values = (v.object(as: Vector.self))?.values ?? v.object(as: SetObject.self)?.table.entries.map(\.key) {
      guard cycles.enter(v) else { throw machine.error("\(name): the value contains itself") }
      out.append(UInt8(ascii: "["))
      stack.append(Open(cell: v, elements: ListIterator(machine.heap.list(values)), entries: [], isDict: false))
      return
    }
    if let bytes = v.object(as: Bytevector.self)?.bytes {
      let text = bytes.withUnsafeBufferPointer { [heap = machine.heap] in Base64.encode($0, heap) }
      return JSONText.quote(text.utf8, to: &out)
    }
    throw machine.error("\(name): a \(machine.typeName(v)) has no JSON form", hint: "JSON has null, booleans, numbers, strings, lists and dicts")
  }
}

enum JSONText {
  /// In a word of eight bytes, the high bit of (at least) the first byte that is a quote, a backslash or a control character.
  @inline(__always) static func special(_ w: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101, highs: UInt64 = 0x8080_8080_8080_8080
    let quote = w ^ (ones &* 0x22), slash = w ^ (ones &* 0x5C)
    return ((quote &- ones) & ~quote | (slash &- ones) & ~slash | (w &- ones &* 0x20) & ~w) & highs
  }

  /// Index of the first such byte at or after `from`, or `n`.
  @inline(__always) static func firstSpecial(_ p: UnsafePointer<UInt8>, from: Int, _ n: Int) -> Int {
    let raw = UnsafeRawPointer(p)
    var i = from
    while i &+ 8 <= n {
      let found = special(raw.loadUnaligned(fromByteOffset: i, as: UInt64.self))
      if found != 0 { return i &+ found.trailingZeroBitCount &>> 3 }
      i &+= 8
    }
    while i < n, p[i] >= 0x20, p[i] != 0x22, p[i] != 0x5C { i &+= 1 }
    return i
  }

  static func quote(_ text: UnsafeBufferPointer<UInt8>, to out: inout ByteWriter) {
    out.append(UInt8(ascii: "\""))
    if let p = text.baseAddress {
      let n = text.count
      var i = 0
      while true {
        let next = firstSpecial(p, from: i, n)
        out.append(p + i, next &- i)
        if next == n { break }
        escape(p[next], to: &out)
        i = next &+ 1
      }
    }
    out.append(UInt8(ascii: "\""))
  }
  private static func escape(_ b: UInt8, to out: inout ByteWriter) {
    out.append(UInt8(ascii: "\\"))
    switch b {
    case 0x22, 0x5C: out.append(b)
    case 0x0A: out.append(UInt8(ascii: "n"))
    case 0x09: out.append(UInt8(ascii: "t"))
    case 0x0D: out.append(UInt8(ascii: "r"))
    case 0x08: out.append(UInt8(ascii: "b"))
    case 0x0C: out.append(UInt8(ascii: "f"))
    default:
      out.append(b < 0x10 ? "u000" : "u001")
      let digit = b & 15
      out.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
    }
  }
}
