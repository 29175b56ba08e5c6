/// Runs a program along a text: all ways through the pattern at once, in order of preference, so the time is at most the length of the
/// text times the size of the program, whatever the pattern.
///
/// A thread is a place in the program with the slots of its groups. Every place has at most one thread at a time: the one that is preferred
/// came first, and what comes to the same place later could only do the same with less right.
struct RegexpMatcher {
  /// Threads in order of preference, and the same by place.
  private struct Threads {
    var dense: [Int32]
    var sparse: [Int32]
    var count = 0
    /// The slots of the thread at each place.
    var slots: [Int]

    init(_ places: Int, _ slotCount: Int) {
      dense = Array(repeating: 0, count: places)
      sparse = Array(repeating: 0, count: places)
      slots = Array(repeating: -1, count: places * slotCount)
    }
    /// False when there is a thread at the place already.
    @inline(__always) mutating func insert(_ place: Int32) -> Bool {
      let known = Int(sparse[Int(place)])
      if known < count, dense[known] == place { return false }
      dense[count] = place
      sparse[Int(place)] = Int32(count)
      count += 1
      return true
    }
  }
  private enum Step {
    case explore(Int32)
    case restore(slot: Int, to: Int)
  }

  private let program: RegexpProgram
  private let machine: Machine
  private let slotCount: Int
  private var current: Threads
  private var next: Threads
  private var stack: [Step] = []
  private var slots: [Int]
  /// Beginning and end in bytes of the match that was found last and of each of its groups; -1 for a group that took no part.
  private(set) var found: [Int]

  init(_ program: RegexpProgram, _ machine: Machine) {
    self.program = program
    self.machine = machine
    slotCount = program.slotCount
    current = Threads(program.instructions.count, slotCount)
    next = current
    slots = Array(repeating: -1, count: slotCount)
    found = slots
  }

  /// Looks for the first match that begins at or after byte `from`, which is then in `found`. `whole`: the match must begin at `from` and end
  /// at the end of the text. Throws when the evaluation has to end.
  mutating func match(_ text: UnsafeBufferPointer<UInt8>, from: Int, whole: Bool = false) throws -> Bool {
    let n = text.count
    var isFound = false
    var at = from
    current.count = 0
    while true {
      if current.count == 0 {
        if isFound || at > from && (whole || program.isAnchored) { break }
        if program.isAnchored, at > 0 { break }
        if !program.prefix.isEmpty, !whole {
          let candidate = program.prefix.withUnsafeBufferPointer { Bytes.find($0, in: text, from: at) }
          try machine.charge((candidate ?? n) - at)
          guard let candidate else { break }
          at = candidate
        }
      }
      if !isFound, !(whole && at > from) {
        for k in 0..<slotCount { slots[k] = -1 }
        RegexpMatcher.follow(program, 0, at, text, &current, &slots, &stack)
      }
      var c: UInt32 = .max, width = 0
      if at < n {
        c = UInt32(text[at])
        width = 1
        if c >= 0x80, let base = text.baseAddress {
          let (scalar, bytes) = UTF8Text.decode(base + at)
          c = scalar.value
          width = bytes
        }
      }
      next.count = 0
      try machine.charge(1 + current.count)
      var k = 0
      while k < current.count {
        let place = current.dense[k]
        k += 1
        let instruction = program.instructions[Int(place)]
        if instruction.operation == .match {
          if whole, at < n { continue }
          for s in 0..<slotCount { found[s] = current.slots[Int(place) * slotCount + s] }
          isFound = true
          break                                                // whoever comes later has less right
        }
        if program.takes(instruction, c) {
          for s in 0..<slotCount { slots[s] = current.slots[Int(place) * slotCount + s] }
          RegexpMatcher.follow(program, place + 1, at + width, text, &next, &slots, &stack)
        }
      }
      swap(&current, &next)
      if at >= n { break }
      at += width
    }
    return isFound
  }

  /// Adds the thread at a place, and those it reaches without taking anything of the text.
  private static func follow(
    _ program: RegexpProgram, _ place: Int32, _ at: Int, _ text: UnsafeBufferPointer<UInt8>, _ threads: inout Threads, _ slots: inout [Int], _ stack: inout [Step]
  ) {
    let slotCount = slots.count
    stack.append(.explore(place))
    while let step = stack.popLast() {
      switch step {
      case .restore(let slot, let old): slots[slot] = old
      case .explore(let place):
        guard threads.insert(place) else { continue }
        let instruction = program.instructions[Int(place)]
        switch instruction.operation {
        case .jump: stack.append(.explore(instruction.x))
        case .split:
          stack.append(.explore(instruction.y))
          stack.append(.explore(instruction.x))
        case .save:
          let slot = Int(instruction.x)
          stack.append(.restore(slot: slot, to: slots[slot]))
          slots[slot] = at
          stack.append(.explore(place + 1))
        case .assert:
          if holds(RegexpAssertion(rawValue: instruction.x) ?? .textStart, at, text) { stack.append(.explore(place + 1)) }
        default:
          let base = Int(place) * slotCount
          for s in 0..<slotCount { threads.slots[base + s] = slots[s] }
        }
      }
    }
  }

  private static func holds(_ assertion: RegexpAssertion, _ at: Int, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
    switch assertion {
    case .textStart: at == 0
    case .textEnd: at == text.count
    case .lineStart: at == 0 || text[at - 1] == 10
    case .lineEnd: at == text.count || text[at] == 10
    case .wordBoundary: isWord(before: at, text) != isWord(at, text)
    case .noWordBoundary: isWord(before: at, text) == isWord(at, text)
    }
  }
  private static func isWord(_ at: Int, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
    guard at < text.count, let base = text.baseAddress else { return false }
    return ScalarProperty.word.holds(UTF8Text.decode(base + at).scalar)
  }
  private static func isWord(before at: Int, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
    guard at > 0 else { return false }
    var start = at - 1
    while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
    return isWord(start, text)
  }
}
