/// What a regular expression says, as its parser understood it.
indirect enum RegexpNode {
  case empty
  case scalar(UInt32, folded: Bool)
  case set(ScalarSet, folded: Bool)
  /// `.`: any scalar, or any but the end of a line.
  case any(newline: Bool)
  case assertion(RegexpAssertion)
  case sequence([RegexpNode])
  case alternatives([RegexpNode])
  case group(RegexpNode, number: Int)
  /// `most` nil: without end.
  case repeated(RegexpNode, least: Int, most: Int?, greedy: Bool)
}

/// Conditions on a place in the text that take nothing of it.
enum RegexpAssertion: Int32 {
  case textStart, textEnd, lineStart, lineEnd, wordBoundary, noWordBoundary
}

/// What is wrong with a pattern, and where: an offset in scalars.
struct RegexpError: Error {
  let message: String
  let offset: Int
}

/// A set of scalars: ranges and Unicode properties.
struct ScalarSet {
  /// A property, or what does not have it.
  struct Member {
    let property: ScalarProperty
    let negated: Bool
  }
  private(set) var ranges: [ClosedRange<UInt32>] = []
  private(set) var members: [Member] = []
  var negated = false
  /// One bit for every ASCII scalar, made by `finish`.
  private var low: (UInt64, UInt64) = (0, 0)

  mutating func insert(_ range: ClosedRange<UInt32>) { ranges.append(range) }
  mutating func insert(_ property: ScalarProperty, negated: Bool = false) { members.append(Member(property: property, negated: negated)) }

  /// After the last `insert`.
  mutating func finish() {
    ranges.sort { $0.lowerBound < $1.lowerBound }
    for c in UInt32(0)..<128 where search(c) {
      if c < 64 { low.0 |= 1 << UInt64(c) } else { low.1 |= 1 << UInt64(c - 64) }
    }
  }

  func contains(_ c: UInt32) -> Bool {
    if c < 64 { return low.0 >> UInt64(c) & 1 == 1 }
    if c < 128 { return low.1 >> UInt64(c - 64) & 1 == 1 }
    return search(c)
  }

  private func search(_ c: UInt32) -> Bool {
    for range in ranges {
      if range.lowerBound > c { break }
      if range.contains(c) { return !negated }
    }
    if !members.isEmpty, let scalar = Unicode.Scalar(c) {
      for member in members where member.property.holds(scalar) != member.negated { return !negated }
    }
    return negated
  }
}

/// Properties of scalars that escapes such as `\d` and `\p{Lu}` name.
enum ScalarProperty {
  case digit, word, space
  case alphabetic, uppercase, lowercase, alphanumeric, punctuation, graphic, control
  /// A general category by its letters, or the first of them.
  case category(String)

  func holds(_ scalar: Unicode.Scalar) -> Bool {
    let properties = scalar.properties
    switch self {
    case .digit: return properties.generalCategory == .decimalNumber
    case .word:
      return properties.isAlphabetic || properties.generalCategory == .decimalNumber || properties.generalCategory == .connectorPunctuation
        || properties.generalCategory == .nonspacingMark
    case .space: return properties.isWhitespace
    case .alphabetic: return properties.isAlphabetic
    case .uppercase: return properties.isUppercase
    case .lowercase: return properties.isLowercase
    case .alphanumeric: return properties.isAlphabetic || properties.generalCategory == .decimalNumber
    case .punctuation:
      let name = ScalarProperty.letters(properties.generalCategory)
      return name.hasPrefix("P") || scalar.value < 128 && name.hasPrefix("S")
    case .graphic: return !properties.isWhitespace && !ScalarProperty.letters(properties.generalCategory).hasPrefix("C")
    case .control: return properties.generalCategory == .control
    case .category(let wanted): return ScalarProperty.letters(properties.generalCategory).hasPrefix(wanted)
    }
  }

  /// nil for a category that does not exist.
  static func named(_ name: String) -> ScalarProperty? {
    switch name {
    case "Alphabetic": return .alphabetic
    case "Uppercase": return .uppercase
    case "Lowercase": return .lowercase
    case "White_Space": return .space
    default: return categories.contains { $0.hasPrefix(name) } && !name.isEmpty ? .category(name) : nil
    }
  }
  /// The classes of POSIX, as `[:alpha:]`.
  static func posix(_ name: String) -> ScalarProperty? {
    switch name {
    case "alpha": .alphabetic
    case "digit": .digit
    case "alnum": .alphanumeric
    case "upper": .uppercase
    case "lower": .lowercase
    case "space": .space
    case "punct": .punctuation
    case "graph": .graphic
    case "cntrl": .control
    case "word": .word
    default: nil
    }
  }

  private static let categories = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
  ]
  private static func letters(_ category: Unicode.GeneralCategory) -> String {
    switch category {
    case .uppercaseLetter: "Lu"
    case .lowercaseLetter: "Ll"
    case .titlecaseLetter: "Lt"
    case .modifierLetter: "Lm"
    case .otherLetter: "Lo"
    case .nonspacingMark: "Mn"
    case .spacingMark: "Mc"
    case .enclosingMark: "Me"
    case .decimalNumber: "Nd"
    case .letterNumber: "Nl"
    case .otherNumber: "No"
    case .connectorPunctuation: "Pc"
    case .dashPunctuation: "Pd"
    case .openPunctuation: "Ps"
    case .closePunctuation: "Pe"
    case .initialPunctuation: "Pi"
    case .finalPunctuation: "Pf"
    case .otherPunctuation: "Po"
    case .mathSymbol: "Sm"
    case .currencySymbol: "Sc"
    case .modifierSymbol: "Sk"
    case .otherSymbol: "So"
    case .spaceSeparator: "Zs"
    case .lineSeparator: "Zl"
    case .paragraphSeparator: "Zp"
    case .control: "Cc"
    case .format: "Cf"
    case .surrogate: "Cs"
    case .privateUse: "Co"
    default: "Cn"
    }
  }
}

/// Case folding of single scalars: what has one form here is the same letter to a pattern that ignores case.
enum CaseFold {
  static func fold(_ c: UInt32) -> UInt32 {
    if c < 128 { return c &- 0x41 < 26 ? c | 0x20 : c }
    return lower(upper(c))
  }
  static func upper(_ c: UInt32) -> UInt32 { single(c) { $0.properties.uppercaseMapping } }
  private static func lower(_ c: UInt32) -> UInt32 { single(c) { $0.properties.lowercaseMapping } }
  private static func single(_ c: UInt32, _ mapping: (Unicode.Scalar) -> String) -> UInt32 {
    guard let scalar = Unicode.Scalar(c) else { return c }
    let mapped = mapping(scalar).unicodeScalars
    return mapped.count == 1 ? mapped.first.unsafelyUnwrapped.value : c
  }
}
