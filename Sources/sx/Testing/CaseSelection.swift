import SX

/// Which cases are to run: those whose name contains a text, and those that stand in certain lines.
struct CaseSelection: Sendable {
  /// A part of "suite > case".
  let filter: String?

  /// Everything is to run.
  func isWhole(_ suite: Suite) -> Bool { filter == nil && suite.lines == nil }

  /// - Parameter line: where the case begins, in the file of the suite; nil where that is not known.
  func includes(_ name: String, line: Int?, of suite: Suite) -> Bool {
    if let filter, !name.contains(filter) { return false }
    guard let lines = suite.lines else { return true }
    return line.map { line in lines.contains { $0.contains(line) } } ?? false
  }

  /// What is not to run of a suite that counts for itself: such a file runs its cases while it loads, so those that were not chosen
  /// are turned into spaces. Everything else keeps its place.
  func blankingOthers(in source: [UInt8], of suite: Suite, _ index: CaseIndex) -> [UInt8] {
    var source = source
    for entry in index.cases where entry.form.isTopLevel {
      guard !includes("\(suite.name) > \(entry.name)", line: entry.form.location.line, of: suite) else { continue }
      for position in entry.form.bytes where source[position] != UInt8(ascii: "\n") { source[position] = UInt8(ascii: " ") }
    }
    return source
  }
}
