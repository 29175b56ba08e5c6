/// Plain data, copied into and out of an interpreter. Unlike the values of an interpreter it may cross threads.
///
/// Functions, rings, fibers and the like have no datum; turning one into a datum is an error.
public enum Datum: Sendable, Equatable {
  /// nil.
  case null
  /// true or false.
  case bool(Bool)
  /// A whole number of 64 bits with a sign.
  case integer(Int)
  /// A floating-point number; a fraction becomes one.
  case float(Double)
  /// A string; a character becomes one.
  case string(String)
  /// A symbol, by its name.
  case symbol(String)
  /// A keyword, by its name without the colon.
  case keyword(String)
  /// A bytevector.
  case bytes([UInt8])
  /// A list.
  case list([Datum])
  /// A dict. Its keys are texts, in the order in which they were set.
  case dict(DatumDictionary)

  /// Whether it is nil.
  public var isNull: Bool { self == .null }
  /// The text of a string, symbol or keyword.
  public var string: String? {
    switch self {
    case .string(let s), .symbol(let s), .keyword(let s): s
    default: nil
    }
  }
  /// True or false; nil for other data.
  public var bool: Bool? { if case .bool(let b) = self { b } else { nil } }
  /// A whole number; nil for other data, floats included.
  public var integer: Int? { if case .integer(let i) = self { i } else { nil } }
  /// An integer or float as a double.
  public var number: Double? {
    switch self {
    case .integer(let i): Double(i)
    case .float(let d): d
    default: nil
    }
  }
  /// The bytes of a bytevector.
  public var bytes: [UInt8]? { if case .bytes(let b) = self { b } else { nil } }
  /// The elements of a list; null counts as the empty one.
  public var list: [Datum]? {
    switch self {
    case .list(let all): all
    case .null: []
    default: nil
    }
  }
  /// The entries of a dict; nil for other data.
  public var dict: DatumDictionary? { if case .dict(let d) = self { d } else { nil } }
  /// The value under a key of a dict; nil for other data.
  public subscript(key: String) -> Datum? { dict?[key] }
}

extension Datum: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .float(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(nilLiteral: ()) { self = .null }
  public init(arrayLiteral elements: Datum...) { self = .list(elements) }
  public init(dictionaryLiteral elements: (String, Datum)...) {
    var d = DatumDictionary()
    for (k, v) in elements { d[k] = v }
    self = .dict(d)
  }
}

/// Entries in order of insertion. Keys are equal when their scalars are. Lookup is O(1), by an index that is kept beside many entries.
public struct DatumDictionary: Sendable, Equatable, ExpressibleByDictionaryLiteral, Sequence {
  /// Keys and values in order of insertion.
  public private(set) var entries: [(key: String, value: Datum)] = []
  /// Empty while there are so few entries that looking through them takes no longer.
  private var index: [Spelling: Int] = [:]
  private static let mostUnindexed = 16

  /// A dict without entries.
  public init() {}
  public init(dictionaryLiteral elements: (String, Datum)...) {
    for (k, v) in elements { self[k] = v }
  }
  /// Entries whose keys differ; traps when two are equal. O(n).
  public init(uniqueKeysWithValues entries: [(String, Datum)]) {
    self.init(uniqueEntries: entries.map { (key: $0, value: $1) })
    let differ = entries.count > Self.mostUnindexed ? index.count == entries.count : entries.indices.allSatisfy { place(of: entries[$0].0) == $0 }
    precondition(differ, "two entries of a DatumDictionary have the same key")
  }
  /// The same where nobody has to look.
  package init(uniqueEntries entries: [(key: String, value: Datum)]) {
    self.entries = entries
    if entries.count > Self.mostUnindexed { reindex() }
  }
  /// The number of entries.
  public var count: Int { entries.count }
  /// Setting nil removes the entry, O(n).
  public subscript(key: String) -> Datum? {
    get { place(of: key).map { entries[$0].value } }
    set {
      switch (place(of: key), newValue) {
      case (let i?, let value?): entries[i].value = value
      case (nil, let value?):
        entries.append((key, value))
        if entries.count == Self.mostUnindexed + 1 { reindex() } else if entries.count > Self.mostUnindexed { index[Spelling(text: key)] = entries.count - 1 }
      case (let i?, nil):
        entries.remove(at: i)
        reindex()
      case (nil, nil): break
      }
    }
  }
  public func makeIterator() -> IndexingIterator<[(key: String, value: Datum)]> { entries.makeIterator() }
  /// Equal entries; their order does not count.
  public static func == (a: DatumDictionary, b: DatumDictionary) -> Bool {
    a.count == b.count && a.entries.allSatisfy { b[$0.key] == $0.value }
  }

