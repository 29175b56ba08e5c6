/// A run as JUnit XML, as continuous integration reads it: one `testsuite` per suite, one `testcase` per case.
///
/// A suite that as a whole is a failure has a case of its own for that, with an `error`.
struct JUnitReport {
  let reports: [SuiteReport]
  let milliseconds: Double

  var text: String {
    let totals = reports.reduce(into: (tests: 0, failures: 0, errors: 0, skipped: 0)) { sum, report in
      sum.tests += count(report)
      sum.failures += report.failed
      sum.errors += report.problem == nil ? 0 : 1
      sum.skipped += report.skipped
    }
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <testsuites name="sx" tests="\(totals.tests)" failures="\(totals.failures)" errors="\(totals.errors)" skipped="\(totals.skipped)" time="\(seconds(milliseconds))">
      \(reports.map(element).joined())</testsuites>

      """
  }

  private func count(_ report: SuiteReport) -> Int {
    report.passed + report.failed + report.skipped + (report.problem == nil ? 0 : 1)
  }

  private func element(_ report: SuiteReport) -> String {
    var text = "  <testsuite \(attributes([("name", report.suite.name), ("file", report.suite.path)]))"
    text += " tests=\"\(count(report))\" failures=\"\(report.failed)\" errors=\"\(report.problem == nil ? 0 : 1)\" skipped=\"\(report.skipped)\" time=\"\(seconds(report.milliseconds))\">\n"
    for ended in report.cases { text += element(ended) }
    // A counting suite tells how many cases have passed, and not always which.
    let untold = report.passed - report.cases.count { $0.status == .passed }
    for number in stride(from: 1, through: untold, by: 1) {
      text += "    <testcase \(attributes([("classname", report.suite.name), ("name", "passed case \(number)"), ("file", report.suite.path)])) time=\"0\"/>\n"
    }
    if let problem = report.problem {
      text += "    <testcase \(attributes([("classname", report.suite.name), ("name", "(the suite as a whole)"), ("file", report.suite.path)])) time=\"0\">\n"
      text += "      <error \(attributes([("message", String(problem.prefix { $0 != "\n" }))]))>\(escaped(problem))</error>\n    </testcase>\n"
    }
    if !report.output.isEmpty { text += "    <system-out>\(escaped(report.output))</system-out>\n" }
    return text + "  </testsuite>\n"
  }

  private func element(_ ended: CaseReport) -> String {
    let name = ended.name.hasPrefix(ended.group + " > ") ? String(ended.name.dropFirst(ended.group.count + 3)) : ended.name
    var names = [("classname", ended.group), ("name", name), ("file", ended.file)]
    if let line = ended.line { names.append(("line", "\(line)")) }
    let opening = "    <testcase \(attributes(names)) time=\"\(seconds(ended.milliseconds))\""
    switch ended.status {
    case .passed: return opening + "/>\n"
    case .skipped: return opening + ">\n      <skipped\(ended.message.map { " " + attributes([("message", $0)]) } ?? "")/>\n    </testcase>\n"
    case .failed:
      return opening + ">\n      <failure \(attributes([("message", ended.message ?? "failed"), ("type", ended.expected == nil ? "error" : "assertion")]))>\(escaped(details(ended)))</failure>\n    </testcase>\n"
    }
  }

  private func details(_ failed: CaseReport) -> String {
    var lines = [failed.place]
    if let expected = failed.expected { lines += ["expected: \(expected)", "got:      \(failed.got ?? "")"] }
    for difference in failed.differences {
      lines.append("at \(difference.path): expected \(difference.expected ?? "nothing"), got \(difference.got ?? "nothing")")
    }
    if let report = failed.report { lines.append(report) }
    return lines.joined(separator: "\n")
  }

  private func attributes(_ pairs: [(name: String, value: String)]) -> String {
    pairs.map { "\($0.name)=\"\(escaped($0.value, inAttribute: true))\"" }.joined(separator: " ")
  }

  private func seconds(_ milliseconds: Double) -> String {
    let microseconds = Int((milliseconds * 1000).rounded())
    let fraction = String(microseconds % 1_000_000)
    return "\(microseconds / 1_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)"
  }

  /// XML 1.0 has no way to write most control characters, not even as a reference: they appear as `\u001b`, as SX writes them.
  private func escaped(_ text: String, inAttribute: Bool = false) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += inAttribute ? "&quot;" : "\""
      // A parser turns bare ones into spaces in attributes, and a carriage return into a line feed everywhere.
      case "\n", "\t": escaped += inAttribute ? "&#\(scalar.value);" : String(Character(scalar))
      case "\r": escaped += "&#13;"
      case _ where scalar.value < 32 || (0x7F..<0xA0).contains(scalar.value) || scalar.value & 0xFFFE == 0xFFFE:
        let digits = String(scalar.value, radix: 16)
        escaped += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
