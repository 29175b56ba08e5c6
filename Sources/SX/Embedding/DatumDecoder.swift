/// Makes `Decodable` values of plain data, and of values of an interpreter without copying what nobody asks for. The reverse of `DatumEncoder`: what is nil or
/// missing is an optional without a value, symbols and keywords are taken for strings.
///
/// ```swift
/// struct Order: Codable { var article: String, count: Int? }
/// let order = try sx.evaluate("{:article \"cup\"}").decoded(as: Order.self)
/// ```
///
/// A value type without state. O(what is asked for).
public struct DatumDecoder: Sendable {
  /// There is nothing to set.
  public init() {}

  /// - Throws: `DecodingError` with the coding path, and both types when one is not as expected.
  public func decode<T: Decodable>(_ type: T.Type = T.self, from datum: Datum) throws -> T { try decoded(type, datum, []) }
  /// The same for a value of an interpreter.
  public func decode<T: Decodable>(_ type: T.Type = T.self, from handle: Handle) throws -> T { try decoded(type, handle, []) }
}

extension Handle {
  /// The value as a `Decodable` type.
  ///
  /// - Throws: `DecodingError` with the coding path.
  public func decoded<T: Decodable>(as type: T.Type = T.self) throws -> T { try DatumDecoder().decode(type, from: self) }
}

extension Interpreter {
  /// Copies an `Encodable` value into the interpreter.
  ///
  /// - Throws: `EncodingError` with the coding path.
  public func makeHandle(encoding value: some Encodable) throws -> Handle { makeHandle(try DatumEncoder().encode(value)) }
}

/// A `Codable` type that goes in and out as plain data. Conforming to it is enough to make it a parameter and a result.
///
/// ```swift
/// struct Point: SXCodable { var x: Double, y: Double }
/// sx.define("mirror") { (p: Point) in Point(x: p.y, y: p.x) }
/// ```
public protocol SXCodable: DatumConvertible, Codable {}

extension SXCodable {
  public static var sxTypeName: String { "\(Self.self)".lowercased() }
  public static func from(_ handle: Handle) -> Self? { try? handle.decoded(as: Self.self) }
  /// Traps when the type's own encoding fails.
  public func datum() -> Datum {
    do { return try DatumEncoder().encode(self) } catch { preconditionFailure("\(Self.self) cannot be encoded: \(error)") }
  }
}

/// What a decoder looks at.
private protocol Source {
  associatedtype Elements: Sequence<Self>
  var isNil: Bool { get }
  var asBool: Bool? { get }
  var asInteger: Int? { get }
  var asNumber: Double? { get }
  var asText: String? { get }
  var asElements: Elements? { get }
  /// The keys of a dict, nil for everything else.
  var keys: [String]? { get }
  func value(_ key: String) -> Self?
  func asDatum() throws -> Datum
  var shownType: String { get }
}

extension Datum: Source {
  var isNil: Bool { isNull }
  var asBool: Bool? { bool }
  var asInteger: Int? { integer }
  var asNumber: Double? { number }
  var asText: String? { string }
  var asElements: [Datum]? { bytes?.map { .integer(Int($0)) } ?? list }
  var keys: [String]? { dict?.entries.map(\.key) }
  func value(_ key: String) -> Datum? { self[key] }
  func asDatum() throws -> Datum { self }
  var shownType: String {
    switch self {
    case .null: "nil"
    case .bool: "boolean"
    case .integer, .float: "number"
    case .string: "string"
    case .symbol: "symbol"
    case .keyword: "keyword"
    case .bytes: "bytevector"
    case .list: "list"
    case .dict: "dict"
    }
  }
}

