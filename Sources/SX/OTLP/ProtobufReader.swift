/// There is more in an input than its reader was allowed to take.
struct TooLarge: Error {}

/// Reads a message of OTLP off the wire into the dict that reading its JSON encoding gives.
///
/// What is malformed is an error that names the offset: nothing is guessed. Unknown fields are skipped.
struct ProtobufReader: ~Copyable {
  /// Messages inside messages, as in other implementations.
  static let deepest = 100

  private let machine: Machine
  private let p: UnsafePointer<UInt8>
  private let n: Int
  private var i = 0
  private let limit: Int
  /// How many more messages there may be, and texts in lists.
  private var room: Int
  /// How many there were so far.
  var messages: Int { limit - room }
  /// The elements of the repeated fields that are being read.
  private var values: [Value] = []
  /// The names of the fields as strings, made when they are first needed.
  private var keys: [Value]

  /// The bytes must stay alive.
  ///
  /// - Parameter limit: messages and texts in lists, the outermost message counted; reading throws `TooLarge` at one more. An empty message has two bytes on the wire
  ///   and a hundred in memory.
  init(_ bytes: UnsafeBufferPointer<UInt8>, limit: Int, _ machine: Machine) {
    self.machine = machine
    self.limit = limit
    room = limit
    // An empty buffer may have no address; nothing is read through this one.
    p = bytes.baseAddress ?? UnsafePointer(bitPattern: 8).unsafelyUnwrapped
    n = bytes.count
    keys = Array(repeating: .nil, count: ProtobufMessage.allCases.count * ProtobufMessage.fieldLimit)
  }

  mutating func decode(_ message: ProtobufMessage) throws -> Value {
    try read(message, to: n, merging: nil, depth: 1)
  }

  // MARK: Messages

  /// The fields up to `end`. A message that comes twice where one belongs is one message in two parts.
  private mutating func read(_ message: ProtobufMessage, to end: Int, merging earlier: Value?, depth: Int) throws -> Value {
    guard depth <= ProtobufReader.deepest else { throw malformed("messages are nested deeper than \(ProtobufReader.deepest) levels") }
    try takeRoom()
    // Not more than so many bytes are likely to fill.
    let dict = earlier ?? machine.heap.dict(capacity: message.isChoice ? 1 : min(message.fields.count, (end - i) / 4))
    let base = values.count
    var run = 0
    while i < end {
      let start = i
      let tag = try varint(end)
      guard tag >> 3 > 0, tag >> 3 < 1 << 29, let wire = WireType(rawValue: UInt8(tag & 7)) else { throw malformed("this is no tag", at: start) }
      guard let field = message.field(Int(tag >> 3)) else {
        try skip(wire, end)
        continue
      }
      if field.number != run {
        flush(base, run, message, dict)
        run = field.isRepeated ? field.number : 0
      }
      if field.isRepeated {
        try readElements(field, wire, start, end, depth)
      } else {
        try check(field, wire, start)
        let key = key(message, field)
        if case .message(let inner) = field.kind {
          let limit = try length(end)
          let known = message.isChoice ? nil : machine.heap.get(dict, key)
          let value = try read(inner, to: limit, merging: known, depth: depth + 1)
          if message.isChoice { clear(dict) }
          machine.heap.set(dict, key, value)
        } else {
          let value = try scalar(field.kind, end)
          if message.isChoice { clear(dict) }
          machine.heap.set(dict, key, value)
        }
      }
    }
    flush(base, run, message, dict)
    return dict
  }

  private func clear(_ dict: Value) {
    for (key, _) in machine.heap.entries(of: dict) where dict.length > 0 { machine.heap.delete(dict, key) }
  }

  private mutating func key(_ message: ProtobufMessage, _ field: ProtobufField) -> Value {
    let slot = message.rawValue * ProtobufMessage.fieldLimit + field.number
    if keys[slot].isNil { keys[slot] = machine.heap.constantString(field.name) }
    return keys[slot]
  }

  /// Elements of a repeated field mostly follow each other; a field that comes again later adds to its list.
  private mutating func flush(_ base: Int, _ run: Int, _ message: ProtobufMessage, _ dict: Value) {
    guard run > 0, values.count > base, let field = message.field(run) else { return }
    let key = key(message, field), heap = machine.heap
    if let known = heap.get(dict, key) {
      for k in base..<values.count { heap.append(known, values[k]) }
    } else {
      heap.set(dict, key, heap.list(Array(values[base...])))
    }
    values.removeLast(values.count - base)
  }

