/// A program as a deterministic automaton, whose states are made when a text first leads to them.
///
/// A state stands for the places at which `RegexpMatcher` would have threads, in order of preference, so a byte of the text costs one look
/// into a table. Where a match begins and ends comes out the same; what its groups are, only the matcher knows.
///
/// It tries one beginning after the other, which may read the same bytes again and again. What it has read in vain is counted, and when that
/// is many times what it has got ahead, the search is left to the matcher: so the time stays linear in the text.
final class RegexpAutomaton {
  enum Outcome {
    case found(Range<Int>)
    case none
    /// No match begins before this byte; the matcher has to look on from there.
    case undecided(from: Int)
  }

  private static let mostInstructions = 1000
  private static let mostStates = 256
  /// Places of all states together.
  private static let mostPlaces = 1 << 14
  /// Scalars beyond ASCII whose transitions are remembered.
  private static let mostRare = 4096
  /// Bytes between two looks at whether the evaluation has to end.
  private static let stretch = 4096

  /// Where a scalar leads: the first index of the state's row in the table; bit 0: a match ends there.
  private typealias Transition = UInt32
  private static let accepting: Transition = 1
  /// State 0 is none, so that what is less than the length of a row leads to no state.
  private static let unknown: Transition = 0, dead: Transition = 2
  private static let rowLength = 128

  private let program: RegexpProgram
  /// A row for each state: where the ASCII scalars lead.
  private var table: [Transition]
  private var rare: [UInt64: Transition] = [:]
  /// The places of each state, and the state with the same places.
  private var places: [[Int32]] = [[]]
  private var known: [[Int32]: Transition] = [:]
  private var placeCount = 0
  private var first: Transition = RegexpAutomaton.unknown
  /// For each place the last search for places that came by.
  private var visited: [UInt64]
  private var searches: UInt64 = 1

  /// nil for a program whose states would depend on more than what has been read, and for a large one.
  init?(_ program: RegexpProgram) {
    let instructions = program.instructions
    guard instructions.count <= RegexpAutomaton.mostInstructions, !instructions.contains(where: { $0.operation == .assert }) else { return nil }
    self.program = program
    table = Array(repeating: RegexpAutomaton.unknown, count: RegexpAutomaton.rowLength)
    visited = Array(repeating: 0, count: instructions.count)
    var start: [Int32] = []
    _ = follow(0, &start)
    first = state(start)
  }

  /// Bytes of memory that the states take.
  var bytes: Int { table.count * 4 + placeCount * 8 + rare.count * 32 }

  /// The first match that begins at or after byte `from`. Throws when the evaluation has to end.
  func search(_ text: UnsafeBufferPointer<UInt8>, from: Int, _ machine: Machine) throws -> Outcome {
    var start = from, inVain = 0
    while true {
      guard let candidate = try beginning(text, start, machine) else { return .none }
      start = candidate
      var at = start, state = first, end = state & RegexpAutomaton.accepting != 0 ? start : -1
      while at < text.count, state != RegexpAutomaton.dead {
        let before = at
        advance(text, &at, &state, &end)
        try machine.charge(1 + at - before)
        if state == RegexpAutomaton.unknown { return .undecided(from: start) }
      }
      if end >= 0 { return .found(start..<end) }
      inVain += at - start
      if inVain > 256 + 16 * (start - from) { return .undecided(from: start) }
      if start >= text.count { return .none }
      start += UTF8Text.width(text[start])
    }
  }

  /// The first place from `start` on at which a match may begin.
  private func beginning(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ machine: Machine) throws -> Int? {
    var at = start
    if !program.prefix.isEmpty {
      guard let found = program.prefix.withUnsafeBufferPointer({ Bytes.find($0, in: text, from: start) }) else {
        try machine.charge(text.count - start)
        return nil
      }
      at = found
    } else if first & RegexpAutomaton.accepting == 0 {
      let row = Int(first)      // which has no other bit set
      table.withUnsafeBufferPointer { table in
        while at < text.count, text[at] < 0x80, table[row &+ Int(text[at])] == RegexpAutomaton.dead { at &+= 1 }
      }
    }
    try machine.charge(at - start)
    return at
  }

  /// Reads on from a state for a stretch, and notes where a match ends.
  private func advance(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int, _ state: inout Transition, _ end: inout Int) {
    let limit = min(text.count, at &+ RegexpAutomaton.stretch)
    while at < limit {
      table.withUnsafeBufferPointer { table in
        while at < limit, text[at] < 0x80 {
          let next = table[Int(state & ~RegexpAutomaton.accepting) &+ Int(text[at])]
          if next == RegexpAutomaton.unknown { break }
          state = next
          if next == RegexpAutomaton.dead { return }
          at &+= 1
          if next & RegexpAutomaton.accepting != 0 { end = at }
        }
      }
      guard at < limit, state != RegexpAutomaton.dead, let base = text.baseAddress else { return }
      let (scalar, width) = UTF8Text.decode(base + at)
      state = transition(state, scalar.value)
      if state < RegexpAutomaton.rowLength { return }
      at += width
      if state & RegexpAutomaton.accepting != 0 { end = at }
    }
  }

  /// Where a scalar leads from a state; `unknown` when there are too many states.
  private func transition(_ state: Transition, _ c: UInt32) -> Transition {
    let row = Int(state & ~RegexpAutomaton.accepting), key = UInt64(row) << 32 | UInt64(c)
    if c >= 0x80, let next = rare[key] { return next }
    var reached: [Int32] = []
    searches += 1
    for place in places[row / RegexpAutomaton.rowLength] where program.takes(program.instructions[Int(place)], c) {
      if !follow(place + 1, &reached) { break }
    }
    let next = self.state(reached)
    if next == RegexpAutomaton.unknown { return next }
    if c < 0x80 { table[row + Int(c)] = next } else { rare[key] = next }
    return next
  }

  /// The state with these places, which is made when there is none.
  private func state(_ reached: [Int32]) -> Transition {
    if reached.isEmpty { return RegexpAutomaton.dead }
    if let state = known[reached] { return state }
    guard places.count < RegexpAutomaton.mostStates, placeCount < RegexpAutomaton.mostPlaces, rare.count < RegexpAutomaton.mostRare else { return RegexpAutomaton.unknown }
    let ends = reached.last.map { program.instructions[Int($0)].operation == .match } ?? false
    let state = Transition(table.count) | (ends ? RegexpAutomaton.accepting : 0)
    table += Array(repeating: RegexpAutomaton.unknown, count: RegexpAutomaton.rowLength)
    places.append(reached)
    placeCount += reached.count + 16
    known[reached] = state
    return state
  }

  /// Adds the places that are reached from one without taking anything of the text. False at the end of the program: what comes later has
  /// less right than the match.
  private func follow(_ place: Int32, _ reached: inout [Int32]) -> Bool {
    var stack = [place]
    while let place = stack.popLast() {
      if visited[Int(place)] == searches { continue }
      visited[Int(place)] = searches
      let instruction = program.instructions[Int(place)]
      switch instruction.operation {
      case .jump: stack.append(instruction.x)
      case .split: stack += [instruction.y, instruction.x]
      case .save, .assert: stack.append(place + 1)
      default:
        reached.append(place)
        if instruction.operation == .match { return false }
      }
    }
    return true
  }
}
