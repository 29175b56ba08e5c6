/// Characters are immediates: the scalar above a low byte of 0x2C.
extension Value {
  @inline(__always) static func character(_ s: Unicode.Scalar) -> Value { Value(bits: UInt64(s.value) << 8 | 0x2C) }
  @inline(__always) var isCharacter: Bool { bits & 0xFF == 0x2C }
  /// The code of a character, as an integer.
  @inline(__always) var characterCode: Value { Value(bits: bits &>> 7 | 1) }
  var scalar: Unicode.Scalar { Unicode.Scalar(UInt32(truncatingIfNeeded: bits >> 8)).unsafelyUnwrapped }
}

enum Characters {
  static let names: [(name: String, code: UInt32)] = [
    ("space", 0x20), ("newline", 0x0A), ("tab", 0x09), ("return", 0x0D), ("nul", 0), ("null", 0), ("alarm", 7), ("backspace", 8), ("delete", 0x7F), ("escape", 0x1B),
  ]
  static func named(_ name: String) -> Unicode.Scalar? {
    if let known = names.first(where: { $0.name == name }) { return Unicode.Scalar(known.code) }
    if name.hasPrefix("x"), let code = UInt32(name.dropFirst(), radix: 16) { return Unicode.Scalar(code) }
    return nil
  }
  /// As the reader reads it, with the `#\`.
  static func written(_ scalar: Unicode.Scalar) -> String {
    if let known = names.first(where: { $0.code == scalar.value }) { return "#\\" + known.name }
    return isPlain(scalar) ? "#\\" + String(Character(scalar)) : "#\\x" + String(scalar.value, radix: 16)
  }
  /// Can it stand behind `#\`, where people see it and the reader takes it for itself?
  private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.value < 0x80 { return scalar.value > 0x20 && scalar.value != 0x7F }
    switch scalar.properties.generalCategory {
    case .control, .format, .nonspacingMark, .spacingMark, .enclosingMark, .spaceSeparator, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: return false
    default: return true
    }
  }
}
