internal import Synchronization

/// Asks a running interpreter to stop, from any thread.
///
/// The request is noticed at the end of a time slice, so it takes effect within milliseconds, also inside macros. A fiber that waits for the
/// host ends when its interpreter next runs fibers: whoever cancels a fiber of an idle interpreter has to wake its host.
public final class Cancellation: Sendable {
  private struct Requests {
    var everything = false
    var fibers: Set<UInt64> = []
  }

  /// Lets the machine ask at every slice without a lock.
  private let isPending = Atomic<Bool>(false)
  private let requests = Mutex(Requests())

  public init() {}

  /// The evaluation that runs now, or the next one, ends at its next time slice with an error that no script can catch.
  public func cancel() { note { $0.everything = true } }

  /// Ends one fiber, and the coroutines that it waits for, with an error that no script can catch. Other fibers go on. Does nothing
  /// when the fiber has ended.
  public func cancel(_ fiber: FiberID) { note { $0.fibers.insert(fiber.number) } }

  /// Forgets requests that nobody has obeyed yet.
  public func withdraw() {
    requests.withLock {
      $0 = Requests()
      isPending.store(false, ordering: .relaxed)
    }
  }

  private func note(_ change: (inout Requests) -> Void) {
    requests.withLock {
      change(&$0)
      isPending.store(true, ordering: .releasing)
    }
  }

  /// Whether anybody has asked for anything.
  var isRequested: Bool { isPending.load(ordering: .relaxed) }

  /// Whether cancellation of whatever runs was asked for since the last time.
  func take() -> Bool {
    guard isRequested else { return false }
    return requests.withLock { requests in
      defer {
        requests.everything = false
        isPending.store(!requests.fibers.isEmpty, ordering: .relaxed)
      }
      return requests.everything
    }
  }

  /// The numbers of the fibers that are to end.
  func takeFibers() -> Set<UInt64> {
    guard isRequested else { return [] }
    return requests.withLock { requests in
      defer {
        requests.fibers = []
        isPending.store(requests.everything, ordering: .relaxed)
      }
      return requests.fibers
    }
  }
}

extension Machine {
  /// At a safepoint, when somebody asked for an end: throws when the running fiber is meant.
  func obeyCancellation() throws {
    let running = (suspendedRuns.first?.fiber ?? current).outermost.number
    let fibers = cancellation.takeFibers()
    stopParked(fibers)
    if cancellation.take() || fibers.contains(running) { throw LimitError.cancelled }
  }

  /// Between two fibers: the ones that are to end and wait, for the host or for their turn, will end when their turn comes.
  func stopParked(_ numbers: Set<UInt64>) {
    guard !numbers.isEmpty else { return }
    for fiber in ready.all where numbers.contains(fiber.outermost.number) { fiber.isCancelled = true }
    for fiber in waiting.values where numbers.contains(fiber.outermost.number) {
      fiber.isCancelled = true
      wake(fiber.number, .success(.nil))
    }
  }
}

extension Fiber {
  /// Who waits for this coroutine, and for that one, up to the fiber that the host knows; a fiber that is no coroutine is its own.
  var outermost: Fiber {
    var fiber = self
    while let resumer = fiber.resumer { fiber = resumer }
    return fiber
  }
}
