/// Data as bytes of which another interpreter makes the same data: the form in which values cross from one heap to another.
///
/// A text that came before is a number, so the keys of a hundred dicts are written once. Not a format for files: both ends are the same
/// program. Whatever is not data is written as its text.
private enum CopyTag {
  static let null: UInt8 = 0, yes: UInt8 = 1, no: UInt8 = 2, integer: UInt8 = 3, float: UInt8 = 4, text: UInt8 = 5, known: UInt8 = 6
  static let list: UInt8 = 7, dict: UInt8 = 8, bytes: UInt8 = 9, symbol: UInt8 = 10, keyword: UInt8 = 11

  /// Texts of more bytes hardly come twice.
  static let longestKnown = 64
  /// Data inside of data; what lies deeper is written as text.
  static let deepest = 100
}

private struct CopyWriter: ~Copyable {
  private static let name: StaticString = "value->bytevector"
  private let machine: Machine
  private(set) var out = ByteWriter(capacity: 4096)
  /// The numbers of the texts that were written, by their cells.
  private var known: [UInt64: Int] = [:]

  init(_ machine: Machine) { self.machine = machine }

  mutating func write(_ v: Value, _ depth: Int = 0) throws {
    try machine.charge(8, holding: out.count)
    if v.isString { return write(text: v) }
    if v.isFix { return write(integer: v.fixValue) }
    if v.isListCell || v.isDict || v == .end {
      guard depth < CopyTag.deepest else { return write(printed: v) }
      try machine.checkLength(Self.name, out.count)
      return v.isDict ? try write(dict: v, depth) : try write(list: v, depth)
    }
    switch v {
    case .nil: return out.append(CopyTag.null)
    case .true: return out.append(CopyTag.yes)
    case .false: return out.append(CopyTag.no)
    default: break
    }
    if let i = Arithmetic.integer(v) { return write(integer: i) }
    if let d = Arithmetic.float(v) {
      out.append(CopyTag.float)
      for shift in stride(from: UInt64(0), to: 64, by: 8) { out.append(UInt8(truncatingIfNeeded: d.bitPattern >> shift)) }
      return
    }
    if v.isText { return write(v.utf8, as: v.isKind(.symbol) ? CopyTag.symbol : CopyTag.keyword) }
    if let bytes = v.object(as: Bytevector.self)?.bytes { return bytes.withUnsafeBufferPointer { write($0, as: CopyTag.bytes) } }
    write(printed: v)
  }

  private mutating func write(dict v: Value, _ depth: Int) throws {
    out.append(CopyTag.dict)
    write(count: v.length)
    guard DictRepresentation.of(v.cell) == .flat else {
      for (key, value) in machine.heap.entries(of: v) {
        write(text: key)
        try write(value, depth + 1)
      }
      return
    }
    let row = v.word(1)
    for i in 0..<v.length {
      write(text: row.word(1 + 2 * i))
      try write(row.word(2 + 2 * i), depth + 1)
    }
  }

  private mutating func write(list v: Value, _ depth: Int) throws {
    out.append(CopyTag.list)
    write(count: v.listCount)
    for element in ListElements(v) { try write(element, depth + 1) }
  }

  private mutating func write(text v: Value) {
    guard v.byteCount <= CopyTag.longestKnown else { return write(v.utf8, as: CopyTag.text) }
    if let number = known[v.bits] {
      out.append(CopyTag.known)
      return write(count: number)
    }
    known[v.bits] = known.count
    write(v.utf8, as: CopyTag.text)
  }
  private mutating func write(printed v: Value) {
    write(text: machine.heap.string(Printer.text(v, machine, .display)))
  }
  private mutating func write(_ bytes: UnsafeBufferPointer<UInt8>, as tag: UInt8) {
    out.append(tag)
    write(count: bytes.count)
    out.append(bytes)
  }
  private mutating func write(integer i: Int) {
    out.append(CopyTag.integer)
    write(varint: UInt64(bitPattern: Int64(i << 1 ^ i >> (Int.bitWidth - 1))))
  }
  private mutating func write(count: Int) { write(varint: UInt64(count)) }
  private mutating func write(varint: UInt64) {
    var rest = varint
    while rest >= 0x80 {
      out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    out.append(UInt8(rest))
  }
}

private struct CopyReader {
  private struct Malformed: Error {}

  private let input: UnsafeBufferPointer<UInt8>
  private let machine: Machine
  private let heap: Heap
  private var at = 0
  private var known: [Value] = []

