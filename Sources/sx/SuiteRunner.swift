import SX
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
  let filter: String?

  /// - Returns: one report per suite, in the order of the suites.
  func run(_ suites: [Suite]) throws -> [SuiteReport] {
    let next = Atomic(0)
    let reports = Mutex([SuiteReport?](repeating: nil, count: suites.count))
    let cores = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    let work = Work(next: next, reports: reports)
    try InterpreterThread.runConcurrently(min(cores, suites.count)) { _ in
      while case let index = work.next.add(1, ordering: .relaxed).oldValue, index < suites.count {
        let report = report(on: suites[index])
        work.reports.withLock { $0[index] = report }
      }
    }
    return work.reports.withLock { $0.compactMap { $0 } }
  }

  private final class Work: Sendable {
    let next: Atomic<Int>
    let reports: Mutex<[SuiteReport?]>
    init(next: consuming Atomic<Int>, reports: consuming Mutex<[SuiteReport?]>) {
      self.next = next
      self.reports = reports
    }
  }

  private func report(on suite: Suite) -> SuiteReport {
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
    do {
      let report = try results(of: suite, interpreter).datum()
      if let exitStatus { throw HostError("\(suite.path): the suite called (exit \(exitStatus))") }
      return SuiteReport(suite: suite, data: report, output: host.takeOutput())
    } catch {
      let problem = exitStatus.map { "\(suite.path): the suite called (exit \($0))" } ?? Program.describe(error)
      return SuiteReport(suite: suite, problem: problem, output: host.takeOutput())
    }
  }

  private func results(of suite: Suite, _ interpreter: Interpreter) throws -> Handle {
    switch suite.style {
    case .deftest:
      let run = try interpreter.evaluate("(fn (path text) (parameterize ((test/-filter text)) (test/run-file path)))", file: "<sx test>")
      return try interpreter.call(run, [.string(suite.path), filter.map { .string($0) } ?? .null])
    case .counter(let runner, let modules):
      // Such a file runs its cases while it loads, all of them or none.
      if let filter, !suite.name.contains(filter) { return interpreter.makeHandle(["passed": 0, "failed": 0, "events": []]) }
      let run = try interpreter.evaluate("test/run-counter", file: "<sx test>")
      return try interpreter.call(run, [.string(suite.path), .string(runner), .list(modules.map { .string($0) })])
    }
  }
}
