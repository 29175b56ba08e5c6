/// Reads the text of a pattern.
///
/// | | |
/// |---|---|
/// | `.` | any scalar but a newline; with the flag `s` any |
/// | `[a-z_]` `[^a-z]` `[[:alpha:]]` | one of a set, one outside it |
/// | `\d \w \s`, `\D \W \S`, `\p{Lu}`, `\P{L}` | digits, word scalars, white space (by Unicode), and their opposites; general categories |
/// | `^ $ \A \z \b \B` | beginning and end of the text (with `m` of a line), of the text, word boundary or none |
/// | `a\|b`, `(…)`, `(?:…)`, `(?<name>…)` | alternatives, groups |
/// | `* + ? {2} {2,} {2,5}`, and lazy with `?` behind | repetition, counts up to 1000 |
/// | `(?i)`, `(?i:…)`, `(?-i)` | flags from here on, or inside the group: `i` ignores case, `m` and `s` as above, `x` skips blanks and comments |
/// | `\n \t \r \f \v \0 \xHH \x{H…} \uHHHH` | scalars; a backslash takes the meaning off any punctuation |
///
/// Lookaround and back references are refused: nothing that takes more than linear time is in here.
struct RegexpParser {
  struct Flags {
    var ignoresCase = false, multiline = false, dotAll = false, extended = false
  }
  static let mostRepeats = 1000
  static let deepestNesting = 200
  static let mostGroups = 200

  private let pattern: [UInt32]
  private var i = 0
  private var flags: Flags
  private var depth = 0
  private(set) var groupCount = 0
  private(set) var groupNames: [(name: String, number: Int)] = []

  init(_ pattern: String, _ flags: Flags) {
    self.pattern = pattern.unicodeScalars.map(\.value)
    self.flags = flags
  }

  mutating func parse() throws -> RegexpNode {
    let node = try alternatives()
    if i < pattern.count { throw error("`)` without `(`", i) }
    return node
  }

  private func error(_ message: String, _ at: Int) -> RegexpError { RegexpError(message: message, offset: at) }
  private func at(_ c: Character) -> Bool { i < pattern.count && pattern[i] == c.unicodeScalars.first.unsafelyUnwrapped.value }
  private mutating func take(_ c: Character) -> Bool {
    guard at(c) else { return false }
    i += 1
    return true
  }
  private func peek(_ offset: Int) -> Character? {
    i + offset < pattern.count ? Unicode.Scalar(pattern[i + offset]).map(Character.init) : nil
  }

