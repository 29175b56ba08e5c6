import SX
import SXHost

/// A run for people: a line per suite, then every failure with its place, what was expected and what came.
struct TextReport: Sendable {
  let palette: Palette
  /// Columns of the suites' names.
  let nameWidth: Int
  let isVerbose: Bool

  // MARK: A suite

  /// One line; with `isVerbose` its cases and what it has printed as well.
  func line(_ report: SuiteReport) -> String {
    let mark = report.isGreen ? palette.good("ok  ") : palette.bad("FAIL")
    let name = report.suite.name + String(repeating: " ", count: max(0, nameWidth - report.suite.name.count))
    var text = "\(mark)  \(name)  \(report.counts)  \(palette.faint(Milliseconds.text(report.milliseconds)))\n"
    guard isVerbose else { return text }
    for ended in report.cases { text += line(ended) }
    if report.isGreen { text += output(report, by: 6) }
    return text
  }

  private func line(_ ended: CaseReport) -> String {
    let mark =
      switch ended.status {
      case .passed: palette.good("passed ")
      case .failed: palette.bad("failed ")
      case .skipped: palette.warning("skipped")
      }
    let reason = ended.status == .skipped ? ended.message.map { ": \($0)" } ?? "" : ""
    return "      \(mark)  \(Text.oneLine(ended.name))\(Text.oneLine(reason))  \(palette.faint("(\(Milliseconds.text(ended.milliseconds)))"))\n"
  }

  // MARK: Failures

  /// All failures of a suite, numbered on from `number`.
  func failures(_ report: SuiteReport, number: inout Int) -> String {
    guard !report.isGreen else { return "" }
    var text = ""
    for ended in report.cases where ended.status == .failed {
      number += 1
      text += "\n" + failure(ended, number)
    }
    if let problem = report.problem {
      number += 1
      text += "\n" + title(number, report.suite.name) + Text.indented(paintedReport(problem), by: 5)
    }
    if !isVerbose || !report.output.isEmpty { text += output(report, by: 5) }
    return text
  }

  private func title(_ number: Int, _ name: String) -> String { "\(number)) \(palette.bad(Text.oneLine(name)))\n" }

  private func failure(_ failed: CaseReport, _ number: Int) -> String {
    var text = title(number, failed.name) + "     \(palette.place(failed.place))\n"
    if let report = failed.report {
      // It has a source line of its own.
      return text + "\n" + Text.indented(paintedReport(Text.cut(report)), by: 5)
    }
    if let line = failed.line, let source = Self.sourceLine(line, of: failed.file) {
      text += "\n" + Text.indented(palette.faint("\(line) | ") + source, by: 7)
    }
    if let message = failed.message, !message.isEmpty, !isRepetition(message, failed) { text += "\n" + Text.indented(palette.strong(Text.cut(message)), by: 5) }
    return text + comparison(failed)
  }

  private func comparison(_ failed: CaseReport) -> String {
    guard let expected = failed.expected, let got = failed.got else { return "" }
    var text = "\n"
    // Where the parts are known, long wholes are just in the way; and the parts of short ones can be seen without help.
    let length = max(expected.unicodeScalars.count, got.unicodeScalars.count)
    if length <= Self.longestWhole || failed.differences.isEmpty { text += pair(expected, got, by: 5) }
    guard length > Self.longestObvious, !failed.differences.isEmpty else { return text }
    if length <= Self.longestWhole { text += "\n" }
    for difference in failed.differences {
      let sides = [difference.expected, difference.got]
      text += "     \(palette.faint("at")) \(palette.strong(difference.path))"
      if sides.allSatisfy({ ($0?.unicodeScalars.count ?? 0) <= 30 }) {
        let expected = difference.expected.map { palette.good(Text.cut($0)) } ?? palette.faint("nothing")
        text += "  expected \(expected), got \(difference.got.map { palette.bad(Text.cut($0)) } ?? palette.faint("nothing"))\n"
      } else {
        text += "\n" + pair(difference.expected, difference.got, by: 7)
      }
    }
    return text
  }

  private static let longestWhole = 200
  private static let longestObvious = 30

  private func pair(_ expected: String?, _ got: String?, by count: Int) -> String {
    Text.indented("expected  " + (expected.map { palette.good(Text.cut($0)) } ?? palette.faint("nothing")), by: count, hanging: 10)
      + Text.indented("got       " + (got.map { palette.bad(Text.cut($0)) } ?? palette.faint("nothing")), by: count, hanging: 10)
  }

