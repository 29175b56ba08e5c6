/// A Swift type whose values go into an interpreter and come out of it: as arguments and results of functions that Swift defines, and of functions of SX
/// that Swift calls.
///
/// | Swift | SX |
/// |---|---|
/// | `Int`, `Double` | number; an integer is taken as a `Double` as well |
/// | `Bool` | boolean |
/// | `String` | string |
/// | `Optional` | nil, or what is wrapped |
/// | `Array`, `Dictionary` with `String` keys | list (nil is the empty one), dict; copied |
/// | `Datum`, and types that are `SXCodable` | plain data; copied |
/// | `Handle` | any value, not copied |
/// | `Function` | anything that can be called |
/// | classes that are `SXObject` | the object itself |
public protocol SXConvertible {
  /// How messages and signatures name the type.
  static var sxTypeName: String { get }
  /// The Swift value, or nil when the SX value is of another type.
  static func from(_ handle: Handle) -> Self?
  /// The SX value.
  func handle(in interpreter: Interpreter) -> Handle
}

/// A type whose SX values are plain data.
public protocol DatumConvertible: SXConvertible {
  /// The value as plain data.
  func datum() -> Datum
}

extension DatumConvertible {
  public func handle(in interpreter: Interpreter) -> Handle { interpreter.makeHandle(datum()) }
}

extension Handle {
  /// The value as a Swift type.
  ///
  /// - Throws: a `Diagnostic` that names both types when the value is of another one.
  public func `as`<T: SXConvertible>(_ type: T.Type = T.self) throws -> T {
    if let value = T.from(self) { return value }
    throw Diagnostic(message: "expected \(T.sxTypeName), got \(interpreter.machine.shown(value))")
  }
}

extension Int: DatumConvertible {
  public static var sxTypeName: String { "integer" }
  public static func from(_ handle: Handle) -> Int? { handle.integer }
  public func datum() -> Datum { .integer(self) }
}
extension Double: DatumConvertible {
  public static var sxTypeName: String { "number" }
  public static func from(_ handle: Handle) -> Double? { Arithmetic.number(handle.value) }
  public func datum() -> Datum { .float(self) }
}
extension Bool: DatumConvertible {
  public static var sxTypeName: String { "boolean" }
  public static func from(_ handle: Handle) -> Bool? { handle.value.isBool ? handle.isTrue : nil }
  public func datum() -> Datum { .bool(self) }
}
extension String: DatumConvertible {
  public static var sxTypeName: String { "string" }
  public static func from(_ handle: Handle) -> String? { handle.string }
  public func datum() -> Datum { .string(self) }
}
extension Datum: DatumConvertible {
  public static var sxTypeName: String { "data" }
  public static func from(_ handle: Handle) -> Datum? { try? handle.datum() }
  public func datum() -> Datum { self }
}
extension Handle: SXConvertible {
  public static var sxTypeName: String { "any" }
  public static func from(_ handle: Handle) -> Self? { unsafeDowncast(handle, to: Self.self) }
  public func handle(in interpreter: Interpreter) -> Handle {
    precondition(interpreter === self.interpreter, "a handle belongs to one interpreter")
    return self
  }
}
extension Optional: SXConvertible where Wrapped: SXConvertible {
  public static var sxTypeName: String { Wrapped.sxTypeName + " or nil" }
  public static func from(_ handle: Handle) -> Wrapped?? { handle.isNil ? .some(nil) : Wrapped.from(handle).map { .some($0) } }
  public func handle(in interpreter: Interpreter) -> Handle { self?.handle(in: interpreter) ?? interpreter.makeHandle(.null) }
}
extension Array: SXConvertible where Element: SXConvertible {
  public static var sxTypeName: String { "list of " + Element.sxTypeName }
  public static func from(_ handle: Handle) -> [Element]? {
    guard let all = handle.list else { return nil }
    var converted: [Element] = []
    converted.reserveCapacity(all.underestimatedCount)
    for handle in all {
      guard let element = Element.from(handle) else { return nil }
      converted.append(element)
    }
    return converted
  }
  public func handle(in interpreter: Interpreter) -> Handle {
    let elements = map { $0.handle(in: interpreter) }
    return Handle(interpreter, interpreter.machine.heap.list(elements.map(\.value)))
  }
}
extension Dictionary: SXConvertible where Key == String, Value: SXConvertible {
  public static var sxTypeName: String { "dict of " + Value.sxTypeName }
  public static func from(_ handle: Handle) -> [String: Value]? {
    guard let entries = handle.entries else { return nil }
    var converted: [String: Value] = [:]
    for (key, handle) in entries {
      guard let value = Value.from(handle) else { return nil }
      converted[key] = value
    }
    return converted
  }
  /// Keys in alphabetic order, since a `Dictionary` has none.
  public func handle(in interpreter: Interpreter) -> Handle {
    let heap = interpreter.machine.heap, dict = Handle(interpreter, heap.dict(capacity: count))
    for (key, value) in sorted(by: { $0.key < $1.key }) { heap.set(dict.value, heap.string(key), value.handle(in: interpreter).value) }
    return dict
  }
}