  private mutating func alternatives() throws -> RegexpNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= RegexpParser.deepestNesting else { throw error("groups nested deeper than \(RegexpParser.deepestNesting)", i) }
    var all = [try sequence()]
    while take("|") { all.append(try sequence()) }
    return all.count == 1 ? all[0] : .alternatives(all)
  }

  private mutating func sequence() throws -> RegexpNode {
    var parts: [RegexpNode] = []
    while i < pattern.count, !at("|"), !at(")") {
      if flags.extended, try skipBlank() { continue }
      let start = i
      let part = try atom()
      parts.append(try repetition(of: part, start))
    }
    return parts.count == 1 ? parts[0] : parts.isEmpty ? .empty : .sequence(parts)
  }

  private mutating func skipBlank() throws -> Bool {
    if at("#") {
      while i < pattern.count, pattern[i] != 10 { i += 1 }
      return true
    }
    guard let scalar = Unicode.Scalar(pattern[i]), scalar.properties.isWhitespace else { return false }
    i += 1
    return true
  }

  private mutating func repetition(of node: RegexpNode, _ start: Int) throws -> RegexpNode {
    var node = node, repeats = 0
    while i < pattern.count {
      let at = i
      let least: Int, most: Int?
      if take("*") {
        (least, most) = (0, nil)
      } else if take("+") {
        (least, most) = (1, nil)
      } else if take("?") {
        (least, most) = (0, 1)
      } else if let counted = try counts() {
        (least, most) = counted
      } else {
        break
      }
      if case .assertion = node { throw error("nothing to repeat", at) }
      if repeats > 0 { throw error("a repetition of a repetition", at) }
      repeats += 1
      let greedy = !take("?")
      if self.at("+") { throw error("possessive repetition is not supported", i) }
      node = .repeated(node, least: least, most: most, greedy: greedy)
    }
    return node
  }

  /// `{2}`, `{2,}` or `{2,5}`; any other brace is a scalar like others.
  private mutating func counts() throws -> (Int, Int?)? {
    guard at("{") else { return nil }
    var j = i + 1
    func number() -> (value: Int, end: Int)? {
      var k = j, value = 0
      while k < pattern.count, pattern[k] &- 0x30 < 10 {
        value = min(value * 10 + Int(pattern[k] - 0x30), 1_000_000)
        k += 1
      }
      return k > j ? (value, k) : nil
    }
    guard let first = number() else { return nil }
    j = first.end
    var most: Int? = first.value
    if j < pattern.count, pattern[j] == 0x2C {
      j += 1
      if let second = number() {
        most = second.value
        j = second.end
      } else {
        most = nil
      }
    }
    guard j < pattern.count, pattern[j] == 0x7D else { return nil }
    let largest = max(first.value, most ?? 0)
    if largest > RegexpParser.mostRepeats { throw error("a count beyond \(RegexpParser.mostRepeats)", i) }
    if let most, most < first.value { throw error("the counts {\(first.value),\(most)} are in the wrong order", i) }
    i = j + 1
    return (first.value, most)
  }

  private mutating func atom() throws -> RegexpNode {
    let start = i, c = pattern[i]
    i += 1
    switch Unicode.Scalar(c).map(Character.init) {
    case "(": return try group(start)
    case "[": return try set(start)
    case ".": return .any(newline: flags.dotAll)
    case "^": return .assertion(flags.multiline ? .lineStart : .textStart)
    case "$": return .assertion(flags.multiline ? .lineEnd : .textEnd)
    case "*", "+", "?": throw error("nothing to repeat", start)
    case "\\": return try escape(start)
    default:
      return scalar(c)
    }
  }
  private func scalar(_ c: UInt32) -> RegexpNode {
    if flags.ignoresCase {
      let folded = CaseFold.fold(c)
      if folded != c || CaseFold.upper(c) != c { return .scalar(folded, folded: true) }
    }
    return .scalar(c, folded: false)
  }

  // MARK: Groups

  private mutating func group(_ start: Int) throws -> RegexpNode {
    let outer = flags
    var number: Int?
    if take("?") {
      switch peek(0) {
      case ":": i += 1
      case "=", "!": throw error("lookahead is not supported: matching takes time linear in the text", start)
      case "<" where peek(1) == "=" || peek(1) == "!": throw error("lookbehind is not supported: matching takes time linear in the text", start)
      case "<":
        i += 1
        number = try namedGroup(start)
      case "P" where peek(1) == "<":
        i += 2
        number = try namedGroup(start)
      case "#":
        while i < pattern.count, !at(")") { i += 1 }
        guard take(")") else { throw error("unclosed comment", start) }
        return .empty
      default:
        try readFlags(start)
        if take(")") { return .empty }                         // from here to the end of the enclosing group
        i += 1                                                 // the colon
      }
    } else {
      number = try newGroup(start)
    }
    let inner = try alternatives()
    guard take(")") else { throw error("unclosed group", start) }
    flags = outer
    return number.map { .group(inner, number: $0) } ?? inner
  }
  private mutating func newGroup(_ start: Int) throws -> Int {
    groupCount += 1
    guard groupCount <= RegexpParser.mostGroups else { throw error("more than \(RegexpParser.mostGroups) groups", start) }
    return groupCount
  }
  private mutating func namedGroup(_ start: Int) throws -> Int {
    var name = ""
    while let c = peek(0), c.isLetter || c.isNumber || c == "_" || c == "-" {
      name.append(c)
      i += 1
    }
    guard !name.isEmpty, take(">") else { throw error("a group name has letters, digits, _ and -, and ends with >", start) }
    guard !groupNames.contains(where: { $0.name == name }) else { throw error("a second group with the name \(name)", start) }
    let number = try newGroup(start)
    groupNames.append((name, number))
    return number
  }
  /// Up to the `:` or `)`, which stays.
  private mutating func readFlags(_ start: Int) throws {
    var on = true, any = false
    while let c = peek(0), c != ":", c != ")" {
      switch c {
      case "-" where on: on = false
      case "i": flags.ignoresCase = on
      case "m": flags.multiline = on
      case "s": flags.dotAll = on
      case "x": flags.extended = on
      default: throw error("unknown group `(?\(c)`", start)
      }
      any = true
      i += 1
    }
    guard i < pattern.count, any else { throw error("unclosed group", start) }
  }

  // MARK: Escapes

  private mutating func escape(_ start: Int) throws -> RegexpNode {
    guard let c = peek(0) else { throw error("the pattern ends with a backslash", start) }
    switch c {
    case "b":
      i += 1
      return .assertion(.wordBoundary)
    case "B":
      i += 1
      return .assertion(.noWordBoundary)
    case "A":
      i += 1
      return .assertion(.textStart)
    case "z", "Z":
      i += 1
      return .assertion(.textEnd)
    case "1"..."9": throw error("back references are not supported: matching takes time linear in the text", start)
    case "k": throw error("back references are not supported: matching takes time linear in the text", start)
    default: break
    }
    if let (property, negated) = try property(start) {
      var set = ScalarSet()
      set.insert(property, negated: negated)
      set.finish()
      return .set(set, folded: flags.ignoresCase)
    }
    return scalar(try escapedScalar(start))
  }

  /// `\d`, `\p{…}` and their like, behind the backslash; nil for other escapes.
  private mutating func property(_ start: Int) throws -> (ScalarProperty, Bool)? {
    let found: (ScalarProperty, Bool)
    switch peek(0) {
    case "d": found = (.digit, false)
    case "D": found = (.digit, true)
    case "w": found = (.word, false)
    case "W": found = (.word, true)
    case "s": found = (.space, false)
    case "S": found = (.space, true)
    case "p", "P":
      let negated = at("P")
      i += 1
      var name = ""
      if take("{") {
        while i < pattern.count, !at("}") {
          name.unicodeScalars.append(Unicode.Scalar(pattern[i]) ?? "?")
          i += 1
        }
        guard take("}") else { throw error("unclosed \\p{", start) }
      } else if let c = peek(0) {
        name = String(c)
        i += 1
      }
      guard let property = ScalarProperty.named(name) else { throw error("unknown property `\(name)`", start) }
      return (property, negated)
    default: return nil
    }
    i += 1
    return found
  }

  private mutating func escapedScalar(_ start: Int) throws -> UInt32 {
    guard let c = peek(0) else { throw error("the pattern ends with a backslash", start) }
    i += 1
    switch c {
    case "n": return 10
    case "t": return 9
    case "r": return 13
    case "f": return 12
    case "v": return 11
    case "a": return 7
    case "e": return 27
    case "0": return 0
    case "x": return try hexadecimal(start, 2)
    case "u": return try hexadecimal(start, 4)
    default:
      guard !(c.isASCII && (c.isLetter || c.isNumber)) else { throw error("unknown escape `\\\(c)`", start) }
      return pattern[i - 1]
    }
  }
  private mutating func hexadecimal(_ start: Int, _ digits: Int) throws -> UInt32 {
    var text = ""
    if take("{") {
      while let c = peek(0), c != "}" {
        text.append(c)
        i += 1
      }
      guard take("}") else { throw error("unclosed brace", start) }
    } else {
      while text.count < digits, let c = peek(0) {
        text.append(c)
        i += 1
      }
      guard text.count == digits else { throw error("expected \(digits) hexadecimal digits", start) }
    }
    guard text.utf8.count <= 6, let code = UInt32(text, radix: 16), !text.hasPrefix("+"), Unicode.Scalar(code) != nil else { throw error("`\(text)` is no Unicode scalar", start) }
    return code
  }

  // MARK: Sets

  private mutating func set(_ start: Int) throws -> RegexpNode {
    var set = ScalarSet()
    set.negated = take("^")
    var first = true
    while true {
      guard i < pattern.count else { throw error("unclosed set", start) }
      if at("]"), !first { break }
      first = false
      let from = i
      if at("["), peek(1) == ":" {
        i += 2
        var name = ""
        while let c = peek(0), c.isLetter || c == "^" {
          name.append(c)
          i += 1
        }
        let negated = name.hasPrefix("^")
        guard take(":"), take("]"), let property = ScalarProperty.posix(String(name.drop { $0 == "^" })) else { throw error("unknown class `[:\(name)`", from) }
        set.insert(property, negated: negated)
        continue
      }
      if at("\\") {
        i += 1
        if let (property, negated) = try property(from) {
          set.insert(property, negated: negated)
          continue
        }
        i -= 1
      }
      let low = try setScalar(from)
      guard at("-"), let next = peek(1), next != "]" else {
        set.insert(low...low)
        continue
      }
      i += 1
      let high = try setScalar(i)
      guard low <= high else { throw error("a range in the wrong order", from) }
      set.insert(low...high)
    }
    i += 1
    set.finish()
    return .set(set, folded: flags.ignoresCase)
  }
  private mutating func setScalar(_ from: Int) throws -> UInt32 {
    guard take("\\") else {
      i += 1
      return pattern[i - 1]
    }
    if take("b") { return 8 }
    if let c = peek(0), "dDwWsSpP".contains(c) { throw error("a class cannot be the end of a range", from) }
    return try escapedScalar(from)
  }
}
