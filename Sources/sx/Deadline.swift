import Dispatch
import Synchronization

/// Calls a function when too much time passes between two signs of life.
final class Deadline {
  private final class Watch: Sendable {
    let state = Mutex((lastSign: ContinuousClock.now, hasPassed: false))
  }

  private let watch = Watch()
  private let timer: (any DispatchSourceTimer)?

  /// - Parameters:
  ///   - seconds: nil never passes.
  ///   - action: is called once, on a thread of its own; when `hasPassed` says so it has been called. It must not ask this deadline anything.
  init(seconds: Double?, _ action: @escaping @Sendable () -> Void) {
    guard let seconds else {
      timer = nil
      return
    }
    let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "sx.deadline"))
    self.timer = timer
    let pulse = max(0.005, min(0.1, seconds / 10))
    timer.schedule(deadline: .now() + pulse, repeating: pulse)
    timer.setEventHandler { [watch] in
      watch.state.withLock { state in
        guard !state.hasPassed, ContinuousClock.now - state.lastSign > .seconds(seconds) else { return }
        state.hasPassed = true
        action()
      }
    }
    timer.activate()
  }

  /// A sign of life.
  func restart() { watch.state.withLock { $0.lastSign = ContinuousClock.now } }

  /// Begins anew after it has passed.
  func renew() { watch.state.withLock { $0 = (ContinuousClock.now, false) } }

  func stop() { timer?.cancel() }

  var hasPassed: Bool { watch.state.withLock { $0.hasPassed } }
}
