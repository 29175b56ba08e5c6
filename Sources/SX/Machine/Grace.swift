/// What an interrupted fiber still does: the `after` thunks of the `dynamic-wind`s that it is in, so that what was opened is closed and spans end.
///
/// All of them share a small grace of steps and time, so that one that goes on forever does not undo the limit. The fiber has ended when they begin: they run in
/// one of their own, where no handler and no continuation leads back into it, and cannot wait for the host.
extension Machine {
  /// The winders that a fiber has in place, and then those of each that waits for it, innermost first.
  func windersInPlace(of fiber: Fiber) -> [Value] {
    sequence(first: fiber) { $0.resumer }.map(\.saved.winders).filter { !$0.isNil }
  }

  /// Ends a fiber that was interrupted, and those that wait for it. Answers the one that was waiting first.
  func end(_ fiber: Fiber, because condition: Value) -> Fiber {
    let winders = windersInPlace(of: fiber), outermost = fiber.endWithResumers()
    leave(winders, told: heap.list([condition]), after: outermost.run)
    grace = nil
    return outermost
  }

  /// Ends the running fiber, on which a primitive waits, before that one ends for the same reason.
  func endNested(because reason: any Error) {
    let winders = windersInPlace(of: current)
    // What one thunk was doing when the grace was over is not cleaned up after.
    guard !winders.isEmpty, budget.run == nil || budget.run !== grace else { return }
    let condition = (reason as? Interruption).map(condition(of:))
    current.endWithResumers()
    leave(winders, told: condition.map { heap.list([$0]) } ?? .nil, after: budget.run)
  }

  /// Leaves winders of fibers that have ended.
  ///
  /// - Parameters:
  ///   - reason: why, in a list, for those that ask; nil when nothing is raised.
  ///   - run: what was interrupted.
  private func leave(_ winders: [Value], told reason: Value, after run: RunBudget?) {
    guard !winders.isEmpty else { return }
    let grace = grace ?? RunBudget(graceAfter: run)
    self.grace = grace
    let kept = handles.add(heap.list(winders + [reason]))
    defer { handles.remove(kept) }
    if heap.isExhausted { collect() }
    let paying = budget.run, trace = limitTrace, limit = heap.byteLimit
    let raised = limit == .max ? limit : max(limit, heap.bytesInUse) + Machine.graceBytes
    charge(grace)
    heap.byteLimit = raised
    defer {
      charge(paying)
      limitTrace = trace
      // Unless a function of the host has set another one.
      if heap.byteLimit == raised { heap.byteLimit = limit }
    }
    for list in winders {
      do {
        let fiber = makeFiber(try preludeValue("control/-unwind!"), [.nil, reason])
        fiber.saved.bindings = .nil
        fiber.saved.winders = list
        _ = try runNested(fiber)
      } catch is Interruption {
        return
      } catch let request as ExitRequest {
        // Whoever runs next obeys it.
        return cancellation.exit(request.status)
      } catch {
        // Nobody is left to handle what a thunk raises. On its way out it has led through the thunks around that one.
      }
    }
  }

  /// Beyond the limit of the heap.
  private static let graceBytes = 1 << 20
}
