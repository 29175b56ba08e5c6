import SXHost
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Runs suites side by side, one thread per core, each suite in an interpreter of its own.
struct SuiteRunner: Sendable {
  static let cores = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))

  let run: TestRun

  /// - Parameter onReport: gets the reports in the order of the suites, each as soon as those before it are there; never two at a time.
  /// - Returns: the same reports. Suites that `TestRun.isStopping` has left out are missing.
  func reports(on suites: [Suite], onReport: @escaping @Sendable (SuiteReport) -> Void) throws -> [SuiteReport] {
    guard !suites.isEmpty else { return [] }
    let desk = Desk(count: suites.count)
    try InterpreterThread.runConcurrently(min(run.settings.jobs ?? Self.cores, suites.count)) { _ in
      while !run.isStopping, let index = desk.next() {
        let report = SuiteExecution(suites[index], run).perform()
        if !report.isGreen { run.noteFailure() }
        run.progress.note(report)
        desk.put(report, at: index, onReport)
      }
    }
    return desk.reports
  }

  /// Where the threads fetch their work and leave their reports.
  private final class Desk: Sendable {
    private let upcoming = Atomic(0)
    private let state: Mutex<(reports: [SuiteReport?], shown: Int)>
    private let count: Int

    init(count: Int) {
      self.count = count
      state = Mutex((Array(repeating: nil, count: count), 0))
    }

    func next() -> Int? {
      let index = upcoming.add(1, ordering: .relaxed).oldValue
      return index < count ? index : nil
    }

    func put(_ report: SuiteReport, at index: Int, _ onReport: (SuiteReport) -> Void) {
      state.withLock { state in
        state.reports[index] = report
        while state.shown < count, let ready = state.reports[state.shown] {
          onReport(ready)
          state.shown += 1
        }
      }
    }

    var reports: [SuiteReport] { state.withLock { $0.reports.compactMap { $0 } } }
  }
}
