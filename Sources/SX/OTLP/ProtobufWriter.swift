/// Writes the dict of a message of OTLP, shaped as its JSON encoding, as it stands on the wire.
///
/// Fields are written in the order of the schema. A name that the message does not have is an error: it would be lost.
struct ProtobufWriter: ~Copyable {
  private let machine: Machine
  private var out = ByteWriter(capacity: 4096)

  init(_ machine: Machine) { self.machine = machine }

  mutating func encode(_ dict: Value, _ message: ProtobufMessage) throws -> [UInt8] {
    try write(dict, message, depth: 1)
    return Array(out.written)
  }

  private mutating func write(_ dict: Value, _ message: ProtobufMessage, depth: Int) throws {
    guard depth <= ProtobufReader.deepest else { throw machine.error("otlp/encode-protobuf: messages are nested deeper than \(ProtobufReader.deepest) levels") }
    guard dict.isDict else { throw machine.error("otlp/encode-protobuf: expected the dict of a message, got \(machine.shown(dict))") }
    var known = 0
    for field in message.fields {
      guard let value = machine.heap.get(dict, machine.heap.constantString(field.name)) else { continue }
      known += 1
      // As in JSON, null is a field that is not there.
      if value.isNil { continue }
      if field.isRepeated { try writeElements(value, field, depth) } else { try writeOne(value, field, depth) }
    }
    if known < dict.length { throw unknownField(dict, message) }
  }

  private func unknownField(_ dict: Value, _ message: ProtobufMessage) -> Raise {
    let names = message.fields.map { "\($0.name)" }
    let unknown = machine.heap.entries(of: dict).map(\.key.text).first { !names.contains($0) } ?? ""
    return machine.error("otlp/encode-protobuf: \(message) has no field \(unknown)", hint: "it has \(names.joined(separator: ", "))")
  }

  private mutating func writeOne(_ value: Value, _ field: ProtobufField, _ depth: Int) throws {
    let start = out.count
    tag(field, field.kind.wireType)
    if case .message(let inner) = field.kind {
      try writeBlock { (writer) throws in try writer.write(value, inner, depth: depth + 1) }
    } else if try !scalar(value, field), !field.hasPresence {
      // The default value goes without saying.
      out.truncate(to: start)
    }
  }

  private mutating func writeElements(_ value: Value, _ field: ProtobufField, _ depth: Int) throws {
    guard value.isListOrNil else { throw mismatch(value, field, "a list") }
    if case .message(let inner) = field.kind {
      for element in ListElements(value) {
        tag(field, .bytes)
        try writeBlock { (writer) throws in try writer.write(element, inner, depth: depth + 1) }
      }
    } else if field.kind.wireType == .bytes {
      for element in ListElements(value) {
        tag(field, .bytes)
        _ = try scalar(element, field)
      }
    } else if value.listCount > 0 {
      // Repeated numbers are packed.
      tag(field, .bytes)
      try writeBlock { (writer) throws in
        for element in ListElements(value) { _ = try writer.scalar(element, field) }
      }
    }
  }

  /// Writes what `body` writes, with its length in front.
  private mutating func writeBlock(_ body: (inout ProtobufWriter) throws -> Void) throws {
    let start = out.count
    out.append(0)
    try body(&self)
    let count = out.count - start - 1
    let width = Varint.width(UInt64(count))
    out.insertGap(width - 1, at: start + 1)
    Varint.write(UInt64(count), out.bytes + start)
  }

  private mutating func tag(_ field: ProtobufField, _ wire: WireType) { varint(UInt64(field.number << 3) | UInt64(wire.rawValue)) }

  // MARK: Values

  /// - Returns: whether it is another value than the default.
  private mutating func scalar(_ value: Value, _ field: ProtobufField) throws -> Bool {
    switch field.kind {
    case .string:
      guard value.isText else { throw mismatch(value, field, "a string") }
      varint(UInt64(value.byteCount))
      out.append(value.utf8)
      return value.byteCount > 0
    case .hex:
      guard value.isString, let bytes = Hexadecimal.decode(value.utf8) else { throw mismatch(value, field, "hex digits") }
      return block(bytes)
    case .base64:
      guard let bytes = value.object(as: Bytevector.self)?.bytes ?? (value.isString ? Base64.decode(value.utf8) : nil) else { throw mismatch(value, field, "base64") }
      return block(bytes)
    case .bool:
      guard value.isBool else { throw mismatch(value, field, "a boolean") }
      out.append(value == .true ? 1 : 0)
      return value == .true
    case .int32, .sint32:
      guard let i = OTLPInteger.signed(value), let narrow = Int32(exactly: i) else { throw mismatch(value, field, "an integer of 32 bits") }
      if case .sint32 = field.kind {
        varint(UInt64(UInt32(bitPattern: narrow << 1 ^ narrow >> 31)))
      } else {
        varint(UInt64(bitPattern: Int64(narrow)))
      }
      return i != 0
    case .uint32, .fixed32:
      guard let i = OTLPInteger.signed(value), let narrow = UInt32(exactly: i) else { throw mismatch(value, field, "an integer of 32 bits that is not negative") }
      if case .fixed32 = field.kind { fixed(narrow) } else { varint(UInt64(narrow)) }
      return i != 0
    case .int64, .sfixed64:
      guard let i = OTLPInteger.signed(value) else { throw mismatch(value, field, "an integer of 64 bits") }
      if case .sfixed64 = field.kind { fixed(UInt64(bitPattern: Int64(i))) } else { varint(UInt64(bitPattern: Int64(i))) }
      return i != 0
    case .uint64, .fixed64:
      guard let u = OTLPInteger.unsigned(value) else { throw mismatch(value, field, "an integer of 64 bits that is not negative") }
      if case .fixed64 = field.kind { fixed(u) } else { varint(u) }
      return u != 0
    case .double:
      guard let d = OTLPDouble.number(value) else { throw mismatch(value, field, "a number") }
      fixed(d.bitPattern)
      return d.bitPattern != 0
    case .message: throw mismatch(value, field, "a scalar")
    }
  }

  private mutating func block(_ bytes: [UInt8]) -> Bool {
    varint(UInt64(bytes.count))
    bytes.withUnsafeBufferPointer { out.append($0) }
    return !bytes.isEmpty
  }

  private mutating func varint(_ u: UInt64) {
    let width = Varint.width(u), at = out.count
    out.insertGap(width, at: at)
    Varint.write(u, out.bytes + at)
  }

  private mutating func fixed<T: FixedWidthInteger>(_ value: T) {
    let at = out.count
    out.insertGap(MemoryLayout<T>.size, at: at)
    UnsafeMutableRawPointer(out.bytes + at).storeBytes(of: value.littleEndian, as: T.self)
  }

  private func mismatch(_ value: Value, _ field: ProtobufField, _ expectation: String) -> Raise {
    machine.error("otlp/encode-protobuf: \(field.name) must be \(expectation), got \(machine.shown(value))")
  }
}

/// Integers of seven bits a byte, the low ones first.
enum Varint {
  static func width(_ u: UInt64) -> Int { max(1, (70 - u.leadingZeroBitCount) / 7) }
  static func write(_ u: UInt64, _ out: UnsafeMutablePointer<UInt8>) {
    var rest = u, at = 0
    while rest >= 0x80 {
      out[at] = UInt8(truncatingIfNeeded: rest) | 0x80
      rest >>= 7
      at += 1
    }
    out[at] = UInt8(rest)
  }
}
