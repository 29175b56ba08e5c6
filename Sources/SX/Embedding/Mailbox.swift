import Dispatch
import Synchronization

/// Where other threads leave work for the thread or the actor that owns an interpreter.
///
/// Thread-safe. Jobs run where the interpreter runs, in the order in which they were posted, whenever no fiber is ready; a job must not block and must not
/// evaluate, it spawns and resumes fibers. The results of asynchronous functions come this way.
public final class Mailbox: Sendable {
  /// What is run where the interpreter runs. May come from any thread.
  public typealias Job = @Sendable (Interpreter) -> Void

  private struct State {
    var jobs: [Job] = []
    /// How many parties may still post: a mailbox with none and no job is one that stays empty forever.
    var expected = 0
    /// Tasks that wait for a job, by a number of their own.
    var sleepers: [(number: Int, continuation: CheckedContinuation<Void, Never>)] = []
    var nextSleeper = 0
  }

  private let state = Mutex(State())
  /// Signalled when the queue stops being empty. Dispatch's semaphore waits with a deadline on the monotonic clock, which
  /// neither `Mutex` nor a pthread condition offers without unsafe code.
  private let arrival = DispatchSemaphore(value: 0)

  /// An empty mailbox, for a host that offers it as its `inbox`.
  public init() {}

  /// Leaves a job for the interpreter.
  public func post(_ job: @escaping Job) { enqueue(job, fulfilling: 0) }

  /// Announces one later `fulfil`: until then the interpreter waits instead of reporting that nothing can happen anymore.
  public func expect() { state.withLock { $0.expected += 1 } }

  /// Takes an `expect` back: nothing will be posted for it.
  public func expectNoMore() { state.withLock { $0.expected -= 1 } }

  /// Posts the job that an `expect` announced.
  public func fulfil(_ job: @escaping Job) { enqueue(job, fulfilling: 1) }

  private func enqueue(_ job: @escaping Job, fulfilling count: Int) {
    let (wasEmpty, sleepers) = state.withLock { state in
      state.expected -= count
      state.jobs.append(job)
      defer { state.sleepers = [] }
      return (state.jobs.count == 1, state.sleepers)
    }
    if wasEmpty { arrival.signal() }
    for sleeper in sleepers { sleeper.continuation.resume() }
  }

  // MARK: For whoever runs the interpreter

  /// Lets the tasks that wait look around: another one has run their fibers.
  func wakeSleepers() {
    let sleepers = state.withLock { state in
      defer { state.sleepers = [] }
      return state.sleepers
    }
    for sleeper in sleepers { sleeper.continuation.resume() }
  }

  /// Everything posted so far, and whether more may come.
  package func take() -> (jobs: [Job], mayReceive: Bool) {
    state.withLock { state in
      let jobs = state.jobs
      state.jobs.removeAll(keepingCapacity: true)
      return (jobs, state.expected > 0)
    }
  }

  /// Blocks until something was posted or the deadline, nanoseconds of the system's uptime, has passed. May return early.
  package func wait(until deadline: UInt64?) {
    if let deadline {
      _ = arrival.wait(timeout: DispatchTime(uptimeNanoseconds: deadline))
    } else {
      arrival.wait()
    }
  }

  /// The same for a deadline of the clock that limits use.
  func wait(untilInstant deadline: ContinuousClock.Instant?) {
    wait(until: deadline.map { DispatchTime.now().uptimeNanoseconds + UInt64(max(0, ContinuousClock.now.duration(to: $0) / .nanoseconds(1))) })
  }

  /// Suspends until something was posted or the deadline has passed, without blocking the thread. May return early.
  func nextArrival(until deadline: ContinuousClock.Instant?, isolation: isolated (any Actor)?) async {
    let number = state.withLock { state in
      state.nextSleeper += 1
      return state.nextSleeper
    }
    let alarm = deadline.map { deadline in
      Task {
        try? await Task.sleep(until: deadline, clock: .continuous)
        self.state.withLock { state in
          state.sleepers.firstIndex { $0.number == number }.map { state.sleepers.remove(at: $0).continuation }
        }?.resume()
      }
    }
    await withCheckedContinuation { continuation in
      let isPosted = state.withLock { state in
        // The alarm may ring before anybody sleeps.
        if !state.jobs.isEmpty || deadline.map({ ContinuousClock.now >= $0 }) ?? false { return true }
        state.sleepers.append((number, continuation))
        return false
      }
      if isPosted { continuation.resume() }
    }
    alarm?.cancel()
  }
}
