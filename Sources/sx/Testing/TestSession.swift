import SX
import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the command line asks for.
struct TestRequest: Sendable {
  var names: [String]
  var settings: TestSettings
  var isVerbose: Bool
  var slowest: Int?
  /// Where a report as JUnit XML goes.
  var junit: String?
  var isTAP: Bool
}

/// From the names of suites to what stands on the terminal.
struct TestSession {
  let console = Console()
  private let request: TestRequest
  private let interpreter: Interpreter

  init(_ request: TestRequest, _ interpreter: Interpreter) {
    self.request = request
    self.interpreter = interpreter
  }

  private func suites() throws -> [Suite] {
    try SuiteSelection(interpreter).suites(named: request.names)
  }

  /// The suites without running them.
  func list() throws {
    for suite in try suites() {
      console.write("\(suite.name)  \(suite.path)\n")
      guard request.isVerbose, let index = try? CaseIndex(suite, interpreter) else { continue }
      for entry in index.cases {
        let name = ((entry.suites.isEmpty ? [suite.name] : entry.suites) + [entry.name]).joined(separator: " > ")
        guard request.settings.selection.includes(name, line: entry.form.location.line, of: suite) else { continue }
        console.write("      \(suite.path):\(entry.form.location.line)  \(Text.oneLine(name))\n")
      }
    }
  }

  /// - Returns: whether all is well.
  func run() throws -> Bool { try run(suites()).isGreen }

  // MARK: One run

  private struct Outcome {
    let reports: [SuiteReport]
    let isGreen: Bool
  }

  private func run(_ suites: [Suite]) throws -> Outcome {
    let start = ContinuousClock.now
    let suites = request.settings.seed.map { shuffled(suites, seed: $0) } ?? suites
    let progress = Progress(console, suites: suites.count)
    let run = TestRun(request.settings, progress)
    let text = TextReport(palette: console.palette, nameWidth: suites.map(\.name.count).max() ?? 0, isVerbose: request.isVerbose)
    let reports = try SuiteRunner(run: run).reports(on: suites) { [request, console] report in
      guard !request.isTAP, !report.isEmpty || request.isVerbose || request.settings.selection.isWhole(report.suite) else { return }
      console.write(text.line(report))
    }
    progress.end()
    let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
    let totals = SuiteTotals(reports)
    // First, because a file that cannot be written must not hide behind a green run.
    if let junit = request.junit { try Files.replace(junit, with: Array(JUnitReport(reports: reports, milliseconds: milliseconds).text.utf8)) }
    // Failures show lines of the sources as they were when the cases ran.
    var number = 0
    let failures = reports.map { text.failures($0, number: &number) }.joined()
    let written = try SnapshotWriter(interpreter: interpreter).write(reports.flatMap(\.snapshots))
    if request.isTAP {
      console.write(TAPReport(reports: reports, totals: totals).text)
    } else {
      console.write(failures + ending(text, reports, totals, milliseconds, leftOut: suites.count - reports.count, written))
    }
    return Outcome(reports: reports, isGreen: totals.failed == 0)
  }

  private func ending(_ text: TextReport, _ reports: [SuiteReport], _ totals: SuiteTotals, _ milliseconds: Double, leftOut: Int, _ written: [String]) -> String {
    let slowest = request.slowest.map { text.slowest($0, reports) } ?? ""
    var lines = written
    if leftOut > 0 { lines.append("stopped at the first failure; \(leftOut) suite\(leftOut == 1 ? "" : "s") not run") }
    if totals.isEmpty { lines.append(request.settings.selection.filter.map { "no case's name contains \($0)" } ?? "no case was run") }
    if let seed = request.settings.seed { lines.append("random order; --seed \(seed) repeats it") }
    lines.append(console.palette.faint("\(reports.count) suite\(reports.count == 1 ? "" : "s") in \(Milliseconds.text(milliseconds))"))
    let last = totals.failed == 0 ? console.palette.good(totals.line) : console.palette.bad(totals.line)
    return slowest + "\n" + lines.map { $0 + "\n" }.joined() + last + "\n"
  }

  /// The same on every machine.
  private func shuffled(_ suites: [Suite], seed: Int) -> [Suite] {
    var generator = SplitMix(state: UInt64(seed))
    return suites.shuffled(using: &generator)
  }

  // MARK: Again and again

  /// Runs the suites, and again those that a changed file can affect, until the process ends.
  func watch() throws -> Never {
    var watched = WatchedFiles()
    /// What each suite has read, and whether it was green, when it ran last.
    var known: [String: (files: Set<String>, isGreen: Bool)] = [:]
    var changed: Set<String>?
    while true {
      console.clearScreen()
      watched.add(SuiteSelection.files + PreludeFolder.files)
      do {
        var chosen = try suites()
        let everything = Set(SuiteSelection.files + PreludeFolder.files)
        if let changed, changed.isDisjoint(with: everything) {
          chosen = chosen.filter { suite in known[suite.path].map { !$0.files.isDisjoint(with: changed) } ?? true }
        }
        let paths = chosen.map(\.path)
        watched.add(paths)
        if !chosen.isEmpty {
          for report in try run(chosen).reports {
            known[report.suite.path] = (Set(report.files), report.isGreen)
            watched.add(report.files)
            // Our own doing is no reason to run again.
            if !report.snapshots.isEmpty { watched.renew(report.snapshots.map(\.file)) }
          }
        }
        let others = known.filter { !$0.value.isGreen && !paths.contains($0.key) }.keys.sorted()
        if !others.isEmpty { console.write("failed before, and not run again: \(others.joined(separator: ", "))\n") }
      } catch {
        // What was wrong from the beginning is no matter of waiting.
        if known.isEmpty { throw error }
        console.write(Program.describe(error) + "\n")
      }
      console.write(console.palette.faint("watching \(watched.count) file\(watched.count == 1 ? "" : "s"); Ctrl-C leaves") + "\n")
      changed = wait(&watched)
    }
  }

  /// Waits for a change, and until an editor has finished with what belongs together.
  private func wait(_ watched: inout WatchedFiles) -> Set<String> {
    var changed: Set<String> = []
    while true {
      usleep(100_000)
      let more = watched.changes()
      if more.isEmpty && !changed.isEmpty { return changed }
      changed.formUnion(more)
    }
  }
}

/// A small generator with a seed, after Steele, Lea and Flood.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
