import Dispatch

/// Nanoseconds on the monotonic clock.
typealias Nanoseconds = UInt64

/// Deadlines of one interpreter, soonest first. Confined to the interpreter's thread.
///
/// There is no timer thread: the interpreter's thread waits on its mailbox until the soonest deadline. Adding and firing
/// cost O(log n); cancelling costs O(1) and leaves an entry behind that is skipped later.
struct TimerQueue {
  struct ID: Hashable { fileprivate let number: UInt64 }
  typealias Action = () -> Void

  private struct Entry {
    let deadline: Nanoseconds
    let id: ID
    /// Equal deadlines fire in the order in which they were added.
    static func < (a: Entry, b: Entry) -> Bool {
      a.deadline != b.deadline ? a.deadline < b.deadline : a.id.number < b.id.number
    }
  }

  private var heap: [Entry] = []
  private var actions: [ID: Action] = [:]
  private var nextNumber: UInt64 = 0

  static var now: Nanoseconds { DispatchTime.now().uptimeNanoseconds }

  /// The deadline that lies `milliseconds` from now; a negative or undefined duration is over at once, an endless one never.
  static func deadline(after milliseconds: Double) -> Nanoseconds {
    guard milliseconds > 0 else { return now }
    // A century is long enough to be forever and far from overflowing the clock.
    return now + Nanoseconds(min(milliseconds, 3.2e12) * 1_000_000)
  }

  @discardableResult
  mutating func add(_ deadline: Nanoseconds, _ action: @escaping Action) -> ID {
    let id = ID(number: nextNumber)
    nextNumber += 1
    actions[id] = action
    heap.append(Entry(deadline: deadline, id: id))
    siftUp(heap.count - 1)
    return id
  }

  mutating func cancel(_ id: ID) {
    actions[id] = nil
    if heap.count > 64, heap.count > 2 * actions.count { compact() }
  }

  /// The soonest deadline that was not cancelled.
  mutating func soonest() -> Nanoseconds? {
    while let first = heap.first {
      if actions[first.id] != nil { return first.deadline }
      removeFirst()
    }
    return nil
  }

  /// Takes out one action whose deadline has passed.
  mutating func popDue(at time: Nanoseconds) -> Action? {
    guard let deadline = soonest(), deadline <= time else { return nil }
    return actions.removeValue(forKey: removeFirst().id)
  }

  private mutating func compact() {
    let live = heap.filter { actions[$0.id] != nil }
    heap.removeAll(keepingCapacity: true)
    for entry in live {
      heap.append(entry)
      siftUp(heap.count - 1)
    }
  }

  private mutating func siftUp(_ start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child] < heap[parent] else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  @discardableResult
  private mutating func removeFirst() -> Entry {
    heap.swapAt(0, heap.count - 1)
    let first = heap.removeLast()
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child] < heap[smallest] {
        smallest = child
      }
      if smallest == parent { return first }
      heap.swapAt(parent, smallest)
      parent = smallest
    }
  }
}