extension Handle: Source {
  var asBool: Bool? { value.isBool ? isTrue : nil }
  var asInteger: Int? { integer }
  var asNumber: Double? { Arithmetic.number(value) }
  var asText: String? { value.isString || value.isKind(.symbol) || value.isKind(.keyword) ? value.text : value.isCharacter ? String(Character(value.scalar)) : nil }
  var asElements: AnySequence<Handle>? {
    if let list { return AnySequence(list) }
    return value.object(as: Bytevector.self).map { bytes in AnySequence(bytes.bytes.lazy.map { [interpreter] in Handle(interpreter, .fix(Int($0))) }) }
  }
  var keys: [String]? { value.isDict ? interpreter.machine.heap.entries(of: value).map(\.key.text) : nil }
  func value(_ key: String) -> Handle? { self[key] }
  func asDatum() throws -> Datum { try datum() }
  var shownType: String { typeName }
}

private func decoded<T: Decodable>(_ type: T.Type, _ source: some Source, _ path: [any CodingKey]) throws -> T {
  if type == Datum.self { return try unwrapped(try source.asDatum() as? T, source, "data", path) }
  return try T(from: SourceDecoder(source: source, codingPath: path))
}

private func unwrapped<T>(_ value: T?, _ source: some Source, _ expected: String, _ path: [any CodingKey]) throws -> T {
  if let value { return value }
  let context = DecodingError.Context(codingPath: path, debugDescription: "expected \(expected), got \(source.shownType)")
  throw source.isNil ? DecodingError.valueNotFound(T.self, context) : DecodingError.typeMismatch(T.self, context)
}

private func fixed<T: FixedWidthInteger>(_ type: T.Type, _ source: some Source, _ path: [any CodingKey]) throws -> T {
  let integer = try unwrapped(source.asInteger, source, "integer", path)
  guard let value = T(exactly: integer) else {
    throw DecodingError.dataCorrupted(DecodingError.Context(codingPath: path, debugDescription: "\(integer) does not fit \(T.self)"))
  }
  return value
}

private struct SourceDecoder<S: Source>: Decoder {
  let source: S
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    let keys = try unwrapped(source.keys, source, "dict", codingPath)
    return KeyedDecodingContainer(DictSource<S, Key>(source: source, keys: keys, codingPath: codingPath))
  }
  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    // An optional list has been asked for before; nil is no list here, so that it is not mistaken for an empty one.
    let elements = source.isNil ? nil : source.asElements
    return ListSource(elements: Array(try unwrapped(elements, source, "list", codingPath)), codingPath: codingPath)
  }
  func singleValueContainer() -> any SingleValueDecodingContainer { SingleSource(source: source, codingPath: codingPath) }
}

private struct SingleSource<S: Source>: SingleValueDecodingContainer {
  let source: S
  let codingPath: [any CodingKey]

  func decodeNil() -> Bool { source.isNil }
  func decode(_ type: Bool.Type) throws -> Bool { try unwrapped(source.asBool, source, "boolean", codingPath) }
  func decode(_ type: String.Type) throws -> String { try unwrapped(source.asText, source, "string", codingPath) }
  func decode(_ type: Double.Type) throws -> Double { try unwrapped(source.asNumber, source, "number", codingPath) }
  func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }
  func decode(_ type: Int.Type) throws -> Int { try unwrapped(source.asInteger, source, "integer", codingPath) }
  func decode(_ type: Int8.Type) throws -> Int8 { try fixed(type, source, codingPath) }
  func decode(_ type: Int16.Type) throws -> Int16 { try fixed(type, source, codingPath) }
  func decode(_ type: Int32.Type) throws -> Int32 { try fixed(type, source, codingPath) }
  func decode(_ type: Int64.Type) throws -> Int64 { try fixed(type, source, codingPath) }
  func decode(_ type: UInt.Type) throws -> UInt { try fixed(type, source, codingPath) }
  func decode(_ type: UInt8.Type) throws -> UInt8 { try fixed(type, source, codingPath) }
  func decode(_ type: UInt16.Type) throws -> UInt16 { try fixed(type, source, codingPath) }
  func decode(_ type: UInt32.Type) throws -> UInt32 { try fixed(type, source, codingPath) }
  func decode(_ type: UInt64.Type) throws -> UInt64 { try fixed(type, source, codingPath) }
  func decode<T: Decodable>(_ type: T.Type) throws -> T { try decoded(type, source, codingPath) }
}

