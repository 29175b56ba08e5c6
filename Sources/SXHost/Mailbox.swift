import Dispatch
public import SX
import Synchronization

/// Where other threads leave work for the thread that owns an interpreter.
///
/// Thread-safe. Jobs run on the interpreter's thread in the order in which they were posted, whenever no fiber is
/// ready; a job must not block and must not evaluate, it spawns and resumes fibers.
public final class Mailbox: Sendable {
  typealias Job = @Sendable (Interpreter, SystemHost) -> Void

  private struct State {
    var jobs: [Job] = []
    /// How many parties may still post: a mailbox with none and no job is one that stays empty forever.
    var expected = 0
  }

  private let state = Mutex(State())
  /// Signalled when the queue stops being empty. Dispatch's semaphore waits with a deadline on the monotonic clock, which
  /// neither `Mutex` nor a pthread condition offers without unsafe code.
  private let arrival = DispatchSemaphore(value: 0)

  /// Leaves a job for the interpreter's thread.
  public func post(_ job: @escaping @Sendable (Interpreter) -> Void) {
    post { interpreter, _ in job(interpreter) }
  }

  func post(_ job: @escaping Job) {
    enqueue(job, fulfilling: 0)
  }

  /// Announces one later `fulfil`: until then the interpreter waits instead of reporting that nothing can happen anymore.
  public func expect() {
    state.withLock { $0.expected += 1 }
  }

  /// Takes an `expect` back: nothing will be posted for it.
  public func expectNoMore() {
    state.withLock { $0.expected -= 1 }
  }

  /// Posts the job that an `expect` announced.
  func fulfil(_ job: @escaping Job) {
    enqueue(job, fulfilling: 1)
  }

  private func enqueue(_ job: @escaping Job, fulfilling count: Int) {
    let wasEmpty = state.withLock { state in
      state.expected -= count
      state.jobs.append(job)
      return state.jobs.count == 1
    }
    if wasEmpty { arrival.signal() }
  }

  /// Everything posted so far, and whether more may come.
  func take() -> (jobs: [Job], mayReceive: Bool) {
    state.withLock { state in
      let jobs = state.jobs
      state.jobs.removeAll(keepingCapacity: true)
      return (jobs, state.expected > 0)
    }
  }

  /// Blocks until something was posted or the deadline has passed. May return early.
  func wait(until deadline: Nanoseconds?) {
    if let deadline {
      _ = arrival.wait(timeout: DispatchTime(uptimeNanoseconds: deadline))
    } else {
      arrival.wait()
    }
  }
}

/// The answer to an operation that is under way outside the interpreter's thread. Must be given exactly once.
struct Reply: Sendable {
  private let fiber: FiberID
  private let mailbox: Mailbox

  init(to fiber: FiberID, through mailbox: Mailbox) {
    self.fiber = fiber
    self.mailbox = mailbox
    mailbox.expect()
  }

  func succeed(_ value: Datum) {
    mailbox.fulfil { [fiber] interpreter, _ in interpreter.resume(fiber, returning: value) }
  }

  func fail(_ message: String) {
    mailbox.fulfil { [fiber] interpreter, _ in interpreter.resume(fiber, throwing: message) }
  }
}
