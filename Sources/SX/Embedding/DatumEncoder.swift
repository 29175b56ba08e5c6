/// Turns `Encodable` values into plain data: structs and dictionaries into dicts, whose keys are what a script writes as keywords; arrays and sets into lists;
/// optionals into nil; an enum's raw value, a `URL` or a `Date` into whatever their own encoding says.
///
/// ```swift
/// struct Point: Codable { var x: Int, label: String? }
/// try DatumEncoder().encode(Point(x: 1, label: nil))      // {:x 1}
/// ```
///
/// A value type without state; may be used by any number of threads. O(size).
public struct DatumEncoder: Sendable {
  /// There is nothing to set.
  public init() {}

  /// - Throws: `EncodingError` with the coding path, for integers that do not fit 64 bits with a sign, and what an `encode(to:)` itself throws.
  public func encode(_ value: some Encodable) throws -> Datum { try DatumEncoder.encoded(value, []) }

  fileprivate static func encoded(_ value: some Encodable, _ path: [any CodingKey]) throws -> Datum {
    if let datum = value as? Datum { return datum }
    let encoder = ValueEncoder(codingPath: path)
    try value.encode(to: encoder)
    return encoder.slot.datum
  }
}

/// A place that containers fill; one that nobody fills is an empty dict, as a struct without properties is.
private final class Slot {
  var build: (() -> Datum)?
  var datum: Datum { build?() ?? .dict([:]) }
  func set(_ datum: Datum) { build = { datum } }
}

private final class ValueEncoder: Encoder {
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }
  let slot: Slot

  init(codingPath: [any CodingKey], slot: Slot = Slot()) {
    self.codingPath = codingPath
    self.slot = slot
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> { KeyedEncodingContainer(DictContainer(fields: fields(), codingPath: codingPath)) }
  func unkeyedContainer() -> any UnkeyedEncodingContainer { ListContainer(items: items(), codingPath: codingPath) }
  func singleValueContainer() -> any SingleValueEncodingContainer { ValueContainer(slot: slot, codingPath: codingPath) }

  func fields() -> Fields {
    let fields = Fields()
    slot.build = { .dict(fields.dict) }
    return fields
  }
  func items() -> Items {
    let items = Items()
    slot.build = { .list(items.slots.map(\.datum)) }
    return items
  }
}

private final class Fields {
  var slots: [(key: String, slot: Slot)] = []
  var dict: DatumDictionary {
    var dict = DatumDictionary()
    for (key, slot) in slots { dict[key] = slot.datum }
    return dict
  }
  func slot(_ key: String) -> Slot {
    let slot = Slot()
    slots.append((key, slot))
    return slot
  }
}

private final class Items {
  var slots: [Slot] = []
  func slot() -> Slot {
    let slot = Slot()
    slots.append(slot)
    return slot
  }
}

private struct IndexKey: CodingKey {
  let intValue: Int?
  var stringValue: String { "Index \(intValue ?? 0)" }
  init(_ index: Int) { intValue = index }
  init?(intValue: Int) { self.intValue = intValue }
  init?(stringValue: String) { nil }
}

private struct SuperKey: CodingKey {
  let stringValue = "super"
  var intValue: Int? { nil }
  init() {}
  init?(intValue: Int) { nil }
  init?(stringValue: String) { nil }
}

private func integer(_ value: some BinaryInteger & Sendable, _ path: [any CodingKey]) throws -> Datum {
  guard let int = Int(exactly: value) else {
    throw EncodingError.invalidValue(value, EncodingError.Context(codingPath: path, debugDescription: "\(value) does not fit 64 bits with a sign"))
  }
  return .integer(int)
}

private struct ValueContainer: SingleValueEncodingContainer {
  let slot: Slot
  let codingPath: [any CodingKey]

  func encodeNil() { slot.set(.null) }
  func encode(_ value: Bool) { slot.set(.bool(value)) }
  func encode(_ value: String) { slot.set(.string(value)) }
  func encode(_ value: Double) { slot.set(.float(value)) }
  func encode(_ value: Float) { slot.set(.float(Double(value))) }
  func encode(_ value: Int) { slot.set(.integer(value)) }
  func encode(_ value: Int8) throws { slot.set(try integer(value, codingPath)) }
  func encode(_ value: Int16) throws { slot.set(try integer(value, codingPath)) }
  func encode(_ value: Int32) throws { slot.set(try integer(value, codingPath)) }
  func encode(_ value: Int64) throws { slot.set(try integer(value, codingPath)) }
  func encode(_ value: UInt) throws { slot.set(try integer(value, codingPath)) }
  func encode(_ value: UInt8) throws { slot.set(try integer(value, codingPath)) }
  func encode(_ value: UInt16) throws { slot.set(try integer(value, codingPath)) }
  func encode(_ value: UInt32) throws { slot.set(try integer(value, codingPath)) }
  func encode(_ value: UInt64) throws { slot.set(try integer(value, codingPath)) }
  func encode(_ value: some Encodable) throws { slot.set(try DatumEncoder.encoded(value, codingPath)) }
}

private struct ListContainer: UnkeyedEncodingContainer {
  let items: Items
  let codingPath: [any CodingKey]
  var count: Int { items.slots.count }
  private var path: [any CodingKey] { codingPath + [IndexKey(count)] }

  func encodeNil() { items.slot().set(.null) }
  func encode(_ value: some Encodable) throws {
    let path = path
    items.slot().set(try DatumEncoder.encoded(value, path))
  }
  func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> { superEncoder().container(keyedBy: type) }
  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { superEncoder().unkeyedContainer() }
  func superEncoder() -> any Encoder {
    let path = path
    return ValueEncoder(codingPath: path, slot: items.slot())
  }
}

private struct DictContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let fields: Fields
  let codingPath: [any CodingKey]

  func encodeNil(forKey key: Key) { fields.slot(key.stringValue).set(.null) }
  func encode(_ value: some Encodable, forKey key: Key) throws { fields.slot(key.stringValue).set(try DatumEncoder.encoded(value, codingPath + [key])) }
  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested> { superEncoder(forKey: key).container(keyedBy: type) }
  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { superEncoder(forKey: key).unkeyedContainer() }
  func superEncoder() -> any Encoder { ValueEncoder(codingPath: codingPath + [SuperKey()], slot: fields.slot("super")) }
  func superEncoder(forKey key: Key) -> any Encoder { ValueEncoder(codingPath: codingPath + [key], slot: fields.slot(key.stringValue)) }
}
