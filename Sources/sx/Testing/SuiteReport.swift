import SX

/// What became of one case.
struct CaseReport: Sendable {
  enum Status: String, Sendable { case passed, failed, skipped }

  /// A part in which two values differ; the side that does not have it is nil.
  struct Difference: Sendable {
    let path: String
    let expected: String?
    let got: String?
  }

  /// "outer > inner > case".
  let name: String
  /// The names of the suites alone.
  let group: String
  var status: Status
  var message: String?
  var expected: String?
  var got: String?
  var differences: [Difference] = []
  /// An error as the command shows it: with its source line and the calls that led to it.
  var report: String?
  var file: String
  var line: Int?
  var milliseconds: Double

  /// From an event of prelude/test.sx.
  init(_ event: Datum, of suite: Suite) {
    // A suite that is named like its row needs no second mention.
    let group = event["suite"]?.string ?? ""
    self.group = group.isEmpty ? suite.name : group
    name = [self.group, event["case"]?.string].compactMap { $0 }.joined(separator: " > ")
    status = event["status"]?.string.flatMap(Status.init) ?? .failed
    message = event["message"]?.string
    expected = event["expected"]?.string
    got = event["got"]?.string
    differences = (event["differences"]?.list ?? []).map {
      Difference(path: $0["path"]?.string ?? "", expected: $0["expected"]?.string, got: $0["got"]?.string)
    }
    report = event["report"]?.string
    file = event["file"]?.string ?? suite.path
    line = event["line"]?.integer
    milliseconds = event["ms"]?.number ?? 0
  }

  /// Makes a failure of a case that has passed by its own lights.
  mutating func fail(_ why: String) {
    status = .failed
    message = why
  }

  /// The same because of a fiber that nobody waits for.
  mutating func fail(_ fiber: Diagnostic) {
    var fiber = fiber
    fiber.message = "a spawned fiber has failed: " + fiber.message
    fail(fiber.message)
    report = fiber.rendered(color: false)
  }

  var place: String { file + (line.map { ":\($0)" } ?? "") }
}

/// What became of one suite.
struct SuiteReport: Sendable {
  let suite: Suite
  var cases: [CaseReport] = []
  var passed = 0
  var failed = 0
  var skipped = 0
  /// Why the suite as a whole is a failure, whatever its cases say.
  var problem: String?
  /// What it printed.
  var output = ""
  var milliseconds = 0.0
  /// Everything it has read: itself first.
  var files: [String] = []
  /// Values for `assert-snapshot` that were accepted.
  var snapshots: [Snapshot] = []

  var isGreen: Bool { failed == 0 && problem == nil }

  /// Nothing ran, and nothing went wrong: the filter left no case over.
  var isEmpty: Bool { passed + failed + skipped == 0 && problem == nil }

  var counts: String {
    ["\(passed) passed", failed > 0 ? "\(failed) failed" : nil, skipped > 0 ? "\(skipped) skipped" : nil].compactMap { $0 }.joined(separator: ", ")
  }

  /// The counts of the cases as they are.
  mutating func count() {
    passed = cases.count { $0.status == .passed }
    failed = cases.count { $0.status == .failed }
    skipped = cases.count { $0.status == .skipped }
  }
}

/// The sum over all suites.
struct SuiteTotals {
  private(set) var passed = 0
  private(set) var failed = 0
  private(set) var skipped = 0
  /// No case was there to run: a failure, because nobody asks for that.
  private(set) var isEmpty = false

  init(_ reports: [SuiteReport]) {
    for report in reports {
      passed += report.passed
      failed += report.failed
      skipped += report.skipped
      // A suite that broke off counts as a failure even if every case that it reached has passed.
      if report.failed == 0 && report.problem != nil { failed += 1 }
    }
    if passed + failed + skipped == 0 {
      failed = 1
      isEmpty = true
    }
  }

  /// What the run ends with. Scripts read this.
  var line: String { "\(passed) passed, \(failed) failed" + (skipped > 0 ? ", \(skipped) skipped" : "") }
}
