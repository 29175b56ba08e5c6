/// One machine word that holds any SX value.
///
/// | low bits | meaning |
/// |---|---|
/// | `…1` | a 63-bit integer, shifted left by one |
/// | `…10` | a double whose exponent is in the middle range, see `inlineDouble` |
/// | `…100` | an immediate: nil, false, true, the unbound mark, the end of a list |
/// | `…000` | the address of a heap cell |
///
/// Integers beyond 63 bits and doubles with rare exponents are boxed in a cell; only slow paths ever see those.
/// A `Value` counts no references: the collector finds what is alive, and it runs only at safepoints of the
/// machine, so Swift code between two safepoints may hold values freely.
struct Value: BitwiseCopyable, Equatable, Sendable {
  var bits: UInt64
  @inline(__always) init(bits: UInt64) { self.bits = bits }

  // MARK: Immediates

  @inline(__always) static var `nil`: Value { Value(bits: 0x04) }
  @inline(__always) static var `false`: Value { Value(bits: 0x0C) }
  @inline(__always) static var `true`: Value { Value(bits: 0x14) }
  /// A global without a value. Never visible to SX code.
  @inline(__always) static var unbound: Value { Value(bits: 0x1C) }
  /// The end of a chain of pairs. Inside lists only; SX code gets a fresh empty list in its place, so that `append!` finds an identity.
  @inline(__always) static var end: Value { Value(bits: 0x24) }

  /// What reading a port gives at its end.
  static var endOfFile: Value { Value(bits: 0x34) }

  @inline(__always) static func bool(_ b: Bool) -> Value { Value(bits: b ? 0x14 : 0x0C) }
  @inline(__always) var isNil: Bool { bits == 0x04 }
  /// Only nil and false are false: one mask, one comparison.
  @inline(__always) var isFalsy: Bool { bits & ~8 == 0x04 }
  @inline(__always) var isBool: Bool { bits == 0x0C || bits == 0x14 }

  // MARK: Integers

  /// Wraps an integer that is known to fit 63 bits.
  @inline(__always) static func fix(_ i: Int) -> Value { Value(bits: UInt64(bitPattern: Int64(i) &<< 1) | 1) }
  @inline(__always) static func fits(_ i: Int) -> Bool { (i &<< 1) &>> 1 == i }
  @inline(__always) var isFix: Bool { bits & 1 != 0 }
  @inline(__always) var fixValue: Int { Int(truncatingIfNeeded: Int64(bitPattern: bits) &>> 1) }
  @inline(__always) static func bothFix(_ a: Value, _ b: Value) -> Bool { a.bits & b.bits & 1 != 0 }

  // Arithmetic on the tagged bits; the flag reports overflow of 63 bits. Valid only when both are fixnums.
  @inline(__always) static func fixAdd(_ a: Value, _ b: Value) -> (Value, Bool) {
    let (r, o) = Int64(bitPattern: a.bits).addingReportingOverflow(Int64(bitPattern: b.bits &- 1))
    return (Value(bits: UInt64(bitPattern: r)), o)
  }
  @inline(__always) static func fixSub(_ a: Value, _ b: Value) -> (Value, Bool) {
    let (r, o) = Int64(bitPattern: a.bits).subtractingReportingOverflow(Int64(bitPattern: b.bits &- 1))
    return (Value(bits: UInt64(bitPattern: r)), o)
  }
  @inline(__always) static func fixAdd(_ a: Value, immediate: Int) -> (Value, Bool) {
    let (r, o) = Int64(bitPattern: a.bits).addingReportingOverflow(Int64(immediate) &<< 1)
    return (Value(bits: UInt64(bitPattern: r)), o)
  }
  @inline(__always) static func fixMul(_ a: Value, _ b: Value) -> (Value, Bool) {
    let (r, o) = Int64(a.fixValue).multipliedReportingOverflow(by: Int64(bitPattern: b.bits &- 1))
    return (Value(bits: UInt64(bitPattern: r) | 1), o)
  }
  @inline(__always) static func fixLess(_ a: Value, _ b: Value) -> Bool { Int64(bitPattern: a.bits) < Int64(bitPattern: b.bits) }
  @inline(__always) static func fixLessOrEqual(_ a: Value, _ b: Value) -> Bool { Int64(bitPattern: a.bits) <= Int64(bitPattern: b.bits) }