private struct ListSource<S: Source>: UnkeyedDecodingContainer {
  let elements: [S]
  let codingPath: [any CodingKey]
  var currentIndex = 0

  init(elements: [S], codingPath: [any CodingKey]) {
    self.elements = elements
    self.codingPath = codingPath
  }

  var count: Int? { elements.count }
  var isAtEnd: Bool { currentIndex >= elements.count }
  private var path: [any CodingKey] { codingPath + [PositionKey(currentIndex)] }

  private func current<T>(_ type: T.Type) throws -> S {
    guard !isAtEnd else { throw DecodingError.valueNotFound(type, DecodingError.Context(codingPath: path, debugDescription: "the list has only \(elements.count) elements")) }
    return elements[currentIndex]
  }

  mutating func decodeNil() throws -> Bool {
    guard try current(Never.self).isNil else { return false }
    currentIndex += 1
    return true
  }
  mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
    let value = try decoded(type, try current(type), path)
    currentIndex += 1
    return value
  }
  mutating func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> { try superDecoder().container(keyedBy: type) }
  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try superDecoder().unkeyedContainer() }
  mutating func superDecoder() throws -> any Decoder {
    defer { currentIndex += 1 }
    return SourceDecoder(source: try current((any Decoder).self), codingPath: path)
  }
}

private struct PositionKey: CodingKey {
  let intValue: Int?
  var stringValue: String { "Index \(intValue ?? 0)" }
  init(_ index: Int) { intValue = index }
  init?(intValue: Int) { self.intValue = intValue }
  init?(stringValue: String) { nil }
}

private struct DictSource<S: Source, Key: CodingKey>: KeyedDecodingContainerProtocol {
  let source: S
  let keys: [String]
  let codingPath: [any CodingKey]

  var allKeys: [Key] { keys.compactMap(Key.init(stringValue:)) }
  func contains(_ key: Key) -> Bool { source.value(key.stringValue) != nil }

  private func value(_ key: Key) throws -> S {
    if let value = source.value(key.stringValue) { return value }
    let near = Suggestion.near(key.stringValue, globalNames: keys).map { "; " + $0 } ?? ""
    throw DecodingError.keyNotFound(key, DecodingError.Context(codingPath: codingPath, debugDescription: "no value under :\(key.stringValue)\(near)"))
  }

  func decodeNil(forKey key: Key) throws -> Bool { try value(key).isNil }
  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try decoded(type, try value(key), codingPath + [key]) }
  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) throws -> KeyedDecodingContainer<Nested> { try superDecoder(forKey: key).container(keyedBy: type) }
  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { try superDecoder(forKey: key).unkeyedContainer() }
  func superDecoder() throws -> any Decoder { SourceDecoder(source: source.value("super") ?? source, codingPath: codingPath) }
  func superDecoder(forKey key: Key) throws -> any Decoder { SourceDecoder(source: try value(key), codingPath: codingPath + [key]) }
}

/// Data within data goes through as it is; other coders see nil, booleans, numbers, strings, lists and dicts.
extension Datum: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let bool = try? container.decode(Bool.self) {
      self = .bool(bool)
    } else if let integer = try? container.decode(Int.self) {
      self = .integer(integer)
    } else if let float = try? container.decode(Double.self) {
      self = .float(float)
    } else if let string = try? container.decode(String.self) {
      self = .string(string)
    } else if let list = try? container.decode([Datum].self) {
      self = .list(list)
    } else {
      var dict = DatumDictionary()
      for (key, value) in try container.decode([String: Datum].self) { dict[key] = value }
      self = .dict(dict)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let bool): try container.encode(bool)
    case .integer(let integer): try container.encode(integer)
    case .float(let float): try container.encode(float)
    case .string(let text), .symbol(let text), .keyword(let text): try container.encode(text)
    case .bytes(let bytes): try container.encode(bytes)
    case .list(let list): try container.encode(list)
    case .dict(let dict): try container.encode(Dictionary(dict.entries.map { ($0.key, $0.value) }) { _, new in new })
    }
  }
}
