import Synchronization

/// How many bytes the request bodies of one server hold at a time. Thread-safe.
///
/// A limit for each body alone bounds nothing: a thousand clients could each stay just below it.
final class RequestBodyBudget: Sendable {
  private let left: Mutex<Int>

  init(_ bytes: Int) { left = Mutex(bytes) }

  /// Takes bytes out; false when there are not so many.
  fileprivate func take(_ bytes: Int) -> Bool {
    left.withLock { left in
      guard left >= bytes else { return false }
      left -= bytes
      return true
    }
  }

  fileprivate func giveBack(_ bytes: Int) { left.withLock { $0 += bytes } }

  /// What the body of one request holds, given back when nobody refers to it anymore.
  final class Share: Sendable {
    private let budget: RequestBodyBudget
    private let taken = Mutex(0)

    init(of budget: RequestBodyBudget) { self.budget = budget }

    deinit { budget.giveBack(taken.withLock { $0 }) }

    /// Grows; false when the budget is used up.
    func grow(_ bytes: Int) -> Bool {
      guard budget.take(bytes) else { return false }
      taken.withLock { $0 += bytes }
      return true
    }
  }
}