  private mutating func readElements(_ field: ProtobufField, _ wire: WireType, _ start: Int, _ end: Int, _ depth: Int) throws {
    if case .message(let inner) = field.kind {
      try check(field, wire, start)
      let limit = try length(end)
      values.append(try read(inner, to: limit, merging: nil, depth: depth + 1))
    } else if wire == .bytes, field.kind.wireType != .bytes {
      // Packed: one after the other without tags.
      let limit = try length(end)
      while i < limit { values.append(try scalar(field.kind, limit)) }
    } else {
      try check(field, wire, start)
      // A text takes about as much as a message, however short it is.
      if wire == .bytes { try takeRoom() }
      values.append(try scalar(field.kind, end))
    }
  }

  private mutating func takeRoom() throws {
    room -= 1
    guard room >= 0 else { throw TooLarge() }
  }

  private func check(_ field: ProtobufField, _ wire: WireType, _ at: Int) throws {
    guard wire == field.kind.wireType else { throw malformed("\(field.name) has the wrong wire type \(wire.rawValue)", at: at) }
  }

  // MARK: Values

  private mutating func scalar(_ kind: ProtobufField.Kind, _ end: Int) throws -> Value {
    let heap = machine.heap
    switch kind {
    case .string:
      let start = i, limit = try length(end), count = limit - i
      guard let scalars = Bytes.validScalarCount(p + i, count) else { throw malformed("a string is not UTF-8", at: start) }
      let text = heap.string(p + i, count, scalars: scalars)
      i = limit
      return text
    case .hex:
      let limit = try length(end)
      let text = Hexadecimal.encode(p + i, limit - i, heap)
      i = limit
      return text
    case .base64:
      let limit = try length(end)
      let text = Base64.encode(UnsafeBufferPointer(start: p + i, count: limit - i), heap)
      i = limit
      return text
    case .bool: return .bool(try varint(end) != 0)
    case .int32: return .fix(Int(Int32(truncatingIfNeeded: try varint(end))))
    case .uint32: return .fix(Int(UInt32(truncatingIfNeeded: try varint(end))))
    case .sint32:
      let zigzag = UInt32(truncatingIfNeeded: try varint(end))
      return .fix(Int(Int32(bitPattern: zigzag >> 1) ^ -Int32(bitPattern: zigzag & 1)))
    case .fixed32: return .fix(Int(try fixed(end, as: UInt32.self)))
    case .int64: return decimal(Int(Int64(bitPattern: try varint(end))))
    case .uint64: return decimal(try varint(end))
    case .fixed64: return decimal(try fixed(end, as: UInt64.self))
    case .sfixed64: return decimal(Int(try fixed(end, as: Int64.self)))
    case .double: return OTLPDouble.value(Double(bitPattern: try fixed(end, as: UInt64.self)), heap)
    case .message: throw malformed("a message is no scalar")
    }
  }

  private func decimal(_ i: Int) -> Value {
    let width = Decimal.width(i), text = machine.heap.string(uninitialized: width, scalars: width)
    Decimal.write(i, text.bytes)
    return text
  }
  private func decimal(_ u: UInt64) -> Value {
    if let i = Int(exactly: u) { return decimal(i) }
    return machine.heap.string(String(u))
  }

  // MARK: The wire

  @inline(__always) private mutating func varint(_ end: Int) throws -> UInt64 {
    if i < end, p[i] < 0x80 {
      i &+= 1
      return UInt64(p[i &- 1])
    }
    return try longVarint(end)
  }
  private mutating func longVarint(_ end: Int) throws -> UInt64 {
    let start = i
    var result: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard i < end else { throw malformed("a number is cut off", at: start) }
      let byte = p[i]
      i += 1
      // The tenth byte has room for one bit.
      guard shift < 63 || byte <= 1 else { break }
      result |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return result }
    }
    throw malformed("a number has more than 64 bits", at: start)
  }

  private mutating func fixed<T: FixedWidthInteger>(_ end: Int, as type: T.Type) throws -> T {
    let size = MemoryLayout<T>.size
    guard end - i >= size else { throw malformed("a number is cut off") }
    defer { i += size }
    return T(littleEndian: UnsafeRawPointer(p + i).loadUnaligned(as: T.self))
  }

  /// Where the bytes end whose length comes now.
  private mutating func length(_ end: Int) throws -> Int {
    let start = i
    let count = try varint(end)
    guard count <= UInt64(end - i) else { throw malformed("a length reaches beyond the end", at: start) }
    return i + Int(count)
  }

  private mutating func skip(_ wire: WireType, _ end: Int) throws {
    switch wire {
    case .varint: _ = try varint(end)
    case .fixed64: _ = try fixed(end, as: UInt64.self)
    case .fixed32: _ = try fixed(end, as: UInt32.self)
    case .bytes: i = try length(end)
    case .startGroup, .endGroup: throw malformed("groups are no part of OTLP")
    }
  }

  private func malformed(_ what: String, at offset: Int? = nil) -> Raise {
    machine.error("otlp/decode-protobuf: \(what), at byte \(offset ?? i)")
  }
}
