/// A run in the Test Anything Protocol, version 14 (https://testanything.org): a line per case, and what a failure has to say as YAML below it.
struct TAPReport {
  let reports: [SuiteReport]
  let totals: SuiteTotals

  var text: String {
    var points: [String] = []
    for report in reports {
      for ended in report.cases { points.append(point(ended, points.count + 1)) }
      let untold = report.passed - report.cases.count { $0.status == .passed }
      for number in stride(from: 1, through: untold, by: 1) {
        points.append("ok \(points.count + 1) - \(description("\(report.suite.name) > passed case \(number)"))\n")
      }
      if let problem = report.problem {
        points.append("not ok \(points.count + 1) - \(description(report.suite.name))\n" + block([("message", problem), ("at", report.suite.path)]))
      }
    }
    return "TAP version 14\n1..\(points.count)\n" + points.joined() + "# \(totals.line)\n"
  }

  private func point(_ ended: CaseReport, _ number: Int) -> String {
    let line = "\(number) - \(description(ended.name))"
    switch ended.status {
    case .passed: return "ok \(line)\n"
    case .skipped: return "ok \(line) # SKIP\(ended.message.map { " " + oneLine($0) } ?? "")\n"
    case .failed:
      var entries: [(String, String)] = [("message", ended.message ?? "failed"), ("at", ended.place)]
      if let expected = ended.expected { entries += [("expected", expected), ("got", ended.got ?? "")] }
      for difference in ended.differences {
        entries.append(("at \(difference.path)", "expected \(difference.expected ?? "nothing"), got \(difference.got ?? "nothing")"))
      }
      if let report = ended.report { entries.append(("error", report)) }
      return "not ok \(line)\n" + block(entries)
    }
  }

  /// A `#` would begin a directive.
  private func description(_ text: String) -> String {
    oneLine(text).map { $0 == "#" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
  }

  private func oneLine(_ text: String) -> String { Text.oneLine(text) }

  private func block(_ entries: [(name: String, value: String)]) -> String {
    "  ---\n" + entries.map { "  \(plain($0.name)): \(quoted($0.value))\n" }.joined() + "  ...\n"
  }

  private func plain(_ name: String) -> String {
    name.utf8.allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) } ? name : quoted(name)
  }

  /// A double-quoted scalar of YAML, which can hold every text on one line.
  private func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\t": quoted += "\\t"
      case "\r": quoted += "\\r"
      case _ where scalar.value < 32 || (0x7F..<0xA0).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029 || scalar.value == 0xFEFF || scalar.value & 0xFFFE == 0xFFFE:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
