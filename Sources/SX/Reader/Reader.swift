/// What is wrong with a text before it runs: found by the reader, the expander or the compiler.
struct SyntaxError: Error {
  var message: String
  var span: SourceSpan
  var hint: String? = nil
  /// The text ended too early; more of it could make it right.
  var isIncomplete = false
  /// The native stack ended before the nesting of the source did.
  var isTooDeep = false
  /// The macros whose expansions have led here, innermost first.
  var expansions: [(macro: String, span: SourceSpan)] = []
}

extension Heap {
  /// A pair that knows where its element (word 3) and, in front of a list, the whole list (word 4) stand in the source.
  func locatedPair(_ head: Value, _ tail: Value, length: Int, element: SourceSpan, list: SourceSpan) -> Value {
    let cell = allocate(words: 5, header: Kind.pair.header(length: length) | .variantHeaderBit)
    cell[1] = head.bits
    cell[2] = tail.bits
    cell[3] = element.word
    cell[4] = list.word
    return Value(cell)
  }
}

extension Value {
  @inline(__always) var isLocated: Bool { isPair && header & .variantHeaderBit != 0 }
  /// Where the first element of this pair stands.
  var elementSpan: SourceSpan { isLocated ? SourceSpan(word: cell[3]) : .none }
  /// Where this list stands.
  var listSpan: SourceSpan { isLocated ? SourceSpan(word: cell[4]) : .none }
}

/// Turns text into data with positions. Keeps its own stack, so nesting is limited by memory alone.
struct Reader {
  private enum Opening {
    case list(close: UInt8)
    /// `#(`.
    case vector
    /// `#u8(`.
    case bytevector
    case dict
    /// `'`, `` ` ``, `,`, `,@`: wraps the next datum.
    case prefix(Value)
    /// `#;`: drops the next datum.
    case discard
  }
  private struct Level {
    let opening: Opening
    let start: Int
    /// Index in `items` of the first item of this level.
    let first: Int
  }
  private struct Item {
    let value: Value
    let span: SourceSpan
  }

  private let machine: Machine
  private var heap: Heap { machine.heap }
  private let text: SourceText
  private let bytes: UnsafeBufferPointer<UInt8>
  private(set) var position: Int
  private let limit: Int
  private var levels: [Level] = []
  private var items: [Item] = []
  /// The text ended inside a comment.
  private(set) var endsInComment = false

  /// Reads `text` from byte `from` up to `to`. `bytes` must be the text's own, and valid UTF-8.
  init(_ machine: Machine, _ text: SourceText, _ bytes: UnsafeBufferPointer<UInt8>, from: Int = 0, to: Int? = nil) {
    self.machine = machine
    self.text = text
    self.bytes = bytes
    limit = to ?? bytes.count
    position = from
    if from == 0, bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { position = 3 }
    // `#!/usr/bin/env sx run` makes a program out of a file.
    if from == 0, position + 1 < limit, bytes[position] == UInt8(ascii: "#"), bytes[position + 1] == UInt8(ascii: "!") {
      while position < limit, bytes[position] != 0x0A { position += 1 }
    }
  }

  /// What was open when the text ended, outermost first, with the data that each bracket holds so far. `isQuoted`: behind a `'` or `` ` ``.
  var unfinished: [(start: Int, isQuoted: Bool, items: [(value: Value, span: SourceSpan)])] {
    var result: [(start: Int, isQuoted: Bool, items: [(value: Value, span: SourceSpan)])] = [], isQuoted = false
    for (i, level) in levels.enumerated() {
      switch level.opening {
      case .list, .vector, .bytevector, .dict:
        let end = i + 1 < levels.count ? levels[i + 1].first : items.count
        result.append((level.start, isQuoted, items[level.first..<end].map { ($0.value, $0.span) }))
        isQuoted = false
      case .prefix, .discard: isQuoted = true
      }
    }
    return result
  }

  private func span(_ start: Int, _ end: Int) -> SourceSpan {
    SourceSpan(start: text.base + UInt32(start), end: text.base + UInt32(end))
  }
  private func error(_ message: String, _ start: Int, _ end: Int, hint: String? = nil, incomplete: Bool = false) -> SyntaxError {
    SyntaxError(message: message, span: span(start, max(end, min(start + 1, limit))), hint: hint, isIncomplete: incomplete)
  }
  private func place(_ offset: Int) -> String {
    let (line, column) = text.position(offset)
    return "line \(line) column \(column)"
  }

