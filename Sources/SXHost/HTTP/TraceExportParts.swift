/// Cuts the bytes of an ExportTraceServiceRequest into requests that say the same together, so that a long one can be taken piece by piece.
///
/// Nothing is decoded: bytes are copied, and whoever decodes a part finds what is wrong in it. A part repeats what its spans have in common.
/// That is never longer than the spans, so all parts together have at most twice as many bytes as the whole, and a little more.
///
/// Source of the shape: `trace_service.proto` and `trace.proto` of OTLP 1.11, and their JSON encoding.
enum TraceExportParts {
  enum Encoding { case json, protobuf }

  /// The parts, each with about `size` bytes of spans or more; nil when the bytes do not have the shape, or hold nothing to cut. O(n).
  static func of(_ bytes: [UInt8], _ encoding: Encoding, size: Int) -> [[UInt8]]? {
    bytes.withUnsafeBufferPointer { input in
      var root: Part?
      switch encoding {
      case .json:
        var scanner = JSONScanner(input)
        root = scanner.document()
      case .protobuf:
        root = ProtobufScanner(input).message(0..<input.count, depth: 0)
      }
      guard let root, !root.children.isEmpty else { return nil }
      var writer = PartWriter(input, encoding, size: size)
      writer.write(root)
      return writer.parts.count > 1 ? writer.parts : nil
    }
  }
}

/// The request, its resource spans, their scope spans, or a span.
private struct Part {
  /// What it says of itself: members of an object, or fields of a message with their tags. For a span all of it.
  var own: [Range<Int>] = []
  /// Those one level further in. Spans have none.
  var children: [Part] = []

  static let names = ["resourceSpans", "scopeSpans", "spans"]
  /// The fields of the same names.
  static let fields: [UInt64] = [1, 2, 2]
  static let deepest = names.count
}

// MARK: Writing

private struct PartWriter {
  private let input: UnsafeBufferPointer<UInt8>
  private let encoding: TraceExportParts.Encoding
  private let size: Int
  private(set) var parts: [[UInt8]] = []
  /// What the current part holds, as far as it is written, from the request inwards.
  private var levels: [Level] = []
  /// Bytes of the current part that no other part has.
  private var fresh = 0

  private struct Level {
    let own: [UInt8]
    var children: [UInt8] = []
  }

  init(_ input: UnsafeBufferPointer<UInt8>, _ encoding: TraceExportParts.Encoding, size: Int) {
    self.input = input
    self.encoding = encoding
    self.size = size
  }

  mutating func write(_ root: Part) {
    open(root)
    for resourceSpans in root.children {
      cutIfFull()
      open(resourceSpans)
      for scopeSpans in resourceSpans.children {
        cutIfFull()
        open(scopeSpans)
        for span in scopeSpans.children {
          cutIfFull()
          let bytes = bytes(span)
          append(bytes, to: levels.count - 1)
          fresh += bytes.count
        }
        close()
      }
      close()
    }
    parts.append(whole(levels[0], 0))
  }

  private func bytes(_ part: Part) -> [UInt8] {
    var made: [UInt8] = []
    for range in part.own {
      if encoding == .json, !made.isEmpty { made.append(UInt8(ascii: ",")) }
      made.append(contentsOf: UnsafeBufferPointer(rebasing: input[range]))
    }
    return made
  }

  private mutating func open(_ part: Part) { levels.append(Level(own: bytes(part))) }

  private mutating func close() {
    let level = levels.removeLast()
    fresh += level.own.count
    append(whole(level, levels.count), to: levels.count - 1, isMessage: true)
  }

  /// Ends the part where it is, and begins the next one in the same resource and scope. Only before something is added: a part with
  /// nothing in it would repeat what is there in common for nothing.
  private mutating func cutIfFull() {
    guard fresh >= max(size, levels.reduce(0) { $0 + $1.own.count }) else { return }
    let again = levels
    while levels.count > 1 { close() }
    parts.append(whole(levels[0], 0))
    levels = again.map { Level(own: $0.own) }
    fresh = 0
  }

  private mutating func append(_ child: [UInt8], to level: Int, isMessage: Bool = false) {
    switch encoding {
    case .json:
      if !levels[level].children.isEmpty { levels[level].children.append(UInt8(ascii: ",")) }
    case .protobuf where isMessage:
      levels[level].children.append(UInt8(Part.fields[level] << 3 | 2))
      var count = UInt64(child.count)
      while count >= 0x80 {
        levels[level].children.append(UInt8(truncatingIfNeeded: count) | 0x80)
        count >>= 7
      }
      levels[level].children.append(UInt8(count))
    case .protobuf: break
    }
    levels[level].children.append(contentsOf: child)
  }

  /// The object or the content of the message, with so many open around it.
  private func whole(_ level: Level, _ depth: Int) -> [UInt8] {
    guard encoding == .json else { return level.own + level.children }
    var made = [UInt8(ascii: "{")] + level.own
    if !level.own.isEmpty { made.append(UInt8(ascii: ",")) }
    made.append(contentsOf: "\"\(Part.names[depth])\":[".utf8)
    made.append(contentsOf: level.children)
    made.append(contentsOf: "]}".utf8)
    return made
  }
}

