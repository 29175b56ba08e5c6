/// The pattern macros of `syntax-rules`, as in R7RS: nested ellipses, a tail after an ellipsis, a custom ellipsis, literals, `(... ...)`,
/// vectors. SX has no dotted pairs; a `.` before the last element of a pattern or template means what it means in Scheme.
///
/// Symbols of a template become aliases (see `AliasTable`), so expansions are hygienic. Words that other forms look for by name stay
/// as they are, see `plainWords`.
struct SyntaxRules {
  indirect enum Pattern {
    case anything
    case variable(Value)
    /// A literal, or the same symbol after `stripped`.
    case literal(Value)
    case datum(Value)
    /// Elements, an optional repeated one with those after it, and an optional rest.
    case list([Pattern], repeated: Pattern?, after: [Pattern], rest: Pattern?)
    case vector(Pattern)
  }

  indirect enum Template {
    case variable(Value)
    /// A name that gets a new identity in every expansion.
    case symbol(Value)
    /// Any other datum, and a word that is looked for by name.
    case constant(Value)
    /// Each element with the number of ellipses behind it.
    case list([(Template, ellipses: Int)], rest: Template?)
    case dict([(key: Value, value: Template)])
    case vector(Template)
  }

  let rules: [(pattern: Pattern, template: Template)]

  /// Words that are looked for by name, by forms of the language and by macros of the `defmacro` kind.
  static let plainWords: Set<String> = [
    "else", "=>", "_", "...", ".", "?", "quote", "quasiquote", "unquote", "splice-unquote", "unquote-splicing", "&rest", "&", "&key", "&children", "&optional",
  ]
}

/// What a pattern variable stands for in one expansion.
private indirect enum Match {
  case one(Value, SourceSpan)
  case many([Match])
}

// MARK: Reading the rules

/// Turns `(syntax-rules (literal…) (pattern template)…)` into rules.
struct SyntaxRulesReader {
  private let machine: Machine
  private let analyzer: Analyzer
  private var ellipsis: Value
  private var literals: Set<UInt64> = []
  private var variables: [UInt64: Int] = [:]

  init(_ analyzer: Analyzer) {
    self.analyzer = analyzer
    machine = analyzer.machine
    ellipsis = machine.symbol("...")
  }

  mutating func rules(_ parts: [Analyzer.Item], _ span: SourceSpan) throws -> SyntaxRules {
    var at = 1
    if parts.count > at, parts[at].value.isKind(.symbol) || parts[at].value.isKind(.keyword) {
      ellipsis = parts[at].value
      at += 1
    }
    guard parts.count > at, parts[at].value.isListOrNil else { throw analyzer.syntaxError("`syntax-rules` needs a list of literals", span) }
    for literal in analyzer.items(parts[at].value, parts[at].span) {
      guard literal.value.isKind(.symbol) else { throw analyzer.syntaxError("a literal of `syntax-rules` is a symbol", literal.span) }
      literals.insert(machine.stripped(literal.value).bits)
    }
    var rules: [(pattern: SyntaxRules.Pattern, template: SyntaxRules.Template)] = []
    for part in parts[(at + 1)...] {
      guard part.value.isListCell, part.value.length == 2 else { throw analyzer.syntaxError("a rule of `syntax-rules` is a list of a pattern and a template", part.span) }
      let rule = analyzer.items(part.value, part.span)
      guard rule[0].value.isListCell, rule[0].value.length > 0 else { throw analyzer.syntaxError("a pattern of `syntax-rules` is a list that begins with the macro's name", rule[0].span) }
      variables = [:]
      // The first element stands for the macro's name, whatever it says.
      let elements = analyzer.items(rule[0].value, rule[0].span)
      let pattern = try list(elements.dropFirst(), rule[0].span, depth: 0)
      rules.append((pattern, try template(rule[1], depth: 0, escaped: false)))
    }
    return SyntaxRules(rules: rules)
  }

  private func isEllipsis(_ v: Value) -> Bool { v == ellipsis && !literals.contains(machine.stripped(v).bits) }

