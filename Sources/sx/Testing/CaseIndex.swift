import SX
import SXHost

/// Where the cases of a file stand, found by reading it, not by running it. Cases that a function or a macro of the file makes are not in it.
struct CaseIndex {
  struct Entry {
    /// The names of the suites around it, the outermost first.
    let suites: [String]
    let name: String
    let form: SourceForm

    var lines: ClosedRange<Int> { form.location.line...max(form.location.line, form.location.endLine) }
  }

  private(set) var cases: [Entry] = []
  private var suites: [Entry] = []
  private var others: [SourceForm] = []

  private static let caseForms: Set<String> = ["deftest", "test", "deftest-skip"]
  private static let suiteForms: Set<String> = ["defsuite", "test-group"]

  /// - Throws: `HostError` or a `Diagnostic` for a file that cannot be read.
  init(_ suite: Suite, _ interpreter: Interpreter) throws {
    self.init(suite, try interpreter.outline(of: Files.contents(of: suite.path), file: suite.path))
  }

  init(_ suite: Suite, _ forms: [SourceForm]) {
    var open: [Entry] = []
    for form in forms {
      while let last = open.last, form.bytes.lowerBound >= last.form.bytes.upperBound { open.removeLast() }
      let entry = Entry(suites: open.map(\.name), name: form.name ?? "", form: form)
      if suite.isCase(form) {
        cases.append(entry)
      } else if case .deftest = suite.style, Self.suiteForms.contains(form.head) {
        suites.append(entry)
        open.append(entry)
      } else if form.isTopLevel {
        others.append(form)
      }
    }
  }

  /// The lines of what stands at a line: the innermost case or suite, or else any form at top level, which may make cases.
  func lines(around line: Int) -> ClosedRange<Int>? {
    if let found = (cases.last { $0.lines.contains(line) } ?? suites.last { $0.lines.contains(line) }) { return found.lines }
    return others.first { $0.location.line...$0.location.endLine ~= line }.map { $0.location.line...$0.location.endLine }
  }

  /// The line of the case that has this name.
  func line(of name: String) -> Int? { cases.first { $0.name == name }?.form.location.line }

  fileprivate static func isCase(_ form: SourceForm) -> Bool { caseForms.contains(form.head) }
}

extension Suite {
  /// Is this form a case, as far as its looks tell?
  func isCase(_ form: SourceForm) -> Bool {
    switch style {
    case .deftest: CaseIndex.isCase(form)
    case .counter: form.name != nil && form.head == testFunction
    }
  }

  /// The function that a suite in counter style calls for each case: `abc-test` where `abc-tests-run!` gives the counts.
  private var testFunction: String? {
    guard case .counter(let runner, _) = style, runner.hasSuffix("-tests-run!") else { return nil }
    return runner.dropLast("s-run!".count).description
  }
}