  private func place(of key: String) -> Int? {
    let spelling = Spelling(text: key)
    return entries.count > Self.mostUnindexed ? index[spelling] : entries.firstIndex { Spelling(text: $0.key) == spelling }
  }

  private mutating func reindex() {
    index = [:]
    guard entries.count > Self.mostUnindexed else { return }
    for (i, entry) in entries.enumerated() { index[Spelling(text: entry.key)] = i }
  }

  /// As in SX, texts are equal when their scalars are; for Swift, an é of one scalar equals one of two.
  private struct Spelling: Hashable {
    var text: String

    static func == (a: Spelling, b: Spelling) -> Bool {
      guard a.text.utf8.count == b.text.utf8.count else { return false }
      var a = a, b = b
      return a.text.withUTF8 { a in b.text.withUTF8 { b in a.elementsEqual(b) } }
    }
    func hash(into hasher: inout Hasher) {
      var text = text
      text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
  }
}

extension Machine {
  static let deepestDatum = 1000

  /// A copy on the heap. Recurses along the nesting, which `datum(_:)` and the literals keep moderate.
  func value(_ datum: Datum) -> Value {
    switch datum {
    case .null: return .nil
    case .bool(let b): return .bool(b)
    case .integer(let i): return heap.int(i)
    case .float(let d): return heap.double(d)
    case .string(let s): return heap.string(s)
    case .symbol(let s): return heap.symbol(s)
    case .keyword(let s): return heap.keyword(s)
    case .bytes(let b): return heap.allocate(object: Bytevector(b))
    case .list(let all): return heap.list(all.map(value))
    case .dict(let d):
      guard d.count <= DictRepresentation.longestFlat else {
        let v = heap.dict(capacity: d.count)
        for (k, item) in d.entries { heap.set(v, key(k), value(item)) }
        return v
      }
      // Its keys differ, so none is looked for.
      return heap.dict(count: d.count) { out in
        for (i, entry) in d.entries.enumerated() {
          out[i] = (key(entry.key), value(entry.value))
          _ = out[i].key.ensureHash(seed: heap.hashSeed)
        }
      }
    }
  }

  private func key(_ text: String) -> Value {
    var text = text
    return text.withUTF8(heap.ownString)
  }

  /// A copy outside the heap. Throws for what has no datum, and for data nested deeper than `deepestDatum`.
  func datum(_ v: Value, _ depth: Int = 0) throws -> Datum {
    if let i = Arithmetic.integer(v) { return .integer(i) }
    if let d = Arithmetic.float(v) { return .float(d) }
    if let q = Arithmetic.rational(v) { return .float(q.double) }        // no datum is a fraction
    if v.isNil { return .null }
    if v.isBool { return .bool(v == .true) }
    if v.isCharacter { return .string(String(Character(v.scalar))) }
    guard depth < Machine.deepestDatum else { throw error("data nested deeper than \(Machine.deepestDatum) levels cannot leave the interpreter") }
    switch v.kind {
    case .string: return .string(v.text)
    case .symbol: return .symbol(v.text)
    case .keyword: return .keyword(v.text)
    case .pair, .slice, .mutableList: return .list(try ListElements(v).map { try datum($0, depth + 1) })
    case .dict:
      var entries: [(key: String, value: Datum)] = []
      entries.reserveCapacity(v.length)
      for (key, item) in heap.entries(of: v) { entries.append((key.text, try datum(item, depth + 1))) }
      return .dict(DatumDictionary(uniqueEntries: entries))
    default:
      if let bytevector = v.object(as: Bytevector.self) { return .bytes(bytevector.bytes) }
      throw error("a \(typeName(v)) cannot leave the interpreter as data")
    }
  }
}