  private mutating func pattern(_ item: Analyzer.Item, depth: Int) throws -> SyntaxRules.Pattern {
    let v = item.value
    if v.isKind(.symbol) {
      if literals.contains(machine.stripped(v).bits) { return .literal(machine.stripped(v)) }
      if v == machine.symbol("_") { return .anything }
      if isEllipsis(v) { throw analyzer.syntaxError("an ellipsis must follow a pattern", item.span) }
      guard variables.updateValue(depth, forKey: v.bits) == nil else { throw analyzer.syntaxError("the pattern variable `\(v.text)` occurs twice", item.span) }
      return .variable(v)
    }
    if v.isListCell {
      try machine.nativeStack.check(item.span)
      return try list(analyzer.items(v, item.span)[...], item.span, depth: depth)
    }
    if let vector = v.object(as: Vector.self) {
      return .vector(try list(vector.values.map { Analyzer.Item(value: $0, span: item.span) }[...], item.span, depth: depth))
    }
    return .datum(v)
  }

  private mutating func list(_ items: ArraySlice<Analyzer.Item>, _ span: SourceSpan, depth: Int) throws -> SyntaxRules.Pattern {
    var items = Array(items), before: [SyntaxRules.Pattern] = [], after: [SyntaxRules.Pattern] = []
    var repeated: SyntaxRules.Pattern?, rest: SyntaxRules.Pattern?
    if items.count >= 2, items[items.count - 2].value == machine.symbol(".") {
      rest = try pattern(items.removeLast(), depth: depth)
      items.removeLast()
    }
    var i = 0
    while i < items.count {
      if i + 1 < items.count, isEllipsis(items[i + 1].value) {
        guard repeated == nil else { throw analyzer.syntaxError("a list pattern has at most one ellipsis", items[i + 1].span) }
        repeated = try pattern(items[i], depth: depth + 1)
        i += 2
      } else {
        let element = try pattern(items[i], depth: depth)
        if repeated == nil { before.append(element) } else { after.append(element) }
        i += 1
      }
    }
    return .list(before, repeated: repeated, after: after, rest: rest)
  }

  private func template(_ item: Analyzer.Item, depth: Int, escaped: Bool) throws -> SyntaxRules.Template {
    let v = item.value
    if v.isKind(.symbol) {
      guard let wanted = variables[v.bits] else { return SyntaxRules.plainWords.contains(v.text) ? .constant(v) : .symbol(v) }
      guard depth >= wanted else { throw analyzer.syntaxError("the pattern variable `\(v.text)` needs \(wanted == 1 ? "an ellipsis" : "\(wanted) ellipses") in the template", item.span) }
      return .variable(v)
    }
    if v.isListCell {
      try machine.nativeStack.check(item.span)
      let parts = analyzer.items(v, item.span)
      if !escaped, parts.count == 2, isEllipsis(parts[0].value) { return try template(parts[1], depth: depth, escaped: true) }
      return try list(parts, depth: depth, escaped: escaped)
    }
    if v.isDict {
      return .dict(try machine.heap.entries(of: v).map { ($0.key, try template(Analyzer.Item(value: $0.value, span: item.span), depth: depth, escaped: escaped)) })
    }
    if let vector = v.object(as: Vector.self) {
      return .vector(try list(vector.values.map { Analyzer.Item(value: $0, span: item.span) }, depth: depth, escaped: escaped))
    }
    return .constant(v)
  }

  private func list(_ items: [Analyzer.Item], depth: Int, escaped: Bool) throws -> SyntaxRules.Template {
    var items = items, elements: [(SyntaxRules.Template, ellipses: Int)] = [], rest: SyntaxRules.Template?
    if items.count >= 2, items[items.count - 2].value == machine.symbol(".") {
      rest = try template(items.removeLast(), depth: depth, escaped: escaped)
      items.removeLast()
    }
    var i = 0
    while i < items.count {
      var ellipses = 0
      while !escaped, i + 1 + ellipses < items.count, isEllipsis(items[i + 1 + ellipses].value) { ellipses += 1 }
      let element = try template(items[i], depth: depth + ellipses, escaped: escaped)
      if ellipses > 0, !mentionsRepeated(element) { throw analyzer.syntaxError("what stands before an ellipsis needs a variable that the pattern repeats", items[i].span) }
      elements.append((element, ellipses))
      i += 1 + ellipses
    }
    return .list(elements, rest: rest)
  }