// MARK: Protobuf

private struct ProtobufScanner {
  private let input: UnsafeBufferPointer<UInt8>
  init(_ input: UnsafeBufferPointer<UInt8>) { self.input = input }

  /// nil when it is malformed.
  func message(_ range: Range<Int>, depth: Int) -> Part? {
    var part = Part()
    var at = range.lowerBound
    while at < range.upperBound {
      let start = at
      guard let tag = varint(&at, range.upperBound), let content = content(tag & 7, &at, range.upperBound) else { return nil }
      if tag == Part.fields[depth] << 3 | 2 {
        if depth == Part.deepest - 1 {
          part.children.append(Part(own: [start..<at]))
        } else {
          guard let child = message(content, depth: depth + 1) else { return nil }
          part.children.append(child)
        }
      } else {
        part.own.append(start..<at)
      }
    }
    return part
  }

  private func content(_ wire: UInt64, _ at: inout Int, _ end: Int) -> Range<Int>? {
    let start = at
    switch wire {
    case 0: guard varint(&at, end) != nil else { return nil }
    case 1: at += 8
    case 2:
      guard let count = varint(&at, end), count <= UInt64(end - at) else { return nil }
      defer { at += Int(count) }
      return at..<at + Int(count)
    case 5: at += 4
    default: return nil
    }
    return at <= end ? start..<at : nil
  }

  private func varint(_ at: inout Int, _ end: Int) -> UInt64? {
    var result: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard at < end else { return nil }
      let byte = input[at]
      at += 1
      result |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return result }
    }
    return nil
  }
}

// MARK: JSON

/// Knows strings, brackets and commas. What is inside the members it does not look for is skipped unread.
private struct JSONScanner {
  private let input: UnsafeBufferPointer<UInt8>
  private var at = 0
  init(_ input: UnsafeBufferPointer<UInt8>) { self.input = input }

  mutating func document() -> Part? {
    guard let part = object(depth: 0) else { return nil }
    skipBlanks()
    return at == input.count ? part : nil
  }

  private mutating func object(depth: Int) -> Part? {
    guard take("{") else { return nil }
    var part = Part()
    var hasChildren = false
    if take("}") { return part }
    repeat {
      skipBlanks()
      let start = at
      guard let name = string(), take(":") else { return nil }
      skipBlanks()
      if isName(name, Part.names[depth]), peek("[") {
        // Of two members with the same name only one counts.
        guard !hasChildren, let children = array(depth: depth) else { return nil }
        part.children = children
        hasChildren = true
      } else {
        // It might be the name all the same.
        guard !input[name].contains(UInt8(ascii: "\\")), !isName(name, Part.names[depth]), value() != nil else { return nil }
        part.own.append(start..<at)
      }
    } while take(",")
    return take("}") ? part : nil
  }

  private mutating func array(depth: Int) -> [Part]? {
    guard take("[") else { return nil }
    if take("]") { return [] }
    var children: [Part] = []
    repeat {
      if depth == Part.deepest - 1 {
        guard let span = value() else { return nil }
        children.append(Part(own: [span]))
      } else {
        guard let child = object(depth: depth + 1) else { return nil }
        children.append(child)
      }
    } while take(",")
    return take("]") ? children : nil
  }

  /// The range of a value of any kind; nil when there is none.
  private mutating func value() -> Range<Int>? {
    skipBlanks()
    let start = at
    var open = 0
    while at < input.count {
      switch input[at] {
      case UInt8(ascii: "\""): guard string() != nil else { return nil }
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        open += 1
        at += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if open == 0 { return at > start ? start..<at : nil }
        open -= 1
        at += 1
      case UInt8(ascii: ",") where open == 0: return at > start ? start..<at : nil
      default:
        at += 1
        continue
      }
      if open == 0 { return start..<at }
    }
    return nil
  }

  /// What stands between the quotes.
  private mutating func string() -> Range<Int>? {
    guard at < input.count, input[at] == UInt8(ascii: "\"") else { return nil }
    at += 1
    let start = at
    while at < input.count {
      switch input[at] {
      case UInt8(ascii: "\""):
        at += 1
        return start..<at - 1
      case UInt8(ascii: "\\"): at += 2
      default: at += 1
      }
    }
    return nil
  }

  private func isName(_ range: Range<Int>, _ name: String) -> Bool { input[range].elementsEqual(name.utf8) }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipBlanks()
    guard peek(character) else { return false }
    at += 1
    return true
  }
  private func peek(_ character: Unicode.Scalar) -> Bool { at < input.count && input[at] == UInt8(ascii: character) }
  private mutating func skipBlanks() {
    while at < input.count, input[at] == 0x20 || input[at] == 0x0A || input[at] == 0x0D || input[at] == 0x09 { at += 1 }
  }
}
