/// What a text does with the constructors of `define-type` and `define-record-type`, which exist only when it runs: calls with a wrong number of
/// arguments, and patterns of `match` that can fit nothing. A constructor may be defined behind its uses, so they are judged in the end.
struct ConstructorCheck {
  private struct Constructor {
    let name: String
    let fields: [String]
    /// Of `define-type`: it may stand in a pattern.
    let isVariant: Bool
  }
  struct Uses {
    fileprivate var calls: [(global: Int, count: Int, span: SourceSpan)] = []
    fileprivate var patterns: [(symbol: Value, count: Int, span: SourceSpan)] = []
  }

  private let machine: Machine
  private var constructors: [Int: Constructor] = [:]
  /// Those of the form that is being looked at, which may turn out to be local.
  private var candidates: [Int: Constructor] = [:]
  var uses = Uses()

  init(_ machine: Machine) { self.machine = machine }

  /// Looks at a call of the form that is being checked.
  mutating func note(_ function: Node, _ arguments: [Node], _ span: SourceSpan) {
    guard case .global(let index, _) = function else { return }
    let constants = arguments.map { if case .constant(let v) = $0 { v } else { Value.unbound } }
    switch machine.globalNames[index].text {
    case "record/-define-variants" where constants.count == 2 && constants[1].isListCell:
      for constructor in ListElements(constants[1]) where constructor.isListCell {
        let names = ListElements(constructor).filter { $0.isKind(.symbol) }
        if let name = names.first { candidates[machine.globalIndex(name)] = Constructor(name: name.text, fields: names.dropFirst().map(\.text), isVariant: true) }
      }
    case "record/-define" where constants.count > 3 && constants[1].isListCell && constants[2].isKind(.symbol) && constants[3].isListCell:
      let fields = ListElements(constants[1]).map { $0.isText ? $0.text : "field" }
      let taken = ListElements(constants[3]).compactMap { Arithmetic.integer($0) }.filter { fields.indices.contains($0) }.map { fields[$0] }
      candidates[machine.globalIndex(constants[2])] = Constructor(name: constants[2].text, fields: taken, isVariant: false)
    case "record/-is?" where constants.count == 3 && constants[1].isKind(.symbol):
      uses.patterns.append((constants[1], Arithmetic.integer(constants[2]) ?? 0, span))
    default: uses.calls.append((index, arguments.count, span))
    }
  }

  /// The form has been looked at: what it defines as a constructor is one from here on, and what it defines as something else no longer.
  ///
  /// - Parameter patterns: how many patterns there were before it.
  mutating func endForm(_ form: Value, defined: Set<Int>, since patterns: Int) {
    for index in defined { constructors[index] = candidates[index] }
    candidates = [:]
    let new = uses.patterns[patterns...]
    uses.patterns.removeSubrange(patterns...)
    for pattern in new where !uses.patterns[patterns...].contains(where: { $0.symbol == pattern.symbol && $0.count == pattern.count }) {
      let places = self.places(of: pattern.symbol, pattern.count, in: form)
      uses.patterns += (places.isEmpty ? [pattern.span] : places).map { (pattern.symbol, pattern.count, $0) }
    }
  }
  var patternCount: Int { uses.patterns.count }

  /// Where a pattern of that shape is written: what a macro makes of it has no place.
  private func places(of symbol: Value, _ count: Int, in form: Value) -> [SourceSpan] {
    var found: [SourceSpan] = [], open = [form]
    while let v = open.popLast() {
      if v.isDict { open += machine.heap.entries(of: v).map(\.value) }
      guard v.isListCell, v.length > 0 else { continue }
      if v.length == count + 1, machine.heap.element(v, 0) == symbol, !v.listSpan.isNone { found.append(v.listSpan) }
      open += ListElements(v).filter { $0.isListCell || $0.isDict }
    }
    return found
  }

  /// What is wrong with the uses, all definitions being known.
  func mistakes() throws -> [SyntaxError] {
    var found: [SyntaxError] = []
    for (global, count, span) in uses.calls {
      guard let constructor = constructors[global], constructor.fields.count != count else { continue }
      found.append(
        SyntaxError(
          message: RecordType.arityMessage(constructor.name, constructor.fields.count, count, isVariant: constructor.isVariant), span: span,
          hint: "usage: (\(([constructor.name] + constructor.fields).joined(separator: " ")))"))
    }
    guard !uses.patterns.isEmpty else { return found }
    let declared = try machine.preludeValue("match/-constructors")
    let variants = Set(constructors.values.filter(\.isVariant).map(\.name) + (declared.isDict ? machine.heap.entries(of: declared).map { $0.key.text } : []))
    for (symbol, count, span) in uses.patterns {
      if let constructor = constructors.values.first(where: { $0.isVariant && $0.name == symbol.text }) {
        let fields = constructor.fields.count
        guard fields != count else { continue }
        found.append(SyntaxError(message: "match: \(symbol.text) has \(fields) field\(fields == 1 ? "" : "s"), and this pattern has \(count)", span: span, hint: "it fits no value; `_` fits any field"))
      } else if !variants.contains(symbol.text), let near = Suggestion.near(symbol.text, globalNames: Array(variants)) {
        found.append(SyntaxError(message: "match: no constructor is called \(symbol.text), \(near)", span: span, hint: "the pattern fits no value"))
      }
    }
    return found
  }
}