  init(_ input: UnsafeBufferPointer<UInt8>, _ machine: Machine) {
    self.input = input
    self.machine = machine
    heap = machine.heap
  }

  mutating func run() throws -> Value {
    do {
      let v = try value(0)
      guard at == input.count else { throw Malformed() }
      return v
    } catch is Malformed {
      throw machine.error("bytevector->value: these are not the bytes of a value, from byte \(at) on")
    }
  }

  private mutating func value(_ depth: Int) throws -> Value {
    let tag = try byte()
    switch tag {
    case CopyTag.null: return .nil
    case CopyTag.yes: return .true
    case CopyTag.no: return .false
    case CopyTag.integer:
      let bits = try varint()
      return heap.int(Int(bitPattern: UInt(bits >> 1)) ^ -Int(bits & 1))
    case CopyTag.float:
      var bits: UInt64 = 0
      for shift in stride(from: UInt64(0), to: 64, by: 8) { bits |= UInt64(try byte()) << shift }
      return heap.double(Double(bitPattern: bits))
    case CopyTag.text, CopyTag.known: return try text(tag)
    case CopyTag.symbol: return heap.symbol(try utf8())
    case CopyTag.keyword: return heap.keyword(try utf8())
    case CopyTag.bytes: return heap.allocate(object: Bytevector(Array(try run(of: count()))))
    case CopyTag.list:
      var elements: [Value] = []
      let n = try count(inside: depth)
      elements.reserveCapacity(n)
      for _ in 0..<n { elements.append(try value(depth + 1)) }
      return heap.list(elements)
    case CopyTag.dict:
      let n = try count(inside: depth)
      let made = heap.dict(capacity: n)
      for _ in 0..<n {
        let key = try text(try byte())
        try machine.set(made, key, try value(depth + 1))
      }
      return made
    default: throw Malformed()
    }
  }

  private mutating func text(_ tag: UInt8) throws -> Value {
    if tag == CopyTag.known {
      let number = try varint()
      guard number < known.count else { throw Malformed() }
      return known[Int(number)]
    }
    guard tag == CopyTag.text else { throw Malformed() }
    let bytes = try utf8()
    guard bytes.count <= CopyTag.longestKnown else { return heap.string(bytes) }
    let v = heap.ownString(bytes)
    known.append(v)
    return v
  }

  private mutating func utf8() throws -> UnsafeBufferPointer<UInt8> {
    let bytes = try run(of: count())
    if let base = bytes.baseAddress, Bytes.validScalarCount(base, bytes.count) == nil { throw Malformed() }
    return bytes
  }
  private mutating func run(of n: Int) throws -> UnsafeBufferPointer<UInt8> {
    defer { at += n }
    return UnsafeBufferPointer(rebasing: input[at..<(at + n)])
  }
  /// How many bytes or parts follow. Each part has at least one byte, so there are never more than bytes are left.
  private mutating func count() throws -> Int {
    let n = try varint()
    guard n <= UInt64(input.count - at) else { throw Malformed() }
    return Int(n)
  }
  private mutating func count(inside depth: Int) throws -> Int {
    guard depth < CopyTag.deepest else { throw Malformed() }
    let n = try count()
    try machine.charge(8 + n, holding: 16 * n)
    return n
  }
  private mutating func byte() throws -> UInt8 {
    guard at < input.count else { throw Malformed() }
    defer { at += 1 }
    return input[at]
  }
  private mutating func varint() throws -> UInt64 {
    var result: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      let byte = try byte()
      result |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return result }
    }
    throw Malformed()
  }
}

extension NativeTable {
  mutating func installCopies() {
    add("value->bytevector", required("value"), doc: "Data as bytes of which bytevector->value makes the same data, in this interpreter or in another one of the same program. Numbers other than integers and floats, and whatever is no data, become their text.", example: "(bytevector->value (value->bytevector {:a (list 1 2.5 nil)})) → {:a (1 2.5 nil)}") { m, args in
      var writer = CopyWriter(m)
      try writer.write(args[0])
      return m.heap.allocate(object: Bytevector(Array(writer.out.written)))
    }
    add("bytevector->value", required("bytes", .bytevector), doc: "The data that value->bytevector has made these bytes of; an error when they are none.", example: "(bytevector->value (value->bytevector \"é\")) → \"é\"") { m, args in
      guard let bytes = args[0].object(as: Bytevector.self)?.bytes else { throw m.wrongType("bytevector->value", 1, "bytevector", args[0]) }
      return try bytes.withUnsafeBufferPointer { bytes in
        var reader = CopyReader(bytes, m)
        return try reader.run()
      }
    }
  }
}
