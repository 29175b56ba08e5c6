/// A Swift type whose values can be arguments and results of functions that Swift defines.
public protocol SXConvertible {
  /// How messages name the type.
  static var sxTypeName: String { get }
  /// The Swift value, or nil when the SX value is of another type.
  static func from(_ handle: Handle) -> Self?
  func datum() -> Datum
}

extension Int: SXConvertible {
  public static var sxTypeName: String { "integer" }
  public static func from(_ handle: Handle) -> Int? { handle.integer }
  public func datum() -> Datum { .integer(self) }
}
extension Double: SXConvertible {
  public static var sxTypeName: String { "number" }
  public static func from(_ handle: Handle) -> Double? { Arithmetic.number(handle.value) }
  public func datum() -> Datum { .float(self) }
}
extension Bool: SXConvertible {
  public static var sxTypeName: String { "boolean" }
  public static func from(_ handle: Handle) -> Bool? { handle.value.isBool ? handle.isTrue : nil }
  public func datum() -> Datum { .bool(self) }
}
extension String: SXConvertible {
  public static var sxTypeName: String { "string" }
  public static func from(_ handle: Handle) -> String? { handle.string }
  public func datum() -> Datum { .string(self) }
}
extension Datum: SXConvertible {
  public static var sxTypeName: String { "data" }
  public static func from(_ handle: Handle) -> Datum? { try? handle.datum() }
  public func datum() -> Datum { self }
}
extension Optional: SXConvertible where Wrapped: SXConvertible {
  public static var sxTypeName: String { Wrapped.sxTypeName + " or nil" }
  public static func from(_ handle: Handle) -> Wrapped?? { handle.isNil ? .some(nil) : Wrapped.from(handle).map { .some($0) } }
  public func datum() -> Datum { self?.datum() ?? .null }
}
extension Array: SXConvertible where Element: SXConvertible {
  public static var sxTypeName: String { "list of " + Element.sxTypeName }
  public static func from(_ handle: Handle) -> [Element]? {
    guard let all = handle.elements else { return nil }
    let converted = all.compactMap(Element.from)
    return converted.count == all.count ? converted : nil
  }
  public func datum() -> Datum { .list(map { $0.datum() }) }
}
