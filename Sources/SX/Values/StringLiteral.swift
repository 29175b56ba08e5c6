/// Strings as the reader takes them: the one place that knows how. The printer writes its strings with it, and so do programs around the
/// interpreter that write protocols or source files.
public enum StringLiteral {
  /// What becomes of characters that need no escape.
  public enum Style: Sendable {
    /// On one line, with everything else as it is: what the printer writes.
    case oneLine
    /// For a source file that people edit: line breaks stay, and what an editor would not show is escaped.
    case source
  }

  /// The literal of a text, in quotes. O(size).
  public static func of(_ text: String, _ style: Style = .oneLine) -> String {
    var out: [UInt8] = []
    out.reserveCapacity(text.utf8.count + 2)
    out.append(UInt8(ascii: "\""))
    switch style {
    case .oneLine: append(text.utf8, to: &out)
    case .source:
      for scalar in text.unicodeScalars {
        if scalar == "\n" {
          out.append(10)
        } else if isInvisible(scalar) {
          out.append(contentsOf: code(scalar.value).utf8)
        } else {
          append(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter, to: &out)
        }
      }
    }
    out.append(UInt8(ascii: "\""))
    return String(decoding: out, as: UTF8.self)
  }

  /// What stands between the quotes.
  static func append(_ bytes: some Sequence<UInt8>, to out: inout [UInt8]) {
    for b in bytes {
      switch b {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        out.append(UInt8(ascii: "\\"))
        out.append(b)
      case 10: out.append(contentsOf: "\\n".utf8)
      case 9: out.append(contentsOf: "\\t".utf8)
      case 13: out.append(contentsOf: "\\r".utf8)
      case 0..<0x20, 0x7F: out.append(contentsOf: code(UInt32(b)).utf8)
      default: out.append(b)
      }
    }
  }

  /// Control characters beyond ASCII, blanks without width, marks that turn the direction of writing, and the mark of byte order.
  private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x80..<0xA0, 0x200B...0x200F, 0x202A...0x202E, 0x2066...0x2069, 0xFEFF: true
    default: false
    }
  }

  private static func code(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }
}
