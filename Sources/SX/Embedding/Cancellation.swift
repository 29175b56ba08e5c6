internal import Synchronization

/// Asks a running interpreter to stop, from any thread.
///
/// The request is noticed at the end of a time slice, so it takes effect within milliseconds, also inside macros. A fiber that waits for the
/// host ends when its interpreter next runs fibers; one that blocks on its mailbox is woken for that.
public final class Cancellation: Sendable {
  private struct Requests {
    var everything: Interruption?
    var fibers: [UInt64: Interruption] = [:]
    var exitStatus: Int32?

    var isEmpty: Bool { everything == nil && fibers.isEmpty && exitStatus == nil }
  }

  /// Lets the machine ask at every slice without a lock.
  private let isPending = Atomic<Bool>(false)
  private let requests = Mutex(Requests())
  private let mailbox: Mailbox

  init(waking mailbox: Mailbox) { self.mailbox = mailbox }

  /// The evaluation that runs now, or the next one, ends at its next time slice, also while another fiber has its turn, with an error that no script can catch. What `dynamic-wind` was given for
  /// the way out runs within a small grace, see `Limits`; asked again meanwhile, that ends too.
  ///
  /// - Parameter reason: is told in the message of the `Diagnostic`, and in its `interruption`.
  public func cancel(reason: String? = nil) { note { $0.everything = .cancelled(reason: reason) } }

  /// Ends one fiber, and the coroutines that it waits for, with an error that no script can catch. Other fibers go on. Does nothing
  /// when the fiber has ended.
  public func cancel(_ fiber: FiberID, reason: String? = nil) { cancel(fiber: fiber.number, .cancelled(reason: reason)) }
  func cancel(fiber number: UInt64, _ interruption: Interruption) { note { $0.fibers[number] = interruption } }

  /// The evaluation that runs now, or the next one, goes no further: at its next time slice it does what `(exit status)` does there, so what
  /// `dynamic-wind` and `at-exit` were given runs before the host is told. No handler sees it, and it needs no capability.
  public func exit(_ status: Int32) { note { $0.exitStatus = status } }

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
    mailbox.post { _ in }
  }

  /// Whether anybody has asked for anything.
  var isRequested: Bool { isPending.load(ordering: .relaxed) }

  /// The cancellation of whatever runs, when it was asked for since the last time.
  func take() -> Interruption? {
    guard isRequested else { return nil }
    return requests.withLock { requests in
      defer {
        requests.everything = nil
        isPending.store(!requests.isEmpty, ordering: .relaxed)
      }
      return requests.everything
    }
  }

  /// The numbers of the fibers that are to end, and why.
  func takeFibers() -> [UInt64: Interruption] {
    guard isRequested else { return [:] }
    return requests.withLock { requests in
      defer {
        requests.fibers = [:]
        isPending.store(!requests.isEmpty, ordering: .relaxed)
      }
      return requests.fibers
    }
  }

  /// The status with which the evaluation is to exit, when that was asked for since the last time.
  func takeExit() -> Int32? {
    guard isRequested else { return nil }
    return requests.withLock { requests in
      defer {
        requests.exitStatus = nil
        isPending.store(!requests.isEmpty, ordering: .relaxed)
      }
      return requests.exitStatus
    }
  }
}

/// An exit that was asked for from outside, on its way to where the running fiber can obey it.
struct ExitRequest: Error {
  let status: Int32
}

extension Machine {
  /// At a safepoint, when somebody asked for an end: throws when the running fiber is meant.
  func obeyCancellation() throws {
    if let reason = obeyRequests() { throw reason }
  }

  /// When somebody asked for an end: others end when their turn comes. Answers why the running fiber has to, if it is meant.
  func obeyRequests() -> (any Error)? {
    let running = runningNumber, fibers = cancellation.takeFibers()
    stopParked(fibers)
    if let interruption = takeCancellation() ?? fibers[running] { return interruption }
    if let status = cancellation.takeExit(), !exitParked(status, running) { return ExitRequest(status: status) }
    return nil
  }

  /// Leaves it to the next safepoint to end the running fiber.
  func askAgain(for reason: any Error) {
    if let interruption = reason as? Interruption { cancellation.cancel(fiber: runningNumber, interruption) }
    if let request = reason as? ExitRequest { cancellation.exit(request.status) }
  }

  /// The cancellation of an evaluation. The one that the host waits for is meant, also while another fiber runs; without one, whatever runs.
  func takeCancellation() -> Interruption? {
    guard let interruption = cancellation.take() else { return nil }
    guard let awaited = awaited.last, !self.awaited.contains(runningNumber) else { return interruption }
    stopParked([awaited: interruption])
    return nil
  }

  private var runningNumber: UInt64 { (suspendedRuns.first ?? current).outermost.number }

  /// The fiber that the host waits for is to exit, when it is not the running one: it does so when its turn comes.
  ///
  /// - Returns: false when there is no such fiber.
  func exitParked(_ status: Int32, _ running: UInt64? = nil) -> Bool {
    guard let awaited = awaited.last, awaited != running else { return false }
    for fiber in ready.all where fiber.outermost.number == awaited {
      fiber.requestedExit = status
      return true
    }
    for fiber in waiting.values where fiber.outermost.number == awaited {
      fiber.requestedExit = status
      wake(fiber.number, .success(.nil))
      return true
    }
    return false
  }

  /// In place of whatever the running fiber would have done next. Its frame stays where it is.
  func beginExit(_ status: Int32) throws {
    let slot = try roomForCall(Fiber.top(state.pointee.base))
    slot[1] = .fix(Int(status))
    try enter(try preludeValue("control/-exit-from-outside"), slot, 1)
  }

  /// Between two fibers: the ones that are to end and wait, for the host or for their turn, will end when their turn comes.
  func stopParked(_ numbers: [UInt64: Interruption]) {
    guard !numbers.isEmpty else { return }
    for fiber in ready.all {
      if let interruption = numbers[fiber.outermost.number] { fiber.interruption = interruption }
    }
    for fiber in waiting.values {
      guard let interruption = numbers[fiber.outermost.number] else { continue }
      fiber.interruption = interruption
      tasks[fiber.number]?.cancel()
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
