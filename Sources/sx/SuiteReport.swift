import SX
import SXHost

/// What became of one suite: the report that prelude/test.sx gives, as plain data.
struct SuiteReport: Sendable {
  struct Case: Sendable {
    let suite: String
    let name: String
    let status: String
    let message: String?
    let expected: String?
    let got: String?
    let file: String?
    let line: Int?
    let milliseconds: Double

    init(_ event: Datum) {
      suite = event["suite"]?.string ?? ""
      name = event["case"]?.string ?? ""
      status = event["status"]?.string ?? "failed"
      message = event["message"]?.string
      expected = event["expected"]?.string
      got = event["got"]?.string
      file = event["file"]?.string
      line = event["line"]?.integer
      milliseconds = event["ms"]?.number ?? 0
    }
  }

  let suite: Suite
  let cases: [Case]
  let passed: Int
  let failed: Int
  let skipped: Int
  /// Why the suite as a whole is a failure, whatever its cases say.
  let problem: String?
  let output: String

  init(suite: Suite, data: Datum, output: String) {
    self.suite = suite
    self.output = output
    cases = data["events"]?.list?.map(Case.init) ?? []
    passed = data["passed"]?.integer ?? 0
    failed = data["failed"]?.integer ?? 0
    skipped = data["skipped"]?.integer ?? 0
    problem = data["error"]?.string
  }

  init(suite: Suite, problem: String, output: String) {
    self.suite = suite
    self.output = output
    self.problem = problem
    (cases, passed, failed, skipped) = ([], 0, 0, 0)
  }

  // MARK: For people

  /// One line when all is well; the failures otherwise.
  func rendered(verbose: Bool) -> String {
    var text = "\(isGreen ? "ok  " : "FAIL")  \(suite.name)  \(counts)\n"
    for testCase in cases where verbose || testCase.status == "failed" { text += rendered(testCase) }
    if let problem { text += indented(problem, by: 6) }
    if !output.isEmpty && (verbose || !isGreen) { text += "      output:\n" + indented(output, by: 8) }
    return text
  }

  /// Nothing ran, and nothing went wrong: the filter left no case over.
  var isEmpty: Bool { passed + failed + skipped == 0 && problem == nil }

  var isGreen: Bool { failed == 0 && problem == nil }

  private var counts: String {
    ["\(passed) passed", failed > 0 ? "\(failed) failed" : nil, skipped > 0 ? "\(skipped) skipped" : nil]
      .compactMap { $0 }.joined(separator: ", ")
  }

  private func rendered(_ testCase: Case) -> String {
    // A suite that is named like its row needs no second mention.
    let group = testCase.suite.isEmpty ? suite.name : testCase.suite
    let name = "\(group) > \(testCase.name)"
    guard testCase.status == "failed" else {
      return "      \(testCase.status)  \(name)  (\(tenths(testCase.milliseconds)) ms)\n"
    }
    let place = "\(testCase.file ?? suite.path)\((testCase.line ?? line(naming: testCase)).map { ":\($0)" } ?? "")"
    var text = "      failed  \(name)  \(place)\n"
    if let expected = testCase.expected {
      text += indented("expected  \(expected)", by: 14)
      text += indented("got       \(testCase.got ?? "")", by: 14)
    }
    if let message = testCase.message, !message.isEmpty, !isRepetition(message, testCase) { text += indented(message, by: 14) }
    return text
  }

  /// Where a suite that counts for itself spells the name of a case: it does not tell the line.
  private func line(naming testCase: Case) -> Int? {
    guard let bytes = try? Files.contents(of: testCase.file ?? suite.path) else { return nil }
    let quoted = "\"\(testCase.name)\""
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).firstIndex { $0.contains(quoted) }.map { $0 + 1 }
  }

  /// The default message of an assertion says what the two lines above it say.
  private func isRepetition(_ message: String, _ testCase: Case) -> Bool {
    guard let expected = testCase.expected, let got = testCase.got else { return false }
    return message.hasSuffix("expected \(expected), got \(got)")
  }

  private func tenths(_ number: Double) -> Double { (number * 10).rounded() / 10 }

  private func indented(_ text: String, by count: Int) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.isEmpty ? "\n" : String(repeating: " ", count: count) + $0 + "\n" }.joined()
  }
}

/// The sum over all suites.
struct SuiteTotals {
  private(set) var passed = 0
  private(set) var failed = 0
  private(set) var skipped = 0
  private var note = ""

  init(_ reports: [SuiteReport], filter: String?) {
    for report in reports {
      passed += report.passed
      failed += report.failed
      skipped += report.skipped
      // A suite that broke off counts as a failure even if every case that it reached has passed.
      if report.failed == 0 && report.problem != nil { failed += 1 }
    }
    if passed + failed + skipped == 0 {
      failed = 1
      note = filter.map { "no case's name contains \($0)\n" } ?? "no case was run\n"
    }
  }

  var rendered: String {
    note + "\(passed) passed, \(failed) failed" + (skipped > 0 ? ", \(skipped) skipped" : "") + "\n"
  }
}
