/// What may stand in a header field.
enum FieldSyntax {
  /// A token (RFC 9110, section 5.6.2).
  static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
      case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"),
        UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
        true
      default: false
      }
    }
  }

  /// Without the blanks behind it, which are no part of a value; the decoder leaves them there.
  static func trimmed(_ value: String) -> String {
    guard isBlank(value.utf8.last) else { return value }
    var bytes = value.utf8[...]
    while isBlank(bytes.last) { bytes.removeLast() }
    return String(Substring(bytes))
  }

  private static func isBlank(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

  /// No control characters, and no blanks at the ends (RFC 9110, section 5.5).
  static func isValue(_ text: String) -> Bool {
    !isBlank(text.utf8.first) && !isBlank(text.utf8.last) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == UInt8(ascii: "\t") }
  }

  /// A name or an address, and maybe a port (RFC 9110, section 7.2, and RFC 3986, section 3.2). May be empty.
  static func isHost(_ value: String) -> Bool {
    var rest = value.utf8[...]
    if rest.first == UInt8(ascii: "[") {
      guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { return false }
      let address = rest[..<end].dropFirst()
      guard !address.isEmpty, address.allSatisfy({ isNameOfHost($0) || $0 == UInt8(ascii: ":") }) else { return false }
      rest = rest[end...].dropFirst()
      guard rest.isEmpty || rest.first == UInt8(ascii: ":") else { return false }
    } else {
      rest = rest.drop(while: isNameOfHost)
    }
    return rest.first.map { $0 == UInt8(ascii: ":") } ?? true && rest.dropFirst().allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private static func isNameOfHost(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "%"), UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"),
      UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="):
      true
    default: false
    }
  }
}
