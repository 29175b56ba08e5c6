/// Looks for the matches of one pattern in a text: with the automaton where the matches are, as far as it can say so, and with the matcher what the
/// rest is and what the groups are.
struct RegexpSearch {
  private let program: RegexpProgram
  private let automaton: RegexpAutomaton?
  private let machine: Machine
  private lazy var matcher = RegexpMatcher(program, machine)
  /// Beginning and end in bytes of the match that was found last and, where they were asked for, of its groups; -1 for a group that took no part.
  private(set) var slots: [Int]

  init(_ program: RegexpProgram, _ automaton: RegexpAutomaton?, _ machine: Machine, groups: Bool) {
    self.program = program
    self.automaton = automaton
    self.machine = machine
    slots = Array(repeating: -1, count: groups ? program.slotCount : 2)
  }

  /// Is there a match that begins at or after byte `from`? The first one is then in `slots`. Throws when the evaluation has to end.
  mutating func next(_ text: UnsafeBufferPointer<UInt8>, from: Int) throws -> Bool {
    var from = from
    if let automaton {
      switch try automaton.search(text, from: from, machine) {
      case .none: return false
      case .found(let range) where slots.count == 2:
        slots[0] = range.lowerBound
        slots[1] = range.upperBound
        return true
      case .found(let range): from = range.lowerBound
      case .undecided(let start): from = start
      }
    }
    guard try matcher.match(text, from: from) else { return false }
    for k in slots.indices { slots[k] = matcher.found[k] }
    return true
  }
}

/// Matches that were found, as numbers in one array: beginning and end in bytes of each and of its groups.
struct RegexpMatches {
  let slotCount: Int
  private var slots: [Int] = []
  private(set) var count = 0

  init(slotCount: Int) { self.slotCount = slotCount }

  mutating func append(_ match: [Int]) {
    slots.append(contentsOf: match)
    count += 1
  }
  func start(_ match: Int, group: Int = 0) -> Int { slots[match * slotCount + 2 * group] }
  func end(_ match: Int, group: Int = 0) -> Int { slots[match * slotCount + 2 * group + 1] }
}
