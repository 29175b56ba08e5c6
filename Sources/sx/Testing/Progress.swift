import Synchronization

/// The line on a terminal that tells how far a run is. Thread-safe.
final class Progress: Sendable {
  private struct State {
    var suites = 0
    var passed = 0
    var failed = 0
    var drawn = ContinuousClock.now
  }

  private let console: Console
  private let total: Int
  private let state = Mutex(State())

  init(_ console: Console, suites: Int) {
    self.console = console
    total = suites
  }

  func note(_ ended: CaseReport, in suite: Suite) {
    guard console.isTerminal else { return }
    state.withLock { state in
      if ended.status == .failed { state.failed += 1 } else { state.passed += 1 }
      // Nobody reads faster, and a terminal may be slow.
      guard ContinuousClock.now - state.drawn > .milliseconds(50) else { return }
      draw(&state, suite)
    }
  }

  func note(_ report: SuiteReport) {
    guard console.isTerminal else { return }
    state.withLock { state in
      state.suites += 1
      draw(&state, nil)
    }
  }

  func end() { console.show(status: "") }

  private func draw(_ state: inout State, _ suite: Suite?) {
    state.drawn = ContinuousClock.now
    console.show(
      status: "\(state.suites) of \(total) suites · \(state.passed) cases" + (state.failed > 0 ? ", \(state.failed) failed" : "")
        + (suite.map { " · \($0.name)" } ?? ""))
  }
}
