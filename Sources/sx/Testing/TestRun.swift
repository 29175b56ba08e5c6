import SX
import Synchronization

/// How suites are to be run.
struct TestSettings: Sendable {
  var selection = CaseSelection(filter: nil)
  /// Cases and suites run in an order that this number decides; nil leaves them as they are written.
  var seed: Int?
  /// Seconds that a case may take.
  var timeout: Double?
  /// Bytes that the values of one suite may take.
  var heapLimit = HeapLimit.standard
  /// The first failure ends the run.
  var stopsAtFailure = false
  /// Snapshots take the values they get.
  var acceptsSnapshots = false
  /// How many suites run side by side; nil for one per core.
  var jobs: Int?
}

/// What the suites of one run share while they run side by side. Thread-safe.
final class TestRun: Sendable {
  let settings: TestSettings
  /// Told about everything that ends.
  let progress: Progress
  private let stopping = Atomic(false)

  init(_ settings: TestSettings, _ progress: Progress) {
    self.settings = settings
    self.progress = progress
  }

  /// No further case is to begin.
  var isStopping: Bool { stopping.load(ordering: .relaxed) }

  func noteFailure() {
    if settings.stopsAtFailure { stopping.store(true, ordering: .relaxed) }
  }
}
