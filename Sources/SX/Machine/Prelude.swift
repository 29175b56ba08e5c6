internal import SXPrelude

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The library that is written in SX. Its text is part of the program; a definition is read, compiled and evaluated when
/// somebody first asks for its name, so an interpreter that needs ten functions pays for ten.
///
/// That works because a prelude file is a sequence of definitions whose values do not depend on the order of evaluation.
enum Prelude {
  /// Setting this variable of the environment to a folder reads the prelude from there: for those who work on it.
  static let folderVariable = "SX_PRELUDE"

  /// Tells the machine which names the prelude defines, and where. One pass over the text, no allocation per form but the entry itself.
  static func announce(to machine: Machine) {
    let folder = machine.host.environment(folderVariable)
    for i in 0..<Int(sx_prelude_file_count()) {
      let file = sx_prelude_file(UInt(i))
      let path = String(cString: file.path)
      if let folder, !folder.isEmpty, let bytes = try? machine.host.readFile(folder + "/" + path) {
        let source = PreludeFile(folder: folder, name: path, bytes: .owned(bytes))
        machine.preludeFiles.append(source)
        bytes.withUnsafeBufferPointer { announce($0, source, to: machine) }
      } else {
        let bytes = UnsafeBufferPointer(start: file.bytes, count: Int(file.count))
        let source = PreludeFile(folder: "prelude", name: path, bytes: .embedded(bytes))
        machine.preludeFiles.append(source)
        announce(bytes, source, to: machine)
      }
    }
  }

  private static func announce(_ bytes: UnsafeBufferPointer<UInt8>, _ file: PreludeFile, to machine: Machine) {
    let scanner = DefinitionScanner(bytes)
    var start = definitionStart(in: bytes, from: 0)
    while start < bytes.count {
      let next = definitionStart(in: bytes, from: start + 1)
      if let (name, isMacro) = scanner.definition(start) {
        machine.pending[machine.globalIndex(machine.heap.symbol(name))] = PendingDefinition(file: file, start: start, end: next, isMacro: isMacro)
      }
      start = next
    }
  }

  /// Where the next line begins with `(def`, or the length of the text. In a prelude file that is a definition, also in front of a string
  /// over several lines; a test makes sure of it. Ten times as fast as looking at every byte, which counts at every start.
  static func definitionStart(in bytes: UnsafeBufferPointer<UInt8>, from place: Int) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    func begins(_ at: Int) -> Bool { at + 4 < bytes.count && base[at] == 0x28 && base[at + 1] == 0x64 && base[at + 2] == 0x65 && base[at + 3] == 0x66 }
    if place == 0, begins(0) { return 0 }
    var at = place
    while let newline = memchr(base + at, 10, bytes.count - at) {
      at = UnsafeRawPointer(newline) - UnsafeRawPointer(base) + 1
      if begins(at) { return at }
    }
    return bytes.count
  }

  /// Libraries of the reference that the prelude stands in for.
  static func covers(_ path: String) -> Bool {
    let known = [
      "spec/stdlib.sx", "spec/signals.sx", "spec/harness.sx", "lib/r7rs.sx", "lib/host/compose.sx", "lib/host/execute.sx", "lib/host/handler.sx", "lib/host/middleware.sx",
      "lib/host/router.sx", "lib/host/server.sx", "lib/host/otel.sx",
    ]
    if known.contains(where: { path == $0 || path.hasSuffix("/" + $0) }) { return true }
    guard path.hasSuffix(".sx") else { return false }
    let parts = path.split(separator: "/")
    return parts.count >= 3 && parts[parts.count - 3] == "lib" && parts[parts.count - 2] == "dream"
  }
}

/// One file of the prelude; its text enters the source map when a definition of it is first needed.
final class PreludeFile {
  enum Bytes {
    case embedded(UnsafeBufferPointer<UInt8>)
    case owned([UInt8])
  }
  /// The path inside the prelude, `otel/span.sx`.
  private let name: String
  private let folder: String
  private let bytes: Bytes
  private var text: SourceText?

  init(folder: String, name: String, bytes: Bytes) {
    self.folder = folder
    self.name = name
    self.bytes = bytes
  }

