internal import Synchronization

/// Asks a running interpreter to stop, from any thread.
public final class Cancellation: Sendable {
  private let isRequested = Atomic<Bool>(false)
  public init() {}

  /// The evaluation that runs now, or the next one, ends at its next time slice with an error that no script can catch.
  public func cancel() { isRequested.store(true, ordering: .releasing) }

  /// Whether cancellation was asked for since the last time.
  func take() -> Bool {
    isRequested.load(ordering: .relaxed) && isRequested.exchange(false, ordering: .acquiring)
  }
}
