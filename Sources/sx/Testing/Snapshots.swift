import SX
import SXHost

/// A value that an `assert-snapshot` is to expect from now on.
struct Snapshot: Sendable {
  let file: String
  /// Where the form stands.
  let line: Int
  let column: Int
  let text: String
}

/// The values of the snapshots of one suite, as they come in.
struct SnapshotCollector {
  let isAccepting: Bool
  private var values: [Snapshot] = []
  private var conflicts: Set<[Int]> = []
  /// What the files were when they were read.
  private var sources: [String: [UInt8]] = [:]

  init(isAccepting: Bool) { self.isAccepting = isAccepting }

  mutating func note(_ bytes: [UInt8], of path: String) {
    if isAccepting { sources[path] = bytes }
  }

  /// - Parameter event: {:file :line :column :text}.
  /// - Returns: true when the value is taken, false when none is wanted, a text when this one cannot be.
  mutating func answer(_ event: Datum) -> Datum {
    guard isAccepting else { return false }
    guard let file = event["file"]?.string, let line = event["line"]?.integer, let column = event["column"]?.integer,
      let text = event["text"]?.string, sources[file] != nil
    else { return "this snapshot stands in no file that could be written" }
    guard let known = values.first(where: { $0.file == file && $0.line == line && $0.column == column }) else {
      values.append(Snapshot(file: file, line: line, column: column, text: text))
      return true
    }
    if known.text == text { return true }
    conflicts.insert([line, column])
    return "this snapshot is reached several times with different values, so none of them is written"
  }

  /// What is to be written.
  var accepted: [Snapshot] { values.filter { !conflicts.contains([$0.line, $0.column]) } }
}

/// Writes accepted values into the source files, and leaves every other byte as it was.
struct SnapshotWriter {
  let interpreter: Interpreter

  /// - Returns: what was written, for people: a line per file.
  /// - Throws: `HostError` when a file cannot be written, or is not what it was.
  func write(_ snapshots: [Snapshot]) throws -> [String] {
    let files = Dictionary(grouping: snapshots, by: \.file)
    return try files.keys.sorted().map { file in
      let count = try write(files[file] ?? [], to: file)
      return "\(count) snapshot\(count == 1 ? "" : "s") written to \(file)"
    }
  }

  private func write(_ snapshots: [Snapshot], to file: String) throws -> Int {
    var bytes = try Files.contents(of: file)
    let forms = try interpreter.outline(of: bytes, file: file).filter { $0.head == "assert-snapshot" }
    // Two suites may have loaded the same file.
    var seen: Set<[Int]> = []
    let unique = snapshots.filter { seen.insert([$0.line, $0.column]).inserted }
    let edits = try unique.map { snapshot -> (range: Range<Int>, text: [UInt8]) in
      guard let form = forms.first(where: { $0.location.line == snapshot.line && $0.location.column == snapshot.column }) else {
        throw HostError("\(file):\(snapshot.line): the file has changed while its cases ran; no snapshot was written to it")
      }
      return try edit(form, snapshot.text, bytes, file)
    }
    // From the end, so that the places of those before stay what they are. A snapshot inside another one is written with it.
    for edit in edits.sorted(by: { $0.range.lowerBound > $1.range.lowerBound }) { bytes.replaceSubrange(edit.range, with: edit.text) }
    try Files.replace(file, with: bytes)
    return unique.count
  }

  private func edit(_ form: SourceForm, _ text: String, _ bytes: [UInt8], _ file: String) throws -> (range: Range<Int>, text: [UInt8]) {
    let elements = try interpreter.elements(ofListAt: form.bytes.lowerBound, in: bytes, file: file) ?? []
    let literal = Array(StringLiteral.of(text, .source).utf8)
    if elements.count > 2 { return (elements[2], literal) }
    guard let value = elements.last else { throw HostError("\(file):\(form.location.line): assert-snapshot needs an expression") }
    return (value.upperBound..<value.upperBound, [UInt8(ascii: " ")] + literal)
  }
}