  // MARK: Doubles

  /// Adding 1 to the upper three bits of the exponent turns 011 and 100, the middle range, into 100 and 101; rotated down, their first two
  /// bits are the tag. So one addition and one rotation encode and decode, and the test for the tag is the test for the range.
  private static var exponentOffset: UInt64 { 1 &<< 60 }

  /// A double that is not boxed.
  @inline(__always) var isFlo: Bool { bits & 3 == 2 }
  /// Asks of both at once.
  @inline(__always) static func bothFlo(_ a: Value, _ b: Value) -> Bool { ((a.bits ^ 2) | (b.bits ^ 2)) & 3 == 0 }
  /// The inline form, or nil when the exponent is so rare that the double has to be boxed. Zero is such a one.
  @inline(__always) static func inlineDouble(_ d: Double) -> Value? {
    let shifted = d.bitPattern &+ exponentOffset
    let v = Value(bits: shifted &<< 3 | shifted &>> 61)
    return v.isFlo ? v : nil
  }
  @inline(__always) var floValue: Double { Double(bitPattern: (bits &>> 3 | bits &<< 61) &- Value.exponentOffset) }

  // MARK: Cells

  @inline(__always) var isCell: Bool { bits & 7 == 0 }
  @inline(__always) var cell: Cell { Cell(bitPattern: UInt(bits)).unsafelyUnwrapped }
  @inline(__always) init(_ cell: Cell) { bits = UInt64(UInt(bitPattern: cell)) }
  @inline(__always) var header: UInt64 { cell.pointee }
  @inline(__always) func isKind(_ k: Kind) -> Bool { isCell && UInt8(truncatingIfNeeded: header &>> 8) == k.rawValue }
  /// The kind of a cell; `.free` for values that are no cells.
  @inline(__always) var kind: Kind { isCell ? Kind(header: header) : .free }
  @inline(__always) func word(_ i: Int) -> Value { Value(bits: cell[i]) }
  @inline(__always) func setWord(_ i: Int, _ v: Value) { cell[i] = v.bits }
  /// The upper half of the header: elements of a list, scalars of a string, entries of a dict.
  @inline(__always) var length: Int { Int(truncatingIfNeeded: header &>> 32) }
}

/// A heap cell: a header word and its payload words.
typealias Cell = UnsafeMutablePointer<UInt64>

/// What a cell holds.
///
/// Header word: bit 0 mark, bit 7 "owns memory or a Swift object outside the slab", byte 1 kind, bytes 2–3 per kind, upper half length.
enum Kind: UInt8 {
  case free = 0
  /// An element and the rest of the list. Immutable. Byte 2 = 1: read from source, words 3–4 hold spans (see `SourceSpan`).
  case pair
  /// An immutable run of a `storage`: word 1 the storage, word 2 the first index (fixnum).
  case slice
  /// A list that was changed in place: word 1 its storage, word 2 what the cell was before, for pairs that have it as their rest.
  case mutableList
  /// Values in memory outside the slab: word 1 address, word 2 capacity; byte 2 = 1: slices share it, so elements must not be overwritten.
  case storage
  /// Word 1 entry point, then the captured values. Byte 2 arity (255 = takes the slow path), bytes 4–5 frame size, bytes 6–7 count of captures.
  case closure
  /// A captured variable that is assigned: word 1 its value.
  case box
  case int, double
  /// Word 1 byte count and hash; bytes inline, or outside when byte 2 is 1.
  case string
  /// Interned texts, laid out as a string; a symbol's length is the index of its global plus one, see `InternTable`.
  case symbol, keyword
  /// Word 1 an unretained `Native`, which lives as long as the machine. Those that read or change a field of a record: see `FieldAccess`.
  case native
  /// Byte 2 the representation, see `Dictionary.swift`.
  case dict, entries, node
  /// Word 1 a retained `Code`.
  case code
  /// An entry of the handler stack, see `Dynamics.swift`.
  case handler
  /// Word 1 a retained `HeapObject`: everything rare.
  case object
  /// Words 1 and 2: a reduced fraction, see `Rational.swift`.
  case rational
  /// Word 1 the number of its `RecordType`, then its fields; the length counts them.
  case record