  private func mentionsRepeated(_ template: SyntaxRules.Template) -> Bool {
    switch template {
    case .variable(let name): variables[name.bits, default: 0] > 0
    case .symbol, .constant: false
    case .list(let elements, let rest): elements.contains { mentionsRepeated($0.0) } || rest.map(mentionsRepeated) ?? false
    case .dict(let entries): entries.contains { mentionsRepeated($0.value) }
    case .vector(let inner): mentionsRepeated(inner)
    }
  }
}

// MARK: Expanding

/// One expansion of one use of a macro.
struct SyntaxRulesExpansion {
  private let machine: Machine
  private let analyzer: Analyzer
  private let macro: Macro
  /// Where the macro is used: template parts that the macro brought along are said to stand there.
  private let span: SourceSpan
  /// What a name means where the macro is used: nil for a global one.
  private let isBound: (Value) -> Bool
  private var aliases = IdentityMap<Value>()

  init(_ analyzer: Analyzer, _ macro: Macro, _ span: SourceSpan, isBound: @escaping (Value) -> Bool) {
    self.analyzer = analyzer
    machine = analyzer.machine
    self.macro = macro
    self.span = span
    self.isBound = isBound
  }

  /// The expansion of the form by the first rule that fits, or nil.
  mutating func expand(_ form: [Analyzer.Item], _ rules: SyntaxRules) throws -> Value? {
    for (pattern, template) in rules.rules {
      var matches = IdentityMap<Match>()
      guard case .list(let before, let repeated, let after, let rest) = pattern else { continue }
      if try matchList(form.dropFirst(), before, repeated, after, rest, &matches) {
        return try build(template, matches).value
      }
    }
    return nil
  }

  private func match(_ item: Analyzer.Item, _ pattern: SyntaxRules.Pattern, _ matches: inout IdentityMap<Match>) throws -> Bool {
    switch pattern {
    case .anything: return true
    case .variable(let name):
      matches[name.bits] = .one(item.value, item.span)
      return true
    case .literal(let name): return item.value.isKind(.symbol) && machine.stripped(item.value) == name && !isBound(item.value)
    case .datum(let v): return Equality.deep(v, item.value, machine.heap)
    case .list(let before, let repeated, let after, let rest):
      guard item.value.isListCell else { return false }
      try machine.nativeStack.check(item.span)
      return try matchList(analyzer.items(item.value, item.span)[...], before, repeated, after, rest, &matches)
    case .vector(let inner):
      guard let vector = item.value.object(as: Vector.self), case .list(let before, let repeated, let after, let rest) = inner else { return false }
      return try matchList(vector.values.map { Analyzer.Item(value: $0, span: item.span) }[...], before, repeated, after, rest, &matches)
    }
  }

  private func matchList(
    _ items: ArraySlice<Analyzer.Item>, _ before: [SyntaxRules.Pattern], _ repeated: SyntaxRules.Pattern?, _ after: [SyntaxRules.Pattern], _ rest: SyntaxRules.Pattern?,
    _ matches: inout IdentityMap<Match>
  ) throws -> Bool {
    let needed = before.count + after.count
    try machine.charge(8 * items.count)
    guard items.count >= needed, rest != nil || repeated != nil || items.count == needed else { return false }
    var at = items.startIndex
    for pattern in before {
      guard try match(items[at], pattern, &matches) else { return false }
      at += 1
    }
    if let repeated {
      let count = items.count - needed
      var rounds: [IdentityMap<Match>] = []
      rounds.reserveCapacity(count)
      for _ in 0..<count {
        var round = IdentityMap<Match>()
        guard try match(items[at], repeated, &round) else { return false }
        rounds.append(round)
        at += 1
      }
      for name in SyntaxRulesExpansion.variables(of: repeated) { matches[name] = .many(rounds.compactMap { $0[name] }) }
      for pattern in after {
        guard try match(items[at], pattern, &matches) else { return false }
        at += 1
      }
    }
    guard let rest else { return true }
    let remaining = machine.located(items[at...].map { ($0.value, $0.span) }, at < items.endIndex ? items[at].span : span)
    return try match(Analyzer.Item(value: remaining, span: span), rest, &matches)
  }

