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
  /// Cases that have begun and not ended.
  private var begun: [Datum] = []
  /// Failures of fibers that nobody waits for, which no case is known to have started.
  private var strays: [Diagnostic] = []
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
    // What a case that took too much leaves undone, a fresh interpreter goes on with.
    while case .stopped = attempt() {}
    report.milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
    report.snapshots = snapshots.accepted
    return report
  }

  private enum Ending {
    case complete
    /// A case took too long or too much memory, and others may follow.
    case stopped
  }

  private func attempt() -> Ending {
    let host = SystemHost(SystemHost.Configuration(arguments: [suite.path], output: .captured))
    let interpreter = Interpreter(host: host, capabilities: .all)
    interpreter.heapLimit = run.settings.heapLimit
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
    begun = []
    strays = []
    interpreter.onFiberFailure = { [unowned self] diagnostic in
      // One that was stopped together with everything else has not failed.
      if exitStatus == nil, !deadline.hasPassed { fiberFailed(diagnostic) }
    }
    interpreter.define("test/-host") { [unowned self] (event: Datum) -> Datum in
      let isLate = deadline.hasPassed
      if isLate {
        // The time was up in a primitive, which hears nothing: the case has ended by itself, and what was to end it must not hit the next one.
        interpreter.cancellation.withdraw()
        deadline.renew()
      } else {
        deadline.restart()
      }
      return answer(event, interpreter.cancellation, isLate: isLate)
    }
    defer { report.output += host.takeOutput() }
    do {
      let result = try result(interpreter).datum()
      // Fibers that the last cases have left get their turn.
      _ = interpreter.runReady { exitStatus == nil && !deadline.hasPassed }
      if exitStatus == nil {
        failUnended()
        finish(result)
        return .complete
      }
    } catch {
      if exitStatus == nil { return deadline.hasPassed ? stopped(error, limit) : isOutOfMemory(error) ? stopped(error, "out of memory") : failed(error) }
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

  /// - Parameter isLate: the time was up before the event came.
  private func answer(_ event: Datum, _ cancellation: Cancellation, isLate: Bool) -> Datum {
    switch event["kind"]?.string {
    case "start":
      met += 1
      guard met > done, !run.isStopping, run.settings.selection.includes(name(of: event), line: line(of: event), of: suite) else { return false }
      current = event
      begun.append(event)
      return true
    case "end":
      current = nil
      if let at = begun.lastIndex(where: { name(of: $0) == name(of: event) }) { begun.remove(at: at) }
      var ended = CaseReport(event, of: suite)
      if ended.line == nil, let name = event["case"]?.string { ended.line = index?.line(of: name) }
      // Cases that were not asked for before they ran: those of counting suites, and of suites with forms of their own.
      if event["file"]?.isNull ?? true, event["case"]?.isNull == false, !run.settings.selection.includes(ended.name, line: ended.line, of: suite) { return true }
      if isLate, ended.status == .passed { ended.fail(limit) }
      if ended.status == .passed, let stray = strays.popLast() { ended.fail(stray) }
      add(ended)
      if run.isStopping, case .counter = suite.style { cancellation.cancel() }
      return true
    case "snapshot": return snapshots.answer(event)
    default: return false
    }
  }

  /// A case that a continuation has left, or that waits in a fiber or coroutine that nobody goes on with, has tested nothing.
  private func failUnended() {
    guard !run.isStopping else { return }
    for started in begun {
      var ended = CaseReport(started, of: suite)
      ended.fail("the case began, and has not come to its end: a jump has left it, or it waits")
      add(ended)
    }
    begun = []
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
    report.problem = result["error"]?.string ?? strays.first.map { "\(suite.path): a spawned fiber has failed: \($0.rendered(color: false))" }
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

  private var limit: String { "took longer than \(Milliseconds.text((run.settings.timeout ?? 0) * 1000))" }

  private func isOutOfMemory(_ error: any Error) -> Bool { (error as? Diagnostic)?.message.hasPrefix("out of memory: ") ?? false }

  /// Something was ended that would have gone on.
  private func stopped(_ error: any Error, _ reason: String) -> Ending {
    guard let started = current else {
      report.count()
      report.problem = "\(suite.path): \(reason) " + (report.cases.last.map { "after the case \($0.name)" } ?? "before its first case") + place(of: error)
      return .complete
    }
    var ended = CaseReport(started, of: suite)
    ended.message = reason
    ended.milliseconds = reason == limit ? (run.settings.timeout ?? 0) * 1000 : 0
    if var diagnostic = error as? Diagnostic {
      diagnostic.dropCalls(from: ["test/-observe", "test/-attempt"])
      if reason == limit { diagnostic.message = reason }
      if diagnostic.location?.file == suite.path { ended.line = diagnostic.location?.line }
      if diagnostic.location != nil { ended.report = diagnostic.rendered(color: false) }
    }
    add(ended)
    done = met
    report.count()
    return .stopped
  }

  /// A fiber that nobody waits for has failed. The case in whose lines that happened has failed with it, even when it has ended by then.
  private func fiberFailed(_ diagnostic: Diagnostic) {
    let places = ([diagnostic.location] + diagnostic.trace.map(\.location)).compactMap { $0 }.filter { $0.file == suite.path }.map(\.line)
    guard let line = index?.cases.last(where: { entry in places.contains { entry.lines.contains($0) } })?.form.location.line,
      let ended = report.cases.lastIndex(where: { $0.line == line && $0.file == suite.path })
    else { return strays.append(diagnostic) }
    guard report.cases[ended].status == .passed else { return }
    report.cases[ended].fail(diagnostic)
    run.noteFailure()
  }

  private func place(of error: any Error) -> String {
    (error as? Diagnostic)?.location.map { ", at \($0.file):\($0.line):\($0.column)" } ?? ""
  }
}