  @inline(__always) init(header: UInt64) {
    self = Kind.of(UInt8(truncatingIfNeeded: header &>> 8))
  }
  @inline(__always) private static func of(_ raw: UInt8) -> Kind { unsafeBitCast(raw, to: Kind.self) }
  /// The header of a fresh cell of this kind.
  @inline(__always) var header: UInt64 { UInt64(rawValue) &<< 8 }
  @inline(__always) func header(length: Int) -> UInt64 { UInt64(rawValue) &<< 8 | UInt64(truncatingIfNeeded: length) &<< 32 }
}

extension UInt64 {
  /// Header bit: the cell owns memory or a Swift object that has to be released when the cell dies.
  @inline(__always) static var ownsHeaderBit: UInt64 { 0x80 }
  /// Header byte 2 set to 1.
  @inline(__always) static var variantHeaderBit: UInt64 { 0x1_0000 }
}

/// The parts of an object between two brackets. A blank stands between the parts, and in front of the first one unless `open` ends with `(`.
struct PrintedForm {
  let open: String
  let parts: [Value]
  let close: String
}

/// Something rare that lives on the SX heap as an ordinary Swift object: rings, parameters, errors, fibers, host objects.
class HeapObject {
  /// What `type-of` says.
  var typeName: String { "object" }
  /// What the printer shows.
  func describe(_ machine: Machine) -> String { "#<\(typeName)>" }
  /// Deep equality. Objects are equal to themselves only, unless their class says otherwise.
  func isEqual(to other: HeapObject) -> Bool { self === other }
  /// What the object holds, in order, for objects that are deeply equal when their classes and elements are; nil for all others.
  var elements: [Value]? { nil }
  /// For objects whose `isEqual` compares content: a hash of that. nil: the identity counts.
  var contentHash: Int? { nil }
  /// How the printer shows an object that holds values; nil: `describe` says all.
  var printedForm: PrintedForm? { nil }
  /// Marks every value the object holds.
  func trace(_ marker: inout Marker) {}
  /// Memory held outside the slabs, in bytes; counted towards the next collection.
  var externalBytes: Int { 64 }
}

extension Value {
  /// The Swift object of an `object` cell. The cell must be alive.
  @inline(__always) var object: HeapObject {
    Unmanaged<HeapObject>.fromOpaque(UnsafeRawPointer(bitPattern: UInt(cell[1])).unsafelyUnwrapped).takeUnretainedValue()
  }
  /// The object when the value holds one of class `T`.
  @inline(__always) func object<T: HeapObject>(as type: T.Type) -> T? {
    guard isKind(.object) else { return nil }
    let object = self.object
    // Nearly always the class itself is asked for; one comparison instead of a call of the runtime.
    return Swift.type(of: object) == type ? unsafeDowncast(object, to: type) : object as? T
  }
  /// What `body` makes of the object when the value holds one of class `T`. Nobody counts a reference, which takes two locked operations of memory: the cell
  /// holds the object, and must be reachable while `body` runs.
  @inline(__always) func borrowing<T: HeapObject, R>(_ type: T.Type, _ body: (T) throws -> R) rethrows -> R? {
    guard isKind(.object) else { return nil }
    return try Unmanaged<HeapObject>.fromOpaque(UnsafeRawPointer(bitPattern: UInt(cell[1])).unsafelyUnwrapped)._withUnsafeGuaranteedRef { object in
      if Swift.type(of: object) == type { return try body(unsafeDowncast(object, to: type)) }
      return try (object as? T).map(body)
    }
  }
  @inline(__always) var native: Native { unmanagedNative.takeUnretainedValue() }
  /// The same for a call, which need not count a reference: the machine keeps its natives.
  @inline(__always) var unmanagedNative: Unmanaged<Native> {
    Unmanaged<Native>.fromOpaque(UnsafeRawPointer(bitPattern: UInt(cell[1])).unsafelyUnwrapped)
  }
}
