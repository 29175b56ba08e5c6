/// A pattern as instructions for `RegexpMatcher`.
struct RegexpProgram {
  struct Instruction {
    enum Operation: UInt8 {
      case scalar, foldedScalar, set, foldedSet, any, anyInLine
      /// Goes on at `x` and, with less right, at `y`.
      case split
      case jump
      /// Notes the place in slot `x`.
      case save
      case assert
      case match
    }
    let operation: Operation
    var x: Int32 = 0, y: Int32 = 0
  }
  static let mostInstructions = 50_000
  /// Instructions times slots: what a match needs in memory, twice.
  private static let mostSlots = 4_000_000
  private static let tooLarge = RegexpError(message: "the pattern is too large", offset: 0)

  private(set) var instructions: [Instruction] = []
  private(set) var sets: [ScalarSet] = []
  let groupCount: Int
  let groupNames: [(name: String, number: Int)]
  /// Bytes with which every match begins.
  private(set) var prefix: [UInt8] = []
  /// Every match begins at the beginning of the text.
  private(set) var isAnchored = false

  var slotCount: Int { 2 * (groupCount + 1) }

  init(_ pattern: String, _ flags: RegexpParser.Flags) throws {
    var parser = RegexpParser(pattern, flags)
    let node = try parser.parse()
    groupCount = parser.groupCount
    groupNames = parser.groupNames
    try emit(.group(node, number: 0))
    try emit(.init(operation: .match))
    if instructions.count * slotCount > RegexpProgram.mostSlots { throw RegexpProgram.tooLarge }
    (prefix, isAnchored) = RegexpProgram.beginning(of: node)
  }

  /// Does the instruction take the scalar `c`? `.max` stands for the end of the text.
  @inline(__always) func takes(_ instruction: Instruction, _ c: UInt32) -> Bool {
    switch instruction.operation {
    case .scalar: return c == UInt32(bitPattern: instruction.x)
    case .foldedScalar: return c != .max && CaseFold.fold(c) == UInt32(bitPattern: instruction.x)
    case .set: return c != .max && sets[Int(instruction.x)].contains(c)
    case .foldedSet:
      guard c != .max else { return false }
      let set = sets[Int(instruction.x)], folded = CaseFold.fold(c)
      return set.negated
        ? set.contains(c) && set.contains(folded) && set.contains(CaseFold.upper(folded))
        : set.contains(c) || set.contains(folded) || set.contains(CaseFold.upper(folded))
    case .any: return c != .max
    case .anyInLine: return c != .max && c != 10
    case .split, .jump, .save, .assert, .match: return false
    }
  }

  private mutating func emit(_ instruction: Instruction) throws {
    guard instructions.count < RegexpProgram.mostInstructions else { throw RegexpProgram.tooLarge }
    instructions.append(instruction)
  }
  private var here: Int32 { Int32(instructions.count) }

  /// Counts of counts of nothing emit nothing, but take their time.
  private var nodesEmitted = 0

  private mutating func emit(_ node: RegexpNode) throws {
    nodesEmitted += 1
    guard nodesEmitted < 20 * RegexpProgram.mostInstructions else { throw RegexpProgram.tooLarge }
    switch node {
    case .empty: break
    case .scalar(let c, let folded): try emit(.init(operation: folded ? .foldedScalar : .scalar, x: Int32(c)))
    case .set(let set, let folded):
      sets.append(set)
      try emit(.init(operation: folded ? .foldedSet : .set, x: Int32(sets.count - 1)))
    case .any(let newline): try emit(.init(operation: newline ? .any : .anyInLine))
    case .assertion(let kind): try emit(.init(operation: .assert, x: kind.rawValue))
    case .sequence(let parts): for part in parts { try emit(part) }
    case .group(let inner, let number):
      try emit(.init(operation: .save, x: Int32(2 * number)))
      try emit(inner)
      try emit(.init(operation: .save, x: Int32(2 * number + 1)))
    case .alternatives(let all):
      var jumps: [Int] = []
      for (k, one) in all.enumerated() {
        guard k < all.count - 1 else {
          try emit(one)
          break
        }
        let split = instructions.count
        try emit(.init(operation: .split, x: here + 1))
        try emit(one)
        jumps.append(instructions.count)
        try emit(.init(operation: .jump))
        instructions[split].y = here
      }
      for jump in jumps { instructions[jump].x = here }
    case .repeated(let inner, let least, let most, let greedy):
      try emitRepeated(inner, least, most, greedy)
    }
  }

  private mutating func emitRepeated(_ inner: RegexpNode, _ least: Int, _ most: Int?, _ greedy: Bool) throws {
    for _ in 0..<max(0, most == nil ? least - 1 : least) { try emit(inner) }
    guard let most else {
      let loop = here
      if least > 0 {                                           // body, then back or on
        try emit(inner)
        try emit(split(loop, here + 1, greedy))
      } else {
        let split = instructions.count
        try emit(.init(operation: .split))
        try emit(inner)
        try emit(.init(operation: .jump, x: loop))
        instructions[split] = self.split(loop + 1, here, greedy)
      }
      return
    }
    var splits: [Int] = []
    for _ in 0..<(most - least) {
      splits.append(instructions.count)
      try emit(.init(operation: .split))
      try emit(inner)
    }
    for split in splits { instructions[split] = self.split(Int32(split + 1), here, greedy) }
  }
  /// `more` is preferred by a greedy repetition.
  private func split(_ more: Int32, _ on: Int32, _ greedy: Bool) -> Instruction {
    Instruction(operation: .split, x: greedy ? more : on, y: greedy ? on : more)
  }

  /// What every match begins with, as far as it is plain.
  private static func beginning(of node: RegexpNode) -> ([UInt8], Bool) {
    switch node {
    case .scalar(let c, false): return (Array(String(Unicode.Scalar(c).map(Character.init) ?? "?").utf8), false)
    case .assertion(.textStart): return ([], true)
    case .group(let inner, _):
      return beginning(of: inner)
    case .sequence(let parts):
      var bytes: [UInt8] = []
      for (k, part) in parts.enumerated() {
        if case .scalar(let c, false) = part, let scalar = Unicode.Scalar(c) {
          bytes += Array(String(Character(scalar)).utf8)
          continue
        }
        if k == 0 { return beginning(of: part) }
        break
      }
      return (bytes, false)
    default: return ([], false)
    }
  }
}