  private static func variables(of pattern: SyntaxRules.Pattern) -> [UInt64] {
    switch pattern {
    case .anything, .literal, .datum: []
    case .variable(let name): [name.bits]
    case .list(let before, let repeated, let after, let rest):
      (before + after).flatMap(variables) + (repeated.map(variables) ?? []) + (rest.map(variables) ?? [])
    case .vector(let inner): variables(of: inner)
    }
  }

  private mutating func build(_ template: SyntaxRules.Template, _ matches: IdentityMap<Match>) throws -> (value: Value, span: SourceSpan) {
    switch template {
    case .variable(let name):
      guard case .one(let v, let place)? = matches[name.bits] else { throw analyzer.syntaxError("an ellipsis is missing in the template of `\(macro.name)`", span) }
      return (v, place)
    case .symbol(let name): return (alias(name), span)
    case .constant(let v): return (v, span)
    case .dict(let entries):
      let dict = machine.heap.dict(capacity: entries.count)
      for (key, value) in entries { machine.heap.set(dict, key, try build(value, matches).value) }
      return (dict, span)
    case .vector(let inner):
      let list = try build(inner, matches).value
      return (machine.heap.allocate(object: Vector(Array(ListElements(list)))), span)
    case .list(let elements, let rest):
      try machine.nativeStack.check(span)
      var parts: [(value: Value, span: SourceSpan)] = []
      parts.reserveCapacity(elements.count)
      for (element, ellipses) in elements { try add(element, ellipses, matches, &parts) }
      try grow(parts.count)
      if let rest {
        let tail = try build(rest, matches)
        if tail.value.isListCell {
          parts += analyzer.items(tail.value, tail.span).map { ($0.value, $0.span) }
          try grow(parts.count)
        } else {
          parts += [(machine.symbol("."), span), tail]
        }
      }
      return (machine.located(parts, span), span)
    }
  }

  /// A macro that makes more of every use than it was given would fill the memory before it is found to be endless.
  private func grow(_ nodes: Int) throws {
    machine.expansionSize += nodes
    try machine.charge(8 * nodes)
    if machine.expansionSize > Analyzer.mostExpandedNodes {
      throw analyzer.syntaxError("the expansion of `\(macro.name)` grows without end", span, hint: "it makes more and more of itself; `macroexpand-1` shows one step")
    }
  }

  private mutating func add(_ template: SyntaxRules.Template, _ ellipses: Int, _ matches: IdentityMap<Match>, _ parts: inout [(value: Value, span: SourceSpan)]) throws {
    if ellipses == 0 { return parts.append(try build(template, matches)) }
    var count: Int?
    var repeated: [(UInt64, [Match])] = []
    for name in SyntaxRulesExpansion.variables(of: template) {
      guard case .many(let rounds)? = matches[name] else { continue }
      if let known = count, known != rounds.count {
        throw analyzer.syntaxError("the repeated parts of `\(macro.name)` differ in length: \(known) and \(rounds.count)", span)
      }
      count = rounds.count
      repeated.append((name, rounds))
    }
    guard let count else { throw analyzer.syntaxError("too many ellipses in the template of `\(macro.name)`", span) }
    var inner = matches
    for i in 0..<count {
      for (name, rounds) in repeated { inner[name] = rounds[i] }
      try add(template, ellipses - 1, inner, &parts)
    }
  }

  private static func variables(of template: SyntaxRules.Template) -> [UInt64] {
    switch template {
    case .variable(let name): [name.bits]
    case .symbol, .constant: []
    case .list(let elements, let rest): elements.flatMap { variables(of: $0.0) } + (rest.map(variables) ?? [])
    case .dict(let entries): entries.flatMap { variables(of: $0.value) }
    case .vector(let inner): variables(of: inner)
    }
  }

  /// The identity that a symbol of the template has in this expansion.
  private mutating func alias(_ name: Value) -> Value {
    if let known = aliases[name.bits] { return known }
    let result = machine.heap.uninternedSymbol(name, isAlias: true)
    // A macro at top level knows nothing local: what its template mentions is global.
    let original = macro.serial == 0 ? machine.stripped(name) : name
    machine.aliases.add(result, AliasTable.Entry(original: original, serial: macro.serial, namespace: macro.namespace))
    aliases[name.bits] = result
    return result
  }
}