  /// What the comparison below says as well.
  private func isRepetition(_ message: String, _ failed: CaseReport) -> Bool {
    guard let expected = failed.expected, let got = failed.got else { return false }
    return message.hasSuffix("expected \(expected), got \(got)") || failed.differences.first.map { message.hasSuffix("first difference at \($0.path)") } ?? false
  }

  private func output(_ report: SuiteReport, by count: Int) -> String {
    guard !report.output.isEmpty else { return "" }
    let spaces = String(repeating: " ", count: count)
    return (report.isGreen ? "" : "\n") + "\(spaces)\(palette.faint("output of \(report.suite.name):"))\n" + Text.indented(Text.cut(report.output.trailingBreaksRemoved, most: 20_000), by: count + 2)
  }

  /// An error as the command shows it, in colours.
  private func paintedReport(_ report: String) -> String {
    guard palette.isColored else { return report }
    return report.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      if line.hasPrefix("error: ") { return palette.bad("error") + palette.strong(String(line.dropFirst(5))) }
      if line.hasPrefix("  hint: ") { return palette.place("  hint:") + line.dropFirst(7) }
      if line.hasPrefix("  at ") || line.hasPrefix("  in ") || line.hasPrefix("  …") { return palette.faint(String(line)) }
      if let bar = line.firstIndex(of: "|"), line.contains("^"), line[line.index(after: bar)...].allSatisfy({ $0 == " " || $0 == "\t" || $0 == "^" }) {
        return palette.faint(String(line[...bar])) + palette.bad(String(line[line.index(after: bar)...]))
      }
      return String(line)
    }.joined(separator: "\n")
  }

  private static func sourceLine(_ number: Int, of file: String) -> String? {
    guard let bytes = try? Files.contents(of: file) else { return nil }
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    guard lines.indices.contains(number - 1) else { return nil }
    let line = String(decoding: lines[number - 1], as: UTF8.self)
    return Text.cut(String(line.drop { $0 == " " || $0 == "\t" }).replacing("\r", with: ""), most: 160)
  }

  // MARK: All suites

  /// The slowest cases, the slowest first.
  func slowest(_ count: Int, _ reports: [SuiteReport]) -> String {
    let slowest = reports.flatMap(\.cases).sorted { $0.milliseconds > $1.milliseconds }.prefix(count)
    guard !slowest.isEmpty else { return "" }
    let times = slowest.map { Milliseconds.text($0.milliseconds) }
    let width = times.map(\.count).max() ?? 0
    return "\nSlowest\n" + zip(slowest, times).map { ended, time in
      "  \(String(repeating: " ", count: width - time.count))\(time)  \(Text.oneLine(ended.name))  \(palette.faint(ended.place))\n"
    }.joined()
  }
}

extension String {
  /// Without line breaks at the end.
  fileprivate var trailingBreaksRemoved: String { String(self[..<(lastIndex { !$0.isNewline }.map(index(after:)) ?? startIndex)]) }
}

/// Text as it fits a report.
enum Text {
  static func indented(_ text: String, by count: Int, hanging: Int = 0) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
      .map { $1.isEmpty ? "\n" : String(repeating: " ", count: count + ($0 == 0 ? 0 : hanging)) + $1 + "\n" }.joined()
  }

  /// Names may be any text.
  static func oneLine(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? "·" : $0 }))
  }

  /// Control characters of a value must not reach the terminal.
  private static func visible(_ text: some StringProtocol) -> String { visible(text.unicodeScalars) }

  private static func visible(_ scalars: some Sequence<Unicode.Scalar>) -> String {
    var visible = String.UnicodeScalarView()
    for scalar in scalars {
      if scalar.value < 32 && scalar != "\n" && scalar != "\t" || (0x7F..<0xA0).contains(scalar.value) {
        let digits = String(scalar.value, radix: 16)
        visible.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars)
      } else {
        visible.append(scalar)
      }
    }
    return String(visible)
  }

  /// The beginning and the end of a very long text.
  static func cut(_ text: String, most: Int = 2000) -> String {
    let count = text.unicodeScalars.count
    guard count > most else { return visible(text) }
    let head = visible(text.unicodeScalars.prefix(most * 3 / 4)), tail = visible(text.unicodeScalars.suffix(most / 4))
    return "\(head) … \(count - most) more characters … \(tail)"
  }
}
