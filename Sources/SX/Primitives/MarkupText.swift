extension NativeTable {
  mutating func installMarkupText() {
    add("escape", required("value"), growth: 2, doc: "The value's display form with & < > and both quotes as entities: safe as text and as an attribute.", example: "(escape \"<a & b>\") → \"&lt;a &amp; b&gt;\"") { m, args in
      let text = try m.displayString(args[0])
      var out = ByteWriter(capacity: text.byteCount + 32)
      MarkupText.escape(text.utf8, .everywhere, to: &out)
      return out.count == text.byteCount ? text : try m.string("escape", out)
    }
    add("strip-tags", required("string", .string), walks: true, growth: 2, doc: "The text without markup: tags and comments are left out, entities stay. What opens and never ends is left out to the end.", example: "(strip-tags \"<b>hi</b> there\") → \"hi there\"") { m, args in
      var out = ByteWriter(capacity: args[0].byteCount)
      MarkupText.strip(args[0].utf8, to: &out)
      return out.count == args[0].byteCount ? args[0] : m.heap.string(out)
    }
  }
}

/// Text on its way into markup, and out of it.
enum MarkupText {
  /// Which characters would mean something.
  enum Place {
    /// Between tags.
    case text
    /// Between double quotes.
    case attribute
    case everywhere
  }

  static func escape(_ text: UnsafeBufferPointer<UInt8>, _ place: Place, to out: inout ByteWriter) {
    guard let p = text.baseAddress else { return }
    var clean = 0
    for i in 0..<text.count {
      let b = p[i]
      guard b == UInt8(ascii: "&") || b == UInt8(ascii: "<") || b == UInt8(ascii: ">") || b == UInt8(ascii: "\"") || b == UInt8(ascii: "'") || b == 0 else { continue }
      let entity: StaticString
      switch b {
      case UInt8(ascii: "&"): entity = "&amp;"
      // HTML has no NUL, not even as an entity: parsers put this in its place, or drop what follows.
      case 0: entity = "\u{FFFD}"
      case UInt8(ascii: "<"): entity = "&lt;"
      case UInt8(ascii: ">"): entity = "&gt;"
      case UInt8(ascii: "\"") where place != .text: entity = "&quot;"
      case UInt8(ascii: "'") where place == .everywhere: entity = "&#39;"
      default: continue
      }
      out.append(p + clean, i - clean)
      out.append(entity)
      clean = i + 1
    }
    out.append(p + clean, text.count - clean)
  }

  /// A `<` opens a tag when a letter, `/`, `!` or `?` follows, as in HTML; "a < b" is text.
  static func strip(_ text: UnsafeBufferPointer<UInt8>, to out: inout ByteWriter) {
    guard let p = text.baseAddress else { return }
    let n = text.count
    var clean = 0, i = 0
    while i < n {
      guard p[i] == UInt8(ascii: "<"), i + 1 < n, opensTag(p[i + 1]) else {
        i += 1
        continue
      }
      out.append(p + clean, i - clean)
      i = end(ofTag: i, p, n)
      clean = i
    }
    out.append(p + clean, n - clean)
  }
  private static func opensTag(_ b: UInt8) -> Bool {
    b | 0x20 &- 0x61 < 26 || b == UInt8(ascii: "/") || b == UInt8(ascii: "!") || b == UInt8(ascii: "?")
  }
  /// Behind the `>`, which does not count inside quotes, or behind `-->`.
  private static func end(ofTag start: Int, _ p: UnsafePointer<UInt8>, _ n: Int) -> Int {
    var i = start + 1
    if i + 2 < n, p[i] == UInt8(ascii: "!"), p[i + 1] == UInt8(ascii: "-"), p[i + 2] == UInt8(ascii: "-") {
      i += 3
      while i < n {
        if p[i] == UInt8(ascii: ">"), p[i - 1] == UInt8(ascii: "-"), p[i - 2] == UInt8(ascii: "-") { return i + 1 }
        i += 1
      }
      return n
    }
    var quote: UInt8 = 0
    while i < n {
      let b = p[i]
      if quote != 0 {
        if b == quote { quote = 0 }
      } else if b == UInt8(ascii: ">") {
        return i + 1
      } else if b == UInt8(ascii: "\"") || b == UInt8(ascii: "'"), p[i - 1] == UInt8(ascii: "=") {
        quote = b
      }
      i += 1
    }
    return n
  }
}
