import SX

/// Fibers that wait for a notification, by its name. Confined to the interpreter's thread.
struct Waiters {
  struct Waiter {
    let fiber: FiberID
    let timer: TimerQueue.ID?
  }

  private var byName: [String: [Int: Waiter]] = [:]
  private var nextKey = 0

  /// A key under which one waiter can be found again; keys grow, so their order is the order of waiting.
  mutating func reserveKey() -> Int {
    defer { nextKey += 1 }
    return nextKey
  }

  mutating func add(_ waiter: Waiter, to name: String, key: Int) {
    byName[name, default: [:]][key] = waiter
  }

  mutating func remove(key: Int, from name: String) -> Waiter? {
    let waiter = byName[name]?.removeValue(forKey: key)
    if byName[name]?.isEmpty == true { byName[name] = nil }
    return waiter
  }

  /// Takes out everybody who waits for `name` now, in the order of waiting.
  mutating func removeAll(of name: String) -> [Waiter] {
    (byName.removeValue(forKey: name) ?? [:]).sorted { $0.key < $1.key }.map(\.value)
  }

  /// Takes out everybody.
  mutating func removeAll() -> [Waiter] {
    defer { byName = [:] }
    return byName.values.flatMap { $0 }.sorted { $0.key < $1.key }.map(\.value)
  }
}

/// sleep, wait, notify.
extension SystemHost {
  static let timerOperations: [String: OperationHandler] = [
    "sleep": { (host, call) throws(OperationFailure) in
      let milliseconds = try call.number(0)
      host.timers.add(TimerQueue.deadline(after: milliseconds)) { call.succeed() }
    },

    // Edge-triggered: a notification that nobody waits for is lost. A timeout of nil waits for ever.
    "wait": { (host, call) throws(OperationFailure) in
      let name = try call.string(0)
      let milliseconds = call.isNil(1) ? Double.infinity : try call.number(1)
      let key = host.waiters.reserveKey()
      let timer: TimerQueue.ID? =
        milliseconds == .infinity
        ? nil
        : host.timers.add(TimerQueue.deadline(after: milliseconds)) { [unowned host] in
          if host.waiters.remove(key: key, from: name) != nil { call.succeed(false) }
        }
      host.waiters.add(Waiters.Waiter(fiber: call.fiber, timer: timer), to: name, key: key)
    },

    "notify": { (host, call) throws(OperationFailure) in
      host.release(host.waiters.removeAll(of: try call.string(0)), call.interpreter, notified: true)
      call.succeed()
    },
  ]

  /// Lets every waiting fiber go on as if its timeout had passed, so that long-lived loops notice a server that stops.
  func releaseAllWaiters(_ interpreter: Interpreter) {
    release(waiters.removeAll(), interpreter, notified: false)
  }

  private func release(_ waiters: [Waiters.Waiter], _ interpreter: Interpreter, notified: Bool) {
    for waiter in waiters {
      if let timer = waiter.timer { timers.cancel(timer) }
      interpreter.resume(waiter.fiber, returning: .bool(notified))
    }
  }
}
