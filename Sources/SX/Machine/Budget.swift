/// What is left of the limits of the present run.
///
/// Nothing is counted on a fast path that was not counted before: the machine's two counters, of safepoints and of work, start lower
/// when less than a slice is left, and what they have counted is taken from the budget where they are wound up again.
struct Budget {
  var limits = Limits()
  /// Runs that have begun and not ended: one inside another has the budget of the outer one.
  var depth = 0
  var stepsLeft = Int.max
  var deadline: ContinuousClock.Instant?
  var outputLeft = Int.max
  /// Where the counters started.
  var slice = Machine.slice
  var workInterval = Machine.checkInterval
}

extension Machine {
  /// Begins a run, with all that the limits grant.
  func beginRun() {
    budget.depth += 1
    guard budget.depth == 1 else { return }
    budget.stepsLeft = budget.limits.steps ?? .max
    budget.deadline = budget.limits.time.map { ContinuousClock.now + $0 }
    budget.outputLeft = budget.limits.outputBytes ?? .max
    windSafepoints()
    windWork()
  }

  func endRun() {
    budget.depth -= 1
    // Fibers that the host runs in another way have no limit but that of the heap and of the stack.
    guard budget.depth == 0 else { return }
    budget.stepsLeft = .max
    budget.deadline = nil
    budget.outputLeft = .max
  }

  /// The safepoint counter starts again, unless it stands at zero because somebody waits for a safepoint.
  private func windSafepoints() {
    _ = heap.takeForegoneSafepoints()
    budget.slice = heap.wantsCollection ? 0 : max(0, min(Machine.slice, budget.stepsLeft))
    safepoint.pointee = budget.slice
  }
  private func windWork() {
    budget.workInterval = max(0, min(Machine.checkInterval, budget.stepsLeft))
    work.pointee = budget.workInterval
  }

  /// At a safepoint: what the counter has counted is spent, and it starts again. Throws when the run has used up its steps or its time.
  func spendSafepoints() throws {
    let passed = budget.slice - heap.takeForegoneSafepoints() - max(0, safepoint.pointee)
    if budget.stepsLeft != .max { budget.stepsLeft -= passed }
    budget.slice = max(0, min(Machine.slice, budget.stepsLeft))
    safepoint.pointee = budget.slice
    if let interruption = usedUp() { throw interruption }
  }

  /// The same for the counter of work inside a primitive. Answers what is used up.
  func spendWork() -> Interruption? {
    if budget.stepsLeft != .max { budget.stepsLeft -= budget.workInterval - work.pointee }
    windWork()
    return usedUp()
  }

  private func usedUp() -> Interruption? {
    if budget.stepsLeft <= 0 { return .steps }
    if let deadline = budget.deadline, ContinuousClock.now >= deadline { return .time }
    return nil
  }

  /// Before so many bytes go to the host.
  func spendOutput(_ bytes: Int) throws {
    guard budget.outputLeft != .max else { return }
    guard bytes <= budget.outputLeft else { throw Interruption.output }
    budget.outputLeft -= bytes
  }
}
