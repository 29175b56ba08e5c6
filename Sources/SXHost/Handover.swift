import Dispatch
import Synchronization

/// One value, given by one thread and taken by another, which waits for it.
final class Handover<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)
  private let given = DispatchSemaphore(value: 0)

  func give(_ value: Value) {
    self.value.withLock { $0 = value }
    given.signal()
  }

  /// Blocks until the value is there.
  func take() -> Value {
    while true {
      given.wait()
      if let value = value.withLock({ $0 }) { return value }
    }
  }

  /// Waits at most so long; nil when the value has not come.
  func take(within milliseconds: Int) -> Value? {
    _ = given.wait(timeout: .now() + .milliseconds(milliseconds))
    return value.withLock { $0 }
  }
}
