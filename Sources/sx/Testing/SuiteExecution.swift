import SX
import SXHost

/// One suite in an interpreter of its own. Confined to the thread that runs it.
final class SuiteExecution {
  private let suite: Suite
  private let run: TestRun
  private var snapshots: SnapshotCollector
  private var report: SuiteReport
  /// How many cases were asked for, run or not.
  private var met = 0
  /// Cases that an earlier interpreter has dealt with, before it was stopped.
  private var done = 0
  /// The case that is running, as its start was told.
  private var current: Datum?
  /// Cases end sooner than the text of their file is needed.
  private lazy var index = try? CaseIndex(suite, Interpreter())

  init(_ suite: Suite, _ run: TestRun) {
    self.suite = suite
    self.run = run
    report = SuiteReport(suite: suite, files: [suite.path])
    snapshots = SnapshotCollector(isAccepting: run.settings.acceptsSnapshots)
  }

  /// Runs the suite.
  func perform() -> SuiteReport {
    let start = ContinuousClock.now
    // What a case that took too long leaves undone, a fresh interpreter goes on with.
    while case .stopped = attempt() {}
    report.milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
    report.snapshots = snapshots.accepted
    return report
  }

  private enum Ending {
    case complete
    /// A case took too long, and others may follow.
    case stopped
  }

  private func attempt() -> Ending {
    let host = SystemHost(SystemHost.Configuration(arguments: [suite.path], output: .captured))
    let interpreter = Interpreter(host: host)
    // For `make test-stress`: a collection at every safepoint.
    interpreter.stressesCollector = host.environment("SX_GC_STRESS") != nil
    // `(exit 0)` in a suite must not look like success.
    var exitStatus: Int32?
    host.onExit = { status in
      exitStatus = status
      interpreter.cancellation.cancel()
    }
    host.reader = { [unowned self] path in try contents(of: path) }
    let deadline = Deadline(seconds: run.settings.timeout) { [cancellation = interpreter.cancellation, mailbox = host.mailbox] in
      cancellation.cancel()
      // It may wait for events; an empty one lets it look up.
      mailbox.post { _ in }
    }
    defer { deadline.stop() }
    met = 0
    current = nil
    interpreter.define("test/-host") { [unowned self] (event: Datum) -> Datum in
      deadline.restart()
      return answer(event, interpreter.cancellation)
    }
    defer { report.output += host.takeOutput() }
    do {
      let result = try result(interpreter).datum()
      if exitStatus == nil {
        finish(result)
        return .complete
      }
    } catch {
      if exitStatus == nil { return deadline.hasPassed ? timedOut(error) : failed(error) }
    }
    report.count()
    report.problem = "\(suite.path): the suite called (exit \(exitStatus ?? 0))" + (current.map { " in the case \(name(of: $0))" } ?? "")
    return .complete
  }

  private func result(_ interpreter: Interpreter) throws -> Handle {
    switch suite.style {
    case .deftest:
      let run = try interpreter.evaluate("test/run-file", file: "<sx test>")
      return try interpreter.call(run, [.string(suite.path), self.run.settings.seed.map { .integer($0) } ?? .null])
    case .counter(let runner, let modules):
      let run = try interpreter.evaluate("test/run-counter", file: "<sx test>")
      return try interpreter.call(run, [.string(suite.path), .string(runner), .list(modules.map { .string($0) })])
    }
  }

  private func contents(of path: String) throws -> [UInt8] {
    if !report.files.contains(path) { report.files.append(path) }
    let bytes = try Files.contents(of: path)
    snapshots.note(bytes, of: path)
    guard case .counter = suite.style, path == suite.path, !run.settings.selection.isWhole(suite), let index else { return bytes }
    return run.settings.selection.blankingOthers(in: bytes, of: suite, index)
  }

  // MARK: While it runs

  private func answer(_ event: Datum, _ cancellation: Cancellation) -> Datum {
    switch event["kind"]?.string {
    case "start":
      met += 1
      guard met > done, !run.isStopping, run.settings.selection.includes(name(of: event), line: line(of: event), of: suite) else { return false }
      current = event
      return true
    case "end":
      current = nil
      var ended = CaseReport(event, of: suite)
      if ended.line == nil, let name = event["case"]?.string { ended.line = index?.line(of: name) }
      // Cases that were not asked for before they ran: those of counting suites, and of suites with forms of their own.
      if event["file"]?.isNull ?? true, event["case"]?.isNull == false, !run.settings.selection.includes(ended.name, line: ended.line, of: suite) { return true }
      add(ended)
      if run.isStopping, case .counter = suite.style { cancellation.cancel() }
      return true
    case "snapshot": return snapshots.answer(event)
    default: return false
    }
  }

  private func add(_ ended: CaseReport) {
    report.cases.append(ended)
    if ended.status == .failed { run.noteFailure() }
    run.progress.note(ended, in: suite)
  }

  private func name(of event: Datum) -> String {
    [event["suite"]?.string.flatMap { $0.isEmpty ? nil : $0 } ?? suite.name, event["case"]?.string].compactMap { $0 }.joined(separator: " > ")
  }

  /// Lines of other files, which the suite has loaded, are not those that were asked for.
  private func line(of event: Datum) -> Int? {
    event["file"]?.string == suite.path ? event["line"]?.integer : nil
  }

  // MARK: In the end

  private func finish(_ result: Datum) {
    report.problem = result["error"]?.string
    report.count()
    guard case .counter = suite.style, run.settings.selection.isWhole(suite), result["told"]?.bool != true else {
      // A file whose cases were all turned into spaces has none.
      if !run.settings.selection.isWhole(suite), report.cases.isEmpty, result["seen"]?.integer == 0 { report.problem = nil }
      return
    }
    // The file knows better than we do what it has counted.
    report.cases = (result["events"]?.list ?? []).map { event in
      var failed = CaseReport(event, of: suite)
      failed.line = failed.line ?? event["case"]?.string.flatMap { index?.line(of: $0) }
      return failed
    }
    report.passed = result["passed"]?.integer ?? 0
    report.failed = result["failed"]?.integer ?? 0
  }

  private func failed(_ error: any Error) -> Ending {
    report.count()
    // The run was stopped by a failure that is told already.
    if run.isStopping, report.failed > 0 { return .complete }
    report.problem = Program.describe(error)
    return .complete
  }

  private func timedOut(_ error: any Error) -> Ending {
    let limit = "took longer than \(Milliseconds.text((run.settings.timeout ?? 0) * 1000))"
    guard let started = current else {
      report.count()
      report.problem = "\(suite.path): \(limit) " + (report.cases.last.map { "after the case \($0.name)" } ?? "before its first case") + place(of: error)
      return .complete
    }
    var ended = CaseReport(started, of: suite)
    ended.message = limit
    ended.milliseconds = (run.settings.timeout ?? 0) * 1000
    if var diagnostic = error as? Diagnostic {
      diagnostic.dropCalls(from: ["test/-observe", "test/-attempt"])
      diagnostic.message = limit
      if diagnostic.location?.file == suite.path { ended.line = diagnostic.location?.line }
      if diagnostic.location != nil { ended.report = diagnostic.rendered(color: false) }
    }
    add(ended)
    done = met
    report.count()
    return .stopped
  }

  private func place(of error: any Error) -> String {
    (error as? Diagnostic)?.location.map { ", at \($0.file):\($0.line):\($0.column)" } ?? ""
  }
}
