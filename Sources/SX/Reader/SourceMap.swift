/// A range of source text as offsets into the interpreter's one source map; `(0, 0)` is "nowhere".
struct SourceSpan: BitwiseCopyable, Equatable {
  var start: UInt32
  var end: UInt32

  static var none: SourceSpan { SourceSpan(start: 0, end: 0) }
  var isNone: Bool { start == 0 }

  /// As one word, the way located pairs store it.
  var word: UInt64 { UInt64(start) | UInt64(end) << 32 }
  init(word: UInt64) {
    start = UInt32(truncatingIfNeeded: word)
    end = UInt32(truncatingIfNeeded: word >> 32)
  }
  init(start: UInt32, end: UInt32) {
    self.start = start
    self.end = end
  }
}

/// One text that was read: a file, an expression from the command line, a line of a session.
final class SourceText {
  let file: String
  let bytes: [UInt8]
  /// Where the text begins in the source map.
  let base: UInt32
  /// Prelude text: traces leave its frames out of the way, and its definitions may be lazy.
  let isPrelude: Bool
  private lazy var lineStarts: [Int] = {
    var starts = [0]
    for (i, b) in bytes.enumerated() where b == 10 { starts.append(i + 1) }
    return starts
  }()

  init(file: String, bytes: [UInt8], base: UInt32, isPrelude: Bool) {
    self.file = file
    self.bytes = bytes
    self.base = base
    self.isPrelude = isPrelude
  }

  /// Line and column of a byte offset, both from 1; columns count scalars.
  func position(_ offset: Int) -> (line: Int, column: Int) {
    var low = 0, high = lineStarts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if lineStarts[middle] <= offset { low = middle } else { high = middle }
    }
    let start = lineStarts[low]
    let column = bytes[start..<min(offset, bytes.count)].reduce(0) { $0 + ($1 & 0xC0 != 0x80 ? 1 : 0) }
    return (low + 1, column + 1)
  }

  /// The text of a line (from 1), without its end.
  func line(_ number: Int) -> String {
    guard number >= 1, number <= lineStarts.count else { return "" }
    var end = number < lineStarts.count ? lineStarts[number] - 1 : bytes.count
    let start = lineStarts[number - 1]
    if end > start, bytes[end - 1] == 13 { end -= 1 }
    return String(decoding: bytes[start..<max(start, end)], as: UTF8.self)
  }
}

/// All texts an interpreter has read, laid end to end, so that a position is one number.
struct SourceMap {
  private(set) var texts: [SourceText] = []
  private var next: UInt32 = 1
  /// Bytes that the next text will ask for at once, besides its own; 0 when there is room.
  var growth: Int { texts.count < texts.capacity ? 0 : texts.count * 24 }

  /// Registers a text; nil when the 4 GB of positions are used up.
  mutating func add(file: String, bytes: [UInt8], isPrelude: Bool = false) -> SourceText? {
    guard bytes.count < Int(UInt32.max) - Int(next) - 2 else { return nil }
    let text = SourceText(file: file, bytes: bytes, base: next, isPrelude: isPrelude)
    texts.append(text)
    next += UInt32(bytes.count) + 1
    return text
  }

  func text(at position: UInt32) -> SourceText? {
    guard position != 0 else { return nil }
    var low = 0, high = texts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if texts[middle].base <= position { low = middle } else { high = middle }
    }
    return low < texts.count ? texts[low] : nil
  }

  func location(_ span: SourceSpan) -> SourceLocation? {
    guard let text = text(at: span.start) else { return nil }
    let start = text.position(Int(span.start - text.base)), end = text.position(Int(max(span.start, span.end) - text.base))
    return SourceLocation(file: text.file, line: start.line, column: start.column, endLine: end.line, endColumn: end.column)
  }
}