  var path: String { folder + "/" + name }
  /// The path inside the prelude without the ending, `otel/span`.
  var title: String { name.hasSuffix(".sx") ? String(name.dropLast(3)) : name }

  func source(_ machine: Machine) throws -> SourceText {
    if let text { return text }
    let all =
      switch bytes {
      case .embedded(let buffer): Array(buffer)
      case .owned(let array): array
      }
    let registered = try machine.register(file: path, bytes: all, isPrelude: true)
    text = registered
    return registered
  }
}

/// A definition of the prelude that nobody has asked for yet.
struct PendingDefinition {
  let file: PreludeFile
  /// Two thousand of these are made at each start, so they are small.
  private let start: Int32, end: Int32
  let isMacro: Bool

  init(file: PreludeFile, start: Int, end: Int, isMacro: Bool) {
    (self.file, self.start, self.end, self.isMacro) = (file, Int32(start), Int32(end), isMacro)
  }

  /// What is written there.
  func read(_ machine: Machine) throws -> (value: Value, span: SourceSpan)? {
    let text = try file.source(machine)
    return try text.bytes.withUnsafeBufferPointer { bytes in
      var reader = Reader(machine, text, bytes, from: Int(start), to: Int(end))
      return try reader.next()
    }
  }

  func evaluate(in machine: Machine) throws {
    guard let form = try read(machine) else { return }
    _ = try machine.callNested(try machine.compileTopLevel(form.value, form.span), [])
  }
}

/// The definitions that wait, by the index of their global.
struct PendingDefinitions {
  private var rows: [PendingDefinition?] = []

  subscript(index: Int) -> PendingDefinition? {
    get { index < rows.count ? rows[index] : nil }
    set {
      if index < rows.count {
        rows[index] = newValue
      } else if newValue != nil {
        rows.append(contentsOf: repeatElement(nil, count: index - rows.count))
        rows.append(newValue)
      }
    }
  }

  mutating func remove(_ index: Int) -> PendingDefinition? {
    guard index < rows.count else { return nil }
    defer { rows[index] = nil }
    return rows[index]
  }
}

/// Finds the top-level forms of a text and the names they define, without reading them.
struct DefinitionScanner {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  mutating func next() -> (name: UnsafeBufferPointer<UInt8>, start: Int, end: Int, isMacro: Bool)? {
    var depth = 0, start = 0
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"):
        if depth == 0 { start = position }
        depth += 1
      case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
        depth -= 1
        if depth == 0 {
          position += 1
          if let (name, isMacro) = definition(start) { return (name, start, position, isMacro) }
          continue
        }
      case UInt8(ascii: ";"):
        while position < bytes.count, bytes[position] != 10 { position += 1 }
        continue
      case UInt8(ascii: "\""):
        position += 1
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") { position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1 }
      case UInt8(ascii: "#") where position + 1 < bytes.count && bytes[position + 1] == UInt8(ascii: "|"):
        position += 2
        while position < bytes.count, bytes[position] != UInt8(ascii: "|") { position += 1 }
      case UInt8(ascii: "#") where position + 2 < bytes.count && bytes[position + 1] == UInt8(ascii: "\\"):
        position += 2
      default: break
      }
      position += 1
    }
    return nil
  }

  /// `(define name`, `(define (name`, `(defmacro name`, and whatever else begins with `(def`.
  func definition(_ start: Int) -> (UnsafeBufferPointer<UInt8>, isMacro: Bool)? {
    var at = start + 1
    let head = token(&at)
    guard head.count >= 3, head[0] == UInt8(ascii: "d"), head[1] == UInt8(ascii: "e"), head[2] == UInt8(ascii: "f") else { return nil }
    while at < bytes.count, bytes[at] <= 32 || bytes[at] == UInt8(ascii: "(") { at += 1 }
    let name = token(&at)
    return name.isEmpty ? nil : (name, head.count == 8 && head[3] == UInt8(ascii: "m"))
  }
  private func token(_ at: inout Int) -> UnsafeBufferPointer<UInt8> {
    let start = at
    while at < bytes.count, Reader.continuesIdentifier(bytes[at]) { at += 1 }
    return UnsafeBufferPointer(rebasing: bytes[start..<at])
  }
}
