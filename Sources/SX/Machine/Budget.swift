/// What is left of the limits of one run.
final class RunBudget {
  fileprivate(set) var stepsLeft: Int
  let deadline: ContinuousClock.Instant?
  fileprivate(set) var outputLeft: Int
  /// The run that this is the grace of.
  fileprivate let interrupted: RunBudget?
  /// Runs inside of it that have not ended, and itself.
  fileprivate var depth = 1
  var isOver: Bool { depth == 0 }

  init(_ limits: Limits) {
    stepsLeft = limits.steps ?? .max
    deadline = limits.time.map { ContinuousClock.now + $0 }
    outputLeft = limits.outputBytes ?? .max
    interrupted = nil
  }

  /// A small one for what is done after a run was interrupted. Enough to close things and to note what has happened, and used up within milliseconds.
  init(graceAfter run: RunBudget?) {
    stepsLeft = 1 << 16
    deadline = ContinuousClock.now + .milliseconds(100)
    outputLeft = run?.outputLeft ?? .max
    interrupted = run
    // Fibers that are begun in it belong to whoever runs them.
    depth = 0
  }
}

/// Who pays for what is done now.
///
/// Nothing is counted on a fast path that was not counted before: the machine's two counters, of safepoints and of work, start lower
/// when less than a slice is left, and what they have counted is taken from the budget where they are wound up again, or where another run's turn comes.
struct Budget {
  var limits = Limits()
  /// Nil while nothing runs, and in what the host runs in another way, which has no limit but that of the heap and of the stack.
  fileprivate(set) var run: RunBudget?
  /// Where the counters started.
  var slice = Machine.slice
  var workInterval = Machine.checkInterval
  /// Safepoints and steps of work that are left of the running fiber's turn.
  var turn = Machine.slice
}

extension Machine {
  /// Begins a run, with all that the limits grant; one inside another has the budget of the outer one. Runs that overlap, because each waits for the host while
  /// others go on, have one each.
  func beginRun() -> RunBudget {
    if let outer = budget.run {
      outer.depth += 1
      return outer
    }
    let run = RunBudget(budget.limits)
    charge(run)
    return run
  }

  func endRun(_ run: RunBudget) {
    run.depth -= 1
    if run.isOver { charge(nil) }
  }

  /// From now on another run pays. For a run that suspends its task, nobody does until it goes on.
  func charge(_ run: RunBudget?) {
    guard run !== budget.run else { return }
    settleSafepoints()
    settleWork()
    budget.run = run
    windSafepoints()
    windWork()
  }

  /// Before a fiber's turn: the run that it was begun in pays, or when that has ended the one whose turn it is.
  func charge(for fiber: Fiber, _ run: RunBudget?) {
    let fiber = fiber.outermost
    if fiber.run?.isOver ?? true { fiber.run = run }
    charge(fiber.run)
  }

  /// The safepoint counter starts again, unless it stands at zero because somebody waits for a safepoint.
  private func windSafepoints() {
    budget.slice = heap.wantsCollection ? 0 : max(0, min(Machine.slice, stepsLeft))
    safepoint.pointee = budget.slice
  }
  private func windWork() {
    budget.workInterval = max(0, min(Machine.checkInterval, stepsLeft))
    work.pointee = budget.workInterval
  }

  private var stepsLeft: Int { budget.run?.stepsLeft ?? .max }

  /// What the counters have counted since they started is spent.
  private func settleSafepoints() { spend(budget.slice - heap.takeForegoneSafepoints() - safepoint.pointee) }
  private func settleWork() { spend(budget.workInterval - work.pointee) }
  private func spend(_ steps: Int) {
    budget.turn -= steps
    if let run = budget.run, run.stepsLeft != .max { run.stepsLeft -= steps }
  }

  /// At a safepoint: what the counter has counted is spent, and it starts again. Throws when the run has used up its steps or its time.
  func spendSafepoints() throws {
    settleSafepoints()
    budget.slice = max(0, min(Machine.slice, stepsLeft))
    safepoint.pointee = budget.slice
    if let interruption = usedUp() { throw interruption }
  }

  /// The same for the counter of work inside a primitive. Answers what is used up.
  func spendWork() -> Interruption? {
    settleWork()
    windWork()
    // Who works much between two safepoints gives way at the next one.
    if budget.turn <= 0 { heap.foregoSafepoints() }
    return usedUp()
  }

  private func usedUp() -> Interruption? {
    guard let run = budget.run else { return nil }
    if run.stepsLeft <= 0 { return .steps }
    if let deadline = run.deadline, ContinuousClock.now >= deadline { return .time }
    return nil
  }

  /// Before so many bytes go to the host.
  func spendOutput(_ bytes: Int) throws {
    guard let run = budget.run, run.outputLeft != .max else { return }
    guard bytes <= run.outputLeft else { throw Interruption.output }
    run.outputLeft -= bytes
    run.interrupted?.outputLeft -= bytes
  }
}