  /// The next datum and its place, or nil at the end of the text.
  mutating func next() throws -> (value: Value, span: SourceSpan)? {
    levels.removeAll(keepingCapacity: true)
    items.removeAll(keepingCapacity: true)
    while true {
      skipBlanks()
      guard position < limit else { return try atEnd() }
      try machine.charge(1, holding: items.count * MemoryLayout<Item>.stride + levels.count * MemoryLayout<Level>.stride)
      let start = position
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "("), UInt8(ascii: "["):
        position += 1
        levels.append(Level(opening: .list(close: byte == UInt8(ascii: "(") ? UInt8(ascii: ")") : UInt8(ascii: "]")), start: start, first: items.count))
        continue
      case UInt8(ascii: "{"):
        position += 1
        levels.append(Level(opening: .dict, start: start, first: items.count))
        continue
      case UInt8(ascii: "#") where position + 1 < limit && bytes[position + 1] == UInt8(ascii: "("):
        position += 2
        levels.append(Level(opening: .vector, start: start, first: items.count))
      case UInt8(ascii: "#") where position + 3 < limit && matches("#u8(", position):
        position += 4
        levels.append(Level(opening: .bytevector, start: start, first: items.count))
      case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
        position += 1
        let item = try close(byte, start)
        if let done = try add(item) { return done }
        continue
      case UInt8(ascii: "'"): push(prefix: "quote", 1)
      case UInt8(ascii: "`"): push(prefix: "quasiquote", 1)
      case UInt8(ascii: ","):
        if position + 1 < limit, bytes[position + 1] == UInt8(ascii: "@") { push(prefix: "splice-unquote", 2) } else { push(prefix: "unquote", 1) }
      case UInt8(ascii: "#") where position + 1 < limit && bytes[position + 1] == UInt8(ascii: "'"):
        push(prefix: "quote", 2)
      case UInt8(ascii: "#") where position + 1 < limit && bytes[position + 1] == UInt8(ascii: ";"):
        position += 2
        levels.append(Level(opening: .discard, start: start, first: items.count))
      default:
        let value = try atom()
        if let done = try add(Item(value: value, span: span(start, position))) { return done }
      }
    }
  }

  private mutating func push(prefix: StaticString, _ width: Int) {
    levels.append(Level(opening: .prefix(machine.symbol(prefix)), start: position, first: items.count))
    position += width
  }

  private mutating func atEnd() throws -> (value: Value, span: SourceSpan)? {
    guard let level = levels.last else { return nil }
    switch level.opening {
    case .list(let close): throw unclosed(level, Character(Unicode.Scalar(close)))
    case .vector, .bytevector: throw unclosed(level, ")")
    case .dict: throw unclosed(level, "}")
    case .prefix: throw error("the text ends after a quote", level.start, level.start + 1, incomplete: true)
    case .discard: throw error("the text ends after `#;`", level.start, level.start + 2, incomplete: true)
    }
  }
  private func unclosed(_ level: Level, _ close: Character) -> SyntaxError {
    error("expected `\(close)`, found the end of the text at \(place(limit))", level.start, level.start + 1, hint: "`\(Character(Unicode.Scalar(bytes[level.start])))` was opened at \(place(level.start)) and is never closed" + (nextTopLevelForm(after: level.start).map { "; the form at \(place($0)) looks like the next one" } ?? ""), incomplete: true)
  }

  /// The first line after a place that begins with a bracket: where somebody who indents begins the next form.
  func nextTopLevelForm(after place: Int) -> Int? {
    var i = place + 1
    while i < limit {
      if bytes[i - 1] == 0x0A, bytes[i] == UInt8(ascii: "(") { return i }
      i += 1
    }
    return nil
  }

  /// Hands a finished datum to the enclosing level; answers it when there is none.
  private mutating func add(_ item: Item) throws -> (value: Value, span: SourceSpan)? {
    var item = item
    while let level = levels.last {
      switch level.opening {
      case .list, .vector, .bytevector, .dict:
        items.append(item)
        return nil
      case .prefix(let symbol):
        levels.removeLast()
        let whole = SourceSpan(start: text.base + UInt32(level.start), end: item.span.end)
        let inner = heap.locatedPair(item.value, .end, length: 1, element: item.span, list: .none)
        item = Item(value: heap.locatedPair(symbol, inner, length: 2, element: whole, list: whole), span: whole)
      case .discard:
        levels.removeLast()
        return nil
      }
    }
    return (item.value, item.span)
  }

  private mutating func close(_ byte: UInt8, _ at: Int) throws -> Item {
    let found = Character(Unicode.Scalar(byte))
    guard let level = levels.last else {
      throw error("found `\(found)`, but nothing is open", at, at + 1)
    }
    let whole = span(level.start, position)
    switch level.opening {
    case .list(let expected):
      guard byte == expected else { throw mismatch(found, Character(Unicode.Scalar(expected)), level, at) }
      levels.removeLast()
      return Item(value: list(from: level.first, whole), span: whole)
    case .vector, .bytevector:
      guard byte == UInt8(ascii: ")") else { throw mismatch(found, ")", level, at) }
      levels.removeLast()
      defer { items.removeSubrange(level.first...) }
      if case .vector = level.opening { return Item(value: heap.allocate(object: Vector(items[level.first...].map(\.value))), span: whole) }
      return Item(value: heap.allocate(object: Bytevector(try items[level.first...].map(byteValue))), span: whole)
    case .dict:
      guard byte == UInt8(ascii: "}") else { throw mismatch(found, "}", level, at) }
      levels.removeLast()
      return Item(value: try dict(from: level, whole), span: whole)
    case .prefix:
      throw error("found `\(found)` after a quote", at, at + 1, hint: "a quote needs the datum that it quotes")
    case .discard:
      throw error("found `\(found)` after `#;`", at, at + 1, hint: "`#;` drops the datum that follows it")
    }
  }
  private func mismatch(_ found: Character, _ expected: Character, _ level: Level, _ at: Int) -> SyntaxError {
    error("found `\(found)`, expected `\(expected)`, opened at \(place(level.start))", at, at + 1)
  }

  private func byteValue(_ item: Item) throws -> UInt8 {
    guard let i = Arithmetic.integer(item.value), let byte = UInt8(exactly: i) else {
      throw SyntaxError(message: "a bytevector has bytes from 0 to 255", span: item.span)
    }
    return byte
  }

  private mutating func list(from first: Int, _ whole: SourceSpan) -> Value {
    if items.count == first { return heap.emptyList() }
    var result = Value.end, n = 0
    for i in stride(from: items.count - 1, through: first, by: -1) {
      n += 1
      result = heap.locatedPair(items[i].value, result, length: n, element: items[i].span, list: i == first ? whole : .none)
    }
    items.removeSubrange(first...)
    return result
  }

  private mutating func dict(from level: Level, _ whole: SourceSpan) throws -> Value {
    let n = items.count - level.first
    if n % 2 == 1 { throw SyntaxError(message: "a dict literal needs a value for every key; this one has \(n) forms", span: whole) }
    let d = heap.dict(capacity: n / 2)
    var places = Value.end, k = 0
    for i in stride(from: items.count - 2, through: level.first, by: -2) {
      k += 1
      places = heap.locatedPair(items[i + 1].value, places, length: k, element: items[i + 1].span, list: .none)
    }
    for i in stride(from: level.first, to: items.count, by: 2) {
      let key = items[i].value
      guard key.isString || key.isKind(.keyword) else {
        throw SyntaxError(message: "a dict key must be a keyword or a string, got \(machine.shown(key))", span: items[i].span)
      }
      heap.set(d, machine.keyString(key), items[i + 1].value)
    }
    // Word 2 of a flat dict that was read keeps the places of its values, see `Analyzer`.
    if d.length == n / 2, DictRepresentation.of(d.cell) == .flat { d.setWord(2, places) }
    items.removeSubrange(level.first...)
    return d
  }

  // MARK: Blanks

  private mutating func skipBlanks() {
    while position < limit {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      case UInt8(ascii: ";"):
        while position < limit, bytes[position] != 0x0A { position += 1 }
        endsInComment = position == limit
      default: return
      }
    }
  }

  // MARK: Atoms

  private mutating func atom() throws -> Value {
    let start = position, byte = bytes[position]
    switch byte {
    case UInt8(ascii: "\""): return try string()
    case UInt8(ascii: "#"): return try hash()
    case UInt8(ascii: ":"):
      position += 1
      try skipConstituents()
      if position == start + 1 { throw error("a keyword needs a name", start, position) }
      return heap.keyword(slice(start + 1, position))
    default: break
    }
    guard Reader.startsIdentifier(byte) || Reader.isDigit(byte) else {
      let shown = byte > 0x20 && byte < 0x7F ? "`\(Character(Unicode.Scalar(byte)))`" : "the character with code \(byte)"
      throw error("unexpected \(shown)", start, start + 1)
    }
    try skipConstituents()
    if let number = try number(start, position) { return number }
    switch position - start {
    case 3 where matches("nil", start): return .nil
    case 4 where matches("true", start): return .true
    case 5 where matches("false", start): return .false
    default: return heap.symbol(slice(start, position))
    }
  }

  private func slice(_ start: Int, _ end: Int) -> UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(rebasing: bytes[start..<end]) }
  private func matches(_ word: StaticString, _ start: Int) -> Bool { Bytes.equal(word.utf8Start, bytes.baseAddress.unsafelyUnwrapped + start, word.utf8CodeUnitCount) }
  private func text(_ start: Int, _ end: Int) -> String { String(decoding: bytes[start..<end], as: UTF8.self) }

  @inline(__always) static func isDigit(_ b: UInt8) -> Bool { b >= 0x30 && b <= 0x39 }
  @inline(__always) static func isLetter(_ b: UInt8) -> Bool { (b | 0x20) >= 0x61 && (b | 0x20) <= 0x7A || b >= 0x80 }
  static func startsIdentifier(_ b: UInt8) -> Bool {
    if isLetter(b) { return true }
    switch b {
    case UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ">"), UInt8(ascii: "<"),
      UInt8(ascii: "="), UInt8(ascii: "/"), UInt8(ascii: "!"), UInt8(ascii: "?"), UInt8(ascii: "&"), UInt8(ascii: "%"), UInt8(ascii: "^"),
      UInt8(ascii: "$"), UInt8(ascii: "."):
      return true
    default: return false
    }
  }
  static func continuesIdentifier(_ b: UInt8) -> Bool {
    startsIdentifier(b) || isDigit(b) || b == UInt8(ascii: ":") || b == UInt8(ascii: "#")
  }

  private mutating func skipConstituents() throws {
    while position < limit, Reader.continuesIdentifier(bytes[position]) {
      if bytes[position] >= 0xC0 { try refuseInvisible() }
      position += 1
    }
  }
  static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
    let category = scalar.properties.generalCategory
    return scalar.properties.isWhitespace || category == .control || category == .format
  }
  /// A no-break space or a zero-width mark inside a name is a trap for the reader's eye.
  private func refuseInvisible() throws {
    let rest = String(decoding: bytes[position..<min(position + 4, limit)], as: UTF8.self)
    guard let scalar = rest.unicodeScalars.first else { return }
    if Reader.isInvisible(scalar) {
      throw error("unexpected invisible character U+\(String(scalar.value, radix: 16, uppercase: true))", position, position + UTF8.width(scalar))
    }
  }

  /// The number a token stands for; nil when it is no number.
  private func number(_ start: Int, _ end: Int) throws -> Value? {
    var i = start
    let sign = bytes[i] == UInt8(ascii: "-") || bytes[i] == UInt8(ascii: "+")
    if sign { i += 1 }
    guard i < end else { return nil }
    if sign, end - start == 6, let special = Numbers.parse(slice(start, end), heap) { return special }       // +inf.0, -inf.0, +nan.0
    let dotted = bytes[i] == UInt8(ascii: ".")
    guard Reader.isDigit(bytes[i]) || dotted && i + 1 < end && Reader.isDigit(bytes[i + 1]) else { return nil }
    guard let value = Numbers.parse(slice(start, end), heap) else {
      throw error("invalid number `\(text(start, end))`", start, end, hint: bytes[start..<end].contains(UInt8(ascii: "/")) ? "a fraction is `n/d`, and its denominator is not 0" : nil)
    }
    return value
  }

  /// `#t`, `#f`, `#|raw string|`, `#\a`, `#"regexp"`, `#x1F`.
  private mutating func hash() throws -> Value {
    let start = position
    guard position + 1 < limit else { throw error("the text ends after `#`", start, limit, incomplete: true) }
    switch bytes[position + 1] {
    case UInt8(ascii: "|"):
      var end = position + 2
      while end < limit, bytes[end] != UInt8(ascii: "|") { end += 1 }
      guard end < limit else {
        throw error("a raw string is never closed", start, start + 2, hint: "`#|` begins a raw string, which ends at the next `|`", incomplete: true)
      }
      position = end + 1
      return heap.string(slice(start + 2, end))
    case UInt8(ascii: "\\"):
      return try character()
    case UInt8(ascii: "\""):
      return try regexp()
    default:
      position += 1
      try skipConstituents()
      // What follows tells what was meant: `#(`, `#{`, `#"`.
      if position == start + 1, bytes[position] > 0x20, bytes[position] < 0x7F { position += 1 }
      switch text(start, position) {
      case "#t", "#true": return .true
      case "#f", "#false": return .false
      case let other:
        // A radix: #x1F, #o17, #b101, #d10.
        let radix = ["x": 16, "X": 16, "o": 8, "b": 2, "d": 10, "B": 2, "O": 8, "D": 10][other.dropFirst().prefix(1)]
        if let radix, position > start + 2 {
          let digits = slice(start + 2, position), negative = digits[0] == UInt8(ascii: "-")
          let sign = negative || digits[0] == UInt8(ascii: "+") ? 1 : 0
          if let number = Numbers.integer(digits, from: sign, radix: radix, negative, heap) ?? Numbers.rational(digits, radix: radix, heap) { return number }
        }
        throw error("unknown syntax `\(other)`", start, position)
      }
    }
  }

  /// `#"…"`: everything up to the next quote that no backslash precedes is the pattern, backslashes included.
  private mutating func regexp() throws -> Value {
    let start = position
    var end = position + 2
    while end < limit, bytes[end] != UInt8(ascii: "\"") { end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1 }
    guard end < limit else { throw error("a regexp is never closed", start, start + 2, hint: "the regexp begins at \(place(start))", incomplete: true) }
    position = end + 1
    do {
      return heap.allocate(object: try Regexp(text(start + 2, end), flags: ""))
    } catch let wrong as RegexpError {
      let offset = Bytes.offset(ofScalar: wrong.offset, bytes.baseAddress.unsafelyUnwrapped + start + 2, end - start - 2)
      throw error("invalid regexp: \(wrong.message)", start + 2 + offset, start + 3 + offset)
    }
  }

  private mutating func character() throws -> Value {
    let start = position
    position += 2
    guard position < limit else { throw error("the text ends after `#\\`", start, limit, incomplete: true) }
    let first = position
    // One scalar of any kind, then whatever letters make it a name.
    position += 1
    while position < limit, bytes[position] & 0xC0 == 0x80 { position += 1 }
    if Reader.isLetter(bytes[first]) || Reader.isDigit(bytes[first]) { try skipConstituents() }
    let name = text(first, position)
    if let scalar = name.unicodeScalars.first, name.unicodeScalars.count == 1 { return .character(scalar) }
    if let scalar = Characters.named(name) { return .character(scalar) }
    throw error("unknown character name `#\\\(name)`", start, position, hint: "known names: \(Characters.names.map(\.name).joined(separator: ", ")), and x41 for a code")
  }

  private mutating func string() throws -> Value {
    let start = position
    position += 1
    var end = position
    while end < limit, bytes[end] != UInt8(ascii: "\""), bytes[end] != UInt8(ascii: "\\") { end += 1 }
    if end < limit, bytes[end] == UInt8(ascii: "\"") {        // without escapes: no copy in between
      position = end + 1
      return heap.string(slice(start + 1, end))
    }
    var out = Array(bytes[(start + 1)..<end])
    position = end
    while position < limit {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        position += 1
        return heap.string(out)
      }
      guard byte == UInt8(ascii: "\\"), position + 1 < limit else {
        out.append(byte)
        position += 1
        continue
      }
      let escaped = bytes[position + 1]
      position += 2
      switch escaped {
      case UInt8(ascii: "n"): out.append(10)
      case UInt8(ascii: "t"): out.append(9)
      case UInt8(ascii: "r"): out.append(13)
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "`"): out.append(escaped)
      case UInt8(ascii: "u"): try unicodeEscape(&out)
      default:
        out.append(UInt8(ascii: "\\"))
        out.append(escaped)
      }
    }
    throw error("a string is never closed", start, start + 1, hint: "the string begins at \(place(start))", incomplete: true)
  }

  /// After `\u`: four hex digits; a surrogate must be followed by its other half.
  private mutating func unicodeEscape(_ out: inout [UInt8]) throws {
    let start = position - 2
    guard var code = Bytes.hex4(bytes, position, limit) else {
      out.append(UInt8(ascii: "\\"))                          // an unknown escape keeps its backslash
      out.append(UInt8(ascii: "u"))
      return
    }
    position += 4
    if code & 0xFC00 == 0xD800, position + 1 < limit, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u"),
      let low = Bytes.hex4(bytes, position + 2, limit), low & 0xFC00 == 0xDC00 {
      code = 0x10000 + (code & 0x3FF) << 10 + low & 0x3FF
      position += 6
    }
    guard let scalar = Unicode.Scalar(code) else {
      throw error("`\\u\(String(code, radix: 16, uppercase: true))` is half of a surrogate pair", start, position)
    }
    out.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)
  }
}

extension Bytes {
  static func hex4(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int, _ limit: Int) -> UInt32? {
    guard at + 4 <= limit else { return nil }
    var code: UInt32 = 0
    for i in at..<(at + 4) {
      guard let digit = Character(Unicode.Scalar(bytes[i])).hexDigitValue else { return nil }
      code = code << 4 | UInt32(digit)
    }
    return code
  }
}
