/// The mark phase: an explicit stack of cells, so that no depth of data can overflow the native stack. When there is no memory for a longer one,
/// cells are marked without being followed, and the heap is walked for them afterwards.
struct Marker {
  private var items = UnsafeMutablePointer<Cell>.allocate(capacity: 4096)
  private var count = 0, capacity = 4096
  /// What is left of long runs of values. They are marked a piece at a time, each followed before the next: the stack stays short, where a list of
  /// millions would take as many items of it, and a cell is followed while it is in the cache.
  private var runs = UnsafeMutablePointer<UnsafeMutableBufferPointer<Value>>.allocate(capacity: 64)
  private var runCount = 0, runCapacity = 64
  private static let piece = 1024
  private(set) var liveWords = 0
  /// Marked cells were left that nobody has followed.
  private var hasOverflowed = false
  private(set) var externalBytes = 0

  init() {}
  func deallocate() {
    items.deallocate()
    runs.deallocate()
  }

  @inline(__always) mutating func mark(_ v: Value) {
    guard v.isCell, v.cell[0] & 1 == 0 else { return }
    v.cell[0] |= 1
    if count == capacity, !grow() { return }
    items[count] = v.cell
    count &+= 1
  }

  /// Marks `n` values, which stay where they are until `drain` has returned.
  mutating func mark(_ values: UnsafeMutablePointer<Value>, _ n: Int) {
    if n > Marker.piece, runCount < runCapacity || growRuns() {
      runs[runCount] = UnsafeMutableBufferPointer(start: values, count: n)
      runCount &+= 1
    } else {
      for i in 0..<n { mark(values[i]) }
    }
  }
  /// Marks the next piece of the newest run.
  private mutating func markPiece() {
    let run = runs[runCount &- 1], values = run.baseAddress.unsafelyUnwrapped, n = min(run.count, Marker.piece)
    if n == run.count { runCount &-= 1 } else { runs[runCount &- 1] = UnsafeMutableBufferPointer(start: values + n, count: run.count &- n) }
    for i in 0..<n { mark(values[i]) }
  }

  /// Marks the code that an instruction pointer at an entry belongs to.
  @inline(__always) mutating func mark(entry: UInt64) {
    mark(Value(bits: UnsafePointer<UInt64>(bitPattern: UInt(entry)).unsafelyUnwrapped[-1]))
  }

  mutating func note(external bytes: Int) { externalBytes &+= bytes }

  @inline(never) private mutating func grow() -> Bool {
    guard let bigger = SystemMemory.tryAllocate(capacity * 2, of: Cell.self) else {
      hasOverflowed = true
      return false
    }
    bigger.initialize(from: items, count: count)
    items.deallocate()
    items = bigger
    capacity *= 2
    return true
  }

  @inline(never) private mutating func growRuns() -> Bool {
    guard let bigger = SystemMemory.tryAllocate(runCapacity * 2, of: UnsafeMutableBufferPointer<Value>.self) else { return false }
    bigger.initialize(from: runs, count: runCount)
    runs.deallocate()
    runs = bigger
    runCapacity *= 2
    return true
  }

  /// After `drain`: whether marked cells have to be followed again, all of them.
  mutating func takeOverflow() -> Bool {
    defer { hasOverflowed = false }
    return hasOverflowed
  }
  /// Follows a cell that is marked already.
  mutating func follow(_ cell: Cell) {
    items[count] = cell
    count &+= 1
    drain()
  }

  /// Follows everything that was marked so far.
  mutating func drain() {
    while true {
      while count == 0 {
        if runCount == 0 { return }
        markPiece()
      }
      count &-= 1
      var cell = items[count]
      scan: while true {
        let header = cell[0]
        switch Kind(header: header) {
        case .pair:                                  // follow the spine without going through the stack
          liveWords &+= 3
          mark(Value(bits: cell[1]))
          let rest = Value(bits: cell[2])
          guard rest.isCell, rest.cell[0] & 1 == 0 else { break scan }
          cell = rest.cell
          cell[0] |= 1
          continue scan
        case .box:
          liveWords &+= 2
          mark(Value(bits: cell[1]))
        case .slice:
          liveWords &+= 3
          mark(Value(bits: cell[1]))
        case .mutableList:
          liveWords &+= 3
          mark(Value(bits: cell[1]))
          mark(Value(bits: cell[2]))
        case .storage:
          liveWords &+= 3
          let storage = Value(cell)
          mark(storage.elements, storage.length)
          externalBytes &+= storage.capacity &* 8
        case .closure:
          let n = Int(header &>> 48)
          liveWords &+= 2 &+ n
          mark(entry: cell[1])
          for i in 0..<n { mark(Value(bits: cell[2 + i])) }
        case .dict:
          liveWords &+= 3
          DictRepresentation.trace(cell, &self)
        case .entries:
          let n = Value(cell).length * 2
          liveWords &+= n &+ 1
          for i in 0..<n { mark(Value(bits: cell[1 + i])) }
        case .node:
          let n = Value(cell).length
          liveWords &+= n &+ 2
          for i in 0..<n { mark(Value(bits: cell[2 + i])) }
        case .record:
          let n = Value(cell).length
          liveWords &+= n &+ 2
          for i in 0..<n { mark(Value(bits: cell[2 + i])) }
        case .handler:
          liveWords &+= 8
          for i in 1..<HandlerRecord.words { mark(Value(bits: cell[i])) }
        case .code:
          liveWords &+= 2
          Unmanaged<Code>.fromOpaque(UnsafeRawPointer(bitPattern: UInt(cell[1])).unsafelyUnwrapped)._withUnsafeGuaranteedRef { $0.trace(&self) }
        case .object:
          liveWords &+= 2
          Unmanaged<HeapObject>.fromOpaque(UnsafeRawPointer(bitPattern: UInt(cell[1])).unsafelyUnwrapped)._withUnsafeGuaranteedRef {
            externalBytes &+= $0.externalBytes
            $0.trace(&self)
          }
        case .rational: liveWords &+= 3
        case .string, .symbol, .keyword:
          liveWords &+= 4
          if header & .ownsHeaderBit != 0 { externalBytes &+= Value(cell).byteCount }
          if header & .sharedTextBit != 0 { mark(Value(bits: cell[3])) }
        default: liveWords &+= 2
        }
        break
      }
    }
  }
}
