/// What the records of one kind have in common: a type of `define-record-type`, or one constructor of a `define-type`.
///
/// Lives as long as the machine. Records name it by its number, so that the collector need not know it.
final class RecordType: Sendable {
  let number: Int
  let name: String
  /// What `type-of` says: constructors of one `define-type` share it.
  let family: String
  /// The same for all constructors of one `define-type`.
  let familyNumber: Int
  let fields: [String]
  /// Made by `define-type`: printed as the call that makes it.
  let isVariant: Bool
  /// The symbol of the name, for `match`.
  let symbol: Value

  init(number: Int, name: String, family: String, familyNumber: Int, fields: [String], isVariant: Bool, symbol: Value) {
    self.number = number
    self.name = name
    self.family = family
    self.familyNumber = familyNumber
    self.fields = fields
    self.isVariant = isVariant
    self.symbol = symbol
  }

  /// Why a constructor with so many fields does not take so many arguments.
  static func arityMessage(_ name: String, _ fields: Int, _ given: Int, isVariant: Bool) -> String {
    "\(name): expected \(fields) \(isVariant ? "args" : fields == 1 ? "argument" : "arguments"), got \(given)"
  }
}

/// What a native does that only reads a field of a record, or changes it. Its cell says so as well, so that the machine's loop can do it without a call
/// of Swift: header byte 3 is 1 and byte 2 the number of arguments, word 2 the number of the type, word 3 which word of the record the field is.
struct FieldAccess: Sendable {
  let type: Int
  let field: Int
  let isModifier: Bool

  var headerBits: UInt64 { UInt64(isModifier ? 2 : 1) &<< 16 | 1 &<< 24 }
}

extension Value {
  /// One comparison checks "only accesses a field" and "takes exactly n arguments".
  @inline(__always) func isFieldAccess(arity n: UInt8) -> Bool {
    isCell && UInt32(truncatingIfNeeded: header) &>> 8 == UInt32(Kind.native.rawValue) | UInt32(n) &<< 8 | 1 &<< 16
  }
  @inline(__always) var fieldWord: Int { Int(truncatingIfNeeded: cell[3]) }
  @inline(__always) func isRecord(of access: Value) -> Bool { isKind(.record) && cell[1] == access.cell[2] }

  var recordTypeNumber: Int { word(1).fixValue }
  @inline(__always) func field(_ i: Int) -> Value { word(2 &+ i) }
  @inline(__always) func setField(_ i: Int, _ v: Value) { setWord(2 &+ i, v) }
}

extension Heap {
  static let mostFields = Heap.largestClass - 2

  /// A record whose fields are nil.
  func record(_ type: RecordType) -> Value {
    let n = type.fields.count
    let cell = allocateLarge(words: 2 &+ n, header: Kind.record.header(length: n))
    cell[1] = Value.fix(type.number).bits
    for i in 0..<n { cell[2 &+ i] = Value.nil.bits }
    return Value(cell)
  }
}

extension Machine {
  func recordType(of v: Value) -> RecordType { recordTypes[v.recordTypeNumber] }

  func makeRecordType(name: String, family: String, familyNumber: Int? = nil, fields: [String], isVariant: Bool) throws -> RecordType {
    guard fields.count <= Heap.mostFields else { throw error("\(name): a record has at most \(Heap.mostFields) fields, got \(fields.count)") }
    let number = recordTypes.count
    let type = RecordType(number: number, name: name, family: family, familyNumber: familyNumber ?? number, fields: fields, isVariant: isVariant, symbol: heap.symbol(name))
    recordTypes.append(type)
    return type
  }
}
