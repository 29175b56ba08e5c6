/// Macro expansion and scope analysis: from data to `Node`.
///
/// Recurses on the native stack along the nesting of the source; `NativeStack` turns too deep a nesting into a located error.
/// Values that the nodes refer to are parts of forms that `machine.compileRoots` keeps alive.
struct Analyzer {
  let machine: Machine
  /// Primitives that this very form assigns or defines: not open-coded in it.
  private var redefined: Set<UInt64> = []
  /// Called for every global that is referred to; `sx check` collects the undefined ones.
  var noteGlobal: ((Int, SourceSpan) -> Void)?

  /// Called for every mistake, so that `sx check` finds more than the first; without it a mistake is thrown.
  var noteError: ((any Error) -> Void)?

  /// Code of the prelude always means the true primitives, whatever a program makes of their names.
  let isPrelude: Bool
  /// What global names mean.
  let namespace: Namespace

  /// Jumps of loops whose serial number lies below this are out of reach: something still has to be done after this expression.
  var barrier = 0
  /// Named lets that turned out not to be jumps, by the cell of their form: analysed only once more, however deep they are nested.
  var ordinaryLoops: Set<UInt64> = []
  /// Macros that are being expanded around this place, outermost first, as far as they stand in each other's expansion.
  private var expansions: [Expansion] = []
  /// The last few macros that made a form of a body, by its cell: it was expanded before it is analysed.
  private var origins: [UInt64: [Expansion]] = [:]

  /// Whether an unquote stands in a part of a template, by its cell.
  var unquoting: [UInt64: Bool] = [:]

  /// A use of a macro.
  private struct Expansion {
    let name: String
    let form: Value
    let span: SourceSpan
  }

  init(_ machine: Machine, isPrelude: Bool = false, namespace: Namespace? = nil) {
    self.machine = machine
    self.isPrelude = isPrelude
    self.namespace = isPrelude ? machine.preludeNames : namespace ?? machine.program
  }

  // MARK: Global names

  /// The symbol whose global a name refers to that no scope binds.
  func globalSymbol(_ name: Value) -> Value {
    guard name.isAlias else { return namespace.resolve(name, machine) }
    return (home(of: name) ?? namespace).resolve(machine.stripped(name), machine)
  }
  /// The library whose macro brought an alias along.
  private func home(of name: Value) -> Namespace? {
    var name = name
    while let entry = machine.aliases[name] {
      if !entry.original.isAlias { return entry.namespace }
      name = entry.original
    }
    return nil
  }
  func globalIndex(_ name: Value) -> Int { machine.globalIndex(globalSymbol(name)) }
  /// The global that a definition makes.
  func definedIndex(_ name: Value) -> Int {
    machine.globalIndex(((name.isAlias ? home(of: name) : nil) ?? namespace).define(machine.stripped(name), machine))
  }

  /// One part of a form and where it stands.
  struct Item {
    let value: Value
    let span: SourceSpan
  }

  /// A whole top-level form as a function without parameters.
  mutating func topLevel(_ form: Value, _ span: SourceSpan) throws -> Lambda {
    try noteRedefinitions(form)
    let lambda = Lambda(name: "top level", span: span)
    lambda.isTopLevel = true
    lambda.isPrelude = isPrelude
    let scope = Scope(topLevel: lambda, machine.aliases)
    lambda.body = try expression(Item(value: form, span: span), scope, tail: true)
    return lambda
  }

  private mutating func noteRedefinitions(_ form: Value) throws {
    var pending = [form]
    // Data that a program made may share parts, and may even contain itself. What was read, or consed together, cannot.
    var visited: Set<UInt64> = [], isShared = false
    let define = machine.symbol("define"), set = machine.symbol("set!")
    while let v = pending.popLast() {
      guard v.isListCell, v.length > 0 else { continue }
      try machine.charge(v.length)
      if v.isKind(.mutableList), !visited.insert(v.bits).inserted {
        isShared = true
        continue
      }
      let head = machine.heap.element(v, 0)
      if v.length > 1, head == define || head == set {
        var target = machine.heap.element(v, 1)
        if target.isListCell, target.length > 0 { target = machine.heap.element(target, 0) }
        if namespace.isLibrary { continue }
        if machine.openCoded[target.bits] != nil { redefined.insert(target.bits) }
      }
      for item in ListElements(v) where item.isListCell { pending.append(item) }
    }
    if isShared, try machine.containsItself(form) { throw syntaxError("the form contains itself", form.listSpan, hint: "a list was appended to itself, or to a part of itself") }
  }

  // MARK: Parts of forms

  func items(_ list: Value, _ whole: SourceSpan) -> [Item] {
    var out: [Item] = []
    out.reserveCapacity(list.listCount)
    var rest = list
    while rest.isPair {
      let span = rest.elementSpan
      out.append(Item(value: rest.head, span: span.isNone ? place(rest.head, whole) : span))
      rest = rest.tail
    }
    for v in ListElements(rest) { out.append(Item(value: v, span: place(v, whole))) }
    return out
  }
  /// Where a datum stands that may have been moved by a macro: its own place when it is a list that was read, else that of the form around it.
  private func place(_ v: Value, _ whole: SourceSpan) -> SourceSpan {
    let own = v.listSpan
    return own.isNone ? whole : own
  }

  /// The name of a loop occurs where the loop cannot be a jump: it is analysed again as a function.
  struct NoJump: Error {
    let loop: ObjectIdentifier
  }

  /// A function assigns its own name: it is analysed again as one that reads a variable.
  struct AssignsItself: Error {
    let own: ObjectIdentifier
  }

  func syntaxError(_ message: String, _ span: SourceSpan, hint: String? = nil) -> SyntaxError {
    // Where the place is that of the whole macro call, or outside of it in the macro, the use does not show the mistake: the expansion has it.
    SyntaxError(message: message, span: span, hint: hint, expansions: expansions.reversed().filter { $0.span == span || span.start < $0.span.start || span.end > $0.span.end }.prefix(8).map { (macro: $0.name, span: $0.span) })
  }

  /// A value as messages show it.
  func shown(_ v: Value) -> String { machine.shown(v) }

  // MARK: Expressions

  mutating func expression(_ item: Item, _ scope: Scope, tail: Bool) throws -> Node {
    let form = item.value
    if form.isKind(.symbol) { return try reference(item, scope) }
    if form.isPair { return try located(item, scope, tail: tail) }
    if form.isListCell {
      if form.length == 0 { return .call(.constant(machine.listNative), [], item.span) }
      return try located(item, scope, tail: tail)
    }
    if form.isKind(.keyword) { return .constant(machine.keyString(form)) }
    if form.isDict { return try dictLiteral(item, scope) }
    return .constant(form)
  }

  /// A combination; a mistake in it is noted where somebody wants to hear of all.
  private mutating func located(_ item: Item, _ scope: Scope, tail: Bool) throws -> Node {
    if !origins.isEmpty, let made = origins.removeValue(forKey: item.value.bits) {
      expansions += made
      defer { expansions.removeLast(made.count) }
      return try located(item, scope, tail: tail)
    }
    guard let noteError else { return try combination(item, scope, tail: tail) }
    do {
      return try combination(item, scope, tail: tail)
    } catch let again as NoJump {
      throw again                                     // no mistake: the form is analysed once more
    } catch let again as AssignsItself {
      throw again
    } catch let deep as SyntaxError where deep.isTooDeep {
      throw deep                                      // once, not at every level
    } catch {
      noteError(error)
      return .constant(.nil)
    }
  }

  private mutating func reference(_ item: Item, _ scope: Scope) throws -> Node {
    switch scope.find(item.value) {
    case .local(let local): return .local(local)
    case .upvalue(let index, let local): return .upvalue(index, local)
    case .enclosingFunction: return .enclosingFunction
    case .loop(let loop, _): throw NoJump(loop: ObjectIdentifier(loop))
    case .macro: throw syntaxError("`\(item.value.text)` is a macro, and can only be called", item.span)
    case nil:
      let index = globalIndex(item.value)
      if isPrelude, let native = machine.original(index) { return .constant(native) }
      if machine.globals[index] == .unbound, machine.pending[index] == nil, SpecialForm(item.value, machine) != nil {
        throw syntaxError("`\(machine.stripped(item.value).text)` is a special form, and no value that can be passed on", item.span)
      }
      let isUnknown = machine.globals[index] == .unbound && machine.pending[index] == nil
      let span = isUnknown ? writtenPlace(of: item) : item.span
      noteGlobal?(index, span)
      return .global(index, span)
    }
  }

  /// Where a name stands that a macro may have put among lists of its own: in the form that was expanded, where it occurs there. The first
  /// place is told of several. O(size of the form).
  private func writtenPlace(of item: Item) -> SourceSpan {
    for expansion in expansions.reversed() where expansion.span == item.span {
      var pending = [expansion.form], found = SourceSpan.none
      while let v = pending.popLast() {
        var rest = v
        while rest.isPair {
          if rest.head == item.value, case let place = rest.elementSpan, !place.isNone, found.isNone || place.start < found.start { found = place }
          if rest.head.isPair { pending.append(rest.head) }
          rest = rest.tail
        }
      }
      if !found.isNone { return found }
    }
    return item.span
  }

  private mutating func dictLiteral(_ item: Item, _ scope: Scope) throws -> Node {
    let entries = machine.heap.entries(of: item.value)
    var spans: [SourceSpan] = []
    if DictRepresentation.of(item.value.cell) == .flat, item.value.word(2).isPair {
      let places = items(item.value.word(2), item.span)
      if places.count == entries.count, zip(places, entries).allSatisfy({ $0.value == $1.value }) { spans = places.map(\.span) }
    }
    var values: [Node] = []
    for (i, entry) in entries.enumerated() {
      values.append(try expression(Item(value: entry.value, span: spans.isEmpty ? place(entry.value, item.span) : spans[i]), scope, tail: false))
    }
    return .dict(entries.map(\.key), values, item.span)
  }

  private mutating func combination(_ item: Item, _ scope: Scope, tail: Bool) throws -> Node {
    try machine.nativeStack.check(item.span)
    let parts = items(item.value, item.span)
    try machine.charge(parts.count)
    let head = parts[0]
    if head.value.isKind(.symbol) {
      switch scope.find(head.value) {
      case .loop(let loop, let serial):
        guard tail, serial > barrier, parts.count - 1 == loop.variables.count else { throw NoJump(loop: ObjectIdentifier(loop)) }
        return .again(loop, try parts.dropFirst().map { try expression($0, scope, tail: false) }, item.span)
      case .macro(let macro): return try expansion(of: macro, item, parts, scope, tail: tail)
      case nil:
        if let special = SpecialForm(head.value, machine) {
          return try self.special(special, parts, item.span, scope, tail: tail)
        }
        let symbol = globalSymbol(head.value)
        if let macro = try machine.macro(machine.globalIndex(symbol)) { return try expansion(of: macro, item, parts, scope, tail: tail) }
        let global = machine.globalIndex(symbol)
        if machine.globals[global] == .unbound, machine.pending[global] == nil { try refuseMisplaced(symbol, item.span) }
        if let operation = machine.openCoded[symbol.bits], operation.takes(parts.count - 1), isPrelude || !redefined.contains(symbol.bits) && machine.isOriginal(operation) {
          let arguments = try parts.dropFirst().map { try expression($0, scope, tail: false) }
          return .primitive(operation, arguments, item.span)
        }
      default: break
      }
    }
    let function = try expression(head, scope, tail: false)
    let arguments = try parts.dropFirst().map { try expression($0, scope, tail: false) }
    return call(function, arguments, item.span)
  }

  // MARK: Macros

  /// Expansions inside one another, or one after the other, after which a macro is taken for endless.
  private static let mostExpansions = 20_000
  /// Nodes that macros may make for one form at top level. Far more than programs are long, and no danger to memory.
  static let mostExpandedNodes = 1_000_000
  /// From this depth on, source that is nested too deeply is taken for the work of an endless macro.
  private static let suspiciousDepth = 500

  private mutating func expansion(of macro: Macro, _ item: Item, _ parts: [Item], _ scope: Scope, tail: Bool) throws -> Node {
    expansions.append(Expansion(name: macro.name, form: item.value, span: item.span))
    defer { expansions.removeLast() }
    if expansions.count > Analyzer.mostExpansions { throw endless() }
    let expanded = Item(value: try expand(macro, item, parts, scope), span: item.span)
    do {
      return try expression(Item(value: expanded.value, span: place(expanded.value, item.span)), scope, tail: tail)
    } catch let error as SyntaxError where error.isTooDeep && expansions.count > Analyzer.suspiciousDepth {
      throw endless()
    }
  }

  /// The mistake is the program's at the outermost use, not where the stack happened to end.
  private func endless() -> SyntaxError {
    let inner = expansions.last?.name ?? "", outer = expansions.first { !($0.span.isNone) }
    let culprit = expansions.first { $0.name == inner } ?? outer
    return syntaxError("the expansion of `\(inner)` does not end", culprit?.span ?? .none, hint: "it expands to a use of itself again and again; `macroexpand-1` shows one step")
  }

  /// One expansion of a form.
  mutating func expand(_ macro: Macro, _ item: Item, _ parts: [Item], _ scope: Scope) throws -> Value {
    guard let rules = macro.rules else {
      var arguments = parts.dropFirst().map(\.value)
      // A macro of the `defmacro` kind compares names: it is to see the keywords that another macro brought along as they are.
      if !machine.aliases.isEmpty {
        arguments = try arguments.map { try machine.rewritten($0) { name in name.isAlias && isKeyword(name) ? machine.stripped(name) : nil } }
      }
      let expansion = try machine.expand(macro, item.value, arguments, name: macro.name, item.span)
      return try macro.namespace.map { try adopt(expansion, arguments, $0) } ?? expansion
    }
    var expansion = SyntaxRulesExpansion(self, macro, item.span) { scope.find($0) != nil }
    guard let result = try expansion.expand(parts, rules) else {
      throw syntaxError("no rule of `\(macro.name)` fits this form", item.span)
    }
    machine.compileRoots.append(result)
    return result
  }

  /// Special forms and macros, as opposed to names that may be variables.
  private func isKeyword(_ name: Value) -> Bool {
    if SpecialForm(name, machine) != nil { return true }
    do {
      return try machine.macro(globalIndex(name)) != nil
    } catch {
      // A macro of the prelude that cannot be made is none; an end that was asked for meanwhile is still to come.
      machine.askAgain(for: error)
      return false
    }
  }

  /// Names that a library's macro brought along mean what they mean in the library.
  private func adopt(_ expansion: Value, _ arguments: [Value], _ library: Namespace) throws -> Value {
    var given: Set<UInt64> = [], pending = arguments
    var visited: Set<UInt64> = []
    while let v = pending.popLast() {
      try machine.charge(1)
      if v.isKind(.mutableList) || v.isDict, !visited.insert(v.bits).inserted { continue }
      if v.isKind(.symbol) { given.insert(v.bits) }
      if v.isListCell { pending.append(contentsOf: ListElements(v)) }
      if v.isDict { pending.append(contentsOf: machine.heap.entries(of: v).map(\.value)) }
    }
    var adopted: [UInt64: Value] = [:]
    let result = try machine.rewritten(expansion) { name in
      guard !name.isAlias, library.ownNames.contains(name.bits), !given.contains(name.bits) else { return nil }
      if let known = adopted[name.bits] { return known }
      let alias = machine.heap.uninternedSymbol(name, isAlias: true)
      machine.aliases.add(alias, AliasTable.Entry(original: name, serial: 0, namespace: library))
      adopted[name.bits] = alias
      return alias
    }
    machine.compileRoots.append(result)
    return result
  }

  /// The macro that the right-hand side of `define-syntax` and its kin makes.
  func transformer(_ item: Item, _ name: Value, _ scope: Scope, serial: Int) throws -> Macro {
    if item.value.isKind(.symbol) {                   // another name for a macro
      if case .macro(let macro)? = scope.find(item.value) { return macro }
      if let macro = try machine.macro(globalIndex(item.value)) { return macro }
    } else if item.value.isListCell, item.value.length > 0 {
      let parts = items(item.value, item.span)
      if parts[0].value.isKind(.symbol), parts[0].value.textEquals("syntax-rules") {
        var reader = SyntaxRulesReader(self)
        let macro = Macro(name: name.text, closure: .nil)
        macro.rules = try reader.rules(parts, item.span)
        macro.source = item.value
        macro.serial = serial
        macro.namespace = namespace.isLibrary ? namespace : nil
        return macro
      }
    }
    throw syntaxError("a macro is made by `(syntax-rules (literal…) (pattern template)…)`", item.span)
  }

  /// Marks that mean something in other forms only. A program may define functions of these names.
  private func refuseMisplaced(_ head: Value, _ span: SourceSpan) throws {
    if head == machine.symbol("unquote") { throw syntaxError("`,` stands outside of a quasiquote", span) }
    if head == machine.symbol("splice-unquote") || head == machine.symbol("unquote-splicing") { throw syntaxError("`,@` stands outside of a quasiquote", span) }
    if head == machine.symbol("else") { throw syntaxError("`else` stands outside of a `cond`, `case` or `guard`", span) }
    if head == machine.symbol("=>") { throw syntaxError("`=>` stands outside of a `cond` or `guard` clause", span) }
  }

  /// More arguments than an instruction can count travel as a list.
  func call(_ function: Node, _ arguments: [Node], _ span: SourceSpan) -> Node {
    let most = 250
    guard arguments.count > most else { return .call(function, arguments, span) }
    let chunks = stride(from: 0, to: arguments.count, by: most).map {
      Node.call(.constant(machine.listNative), Array(arguments[$0..<min($0 + most, arguments.count)]), span)
    }
    // One `concat` of all of them, which is itself too long a call when there are very many.
    return .call(.constant(machine.applyNative), [function, call(.constant(machine.concatNative), chunks, span)], span)
  }

  // MARK: Bodies and functions

  /// A sequence with inner definitions. At top level definitions are global.
  mutating func body(_ forms: ArraySlice<Item>, _ scope: Scope, tail: Bool) throws -> Node {
    if forms.isEmpty { return .constant(.nil) }
    if scope.isTopLevel { return try sequence(forms, scope, tail: tail) }
    let depth = scope.depth
    defer { scope.pop(to: depth) }
    scope.push([])
    let (forms, locals) = try definitions(in: forms, scope, group: depth)
    guard !forms.isEmpty else { return .constant(.nil) }
    guard !locals.isEmpty else { return try sequence(forms[...], scope, tail: tail) }
    let assigned = assignedNames(in: forms[...])
    for local in locals where assigned.contains(local.name.bits) { local.isAssigned = true }
    return .declare(locals, try sequence(forms[...], scope, tail: tail))
  }

  mutating func sequence(_ forms: ArraySlice<Item>, _ scope: Scope, tail: Bool) throws -> Node {
    if forms.count == 1 { return try expression(forms[forms.startIndex], scope, tail: tail) }
    var nodes: [Node] = []
    nodes.reserveCapacity(forms.count)
    for (i, form) in forms.enumerated() { nodes.append(try expression(form, scope, tail: tail && i == forms.count - 1)) }
    return .sequence(nodes)
  }

  /// Makes the names visible that the forms of a body define, and its macros. Answers the forms with `begin` dissolved and macros
  /// expanded, because both may define.
  private mutating func definitions(in forms: ArraySlice<Item>, _ scope: Scope, group: Int) throws -> ([Item], [Local]) {
    var locals: [Local] = [], known: Set<UInt64> = []
    func announce(_ form: Item) {
      guard form.value.isListCell, form.value.length > 1 else { return }
      let head = machine.heap.element(form.value, 0)
      guard head.isKind(.symbol), SpecialForm(head, machine) == .define, scope.find(head) == nil else { return }
      var target = machine.heap.element(form.value, 1)
      while target.isListCell, target.length > 0 { target = machine.heap.element(target, 0) }
      guard target.isKind(.symbol), known.insert(target.bits).inserted else { return }
      let local = Local(target)
      locals.append(local)
      scope.add(local, to: group)
    }
    // A definition further down hides a macro of its name in the whole body.
    for form in forms { announce(form) }
    guard forms.contains(where: { $0.value.isListCell }) else { return (Array(forms), locals) }
    var out: [Item] = [], rounds = 0
    out.reserveCapacity(forms.count)
    var queue = Array(forms.reversed())
    while let form = queue.popLast() {
      guard form.value.isListCell, form.value.length > 0, case let head = machine.heap.element(form.value, 0), head.isKind(.symbol) else {
        out.append(form)
        continue
      }
      let found = scope.find(head)
      var macro: Macro?
      if case .macro(let local)? = found {
        macro = local
      } else if found == nil {
        switch SpecialForm(head, machine) {
        case .define:
          announce(form)
        case .begin:
          let inner = items(form.value, form.span).dropFirst()
          let made = origins.removeValue(forKey: form.value.bits)
          for part in inner {
            announce(part)
            if part.value.isListCell { origins[part.value.bits] = made }
          }
          // An empty sequence still has a value, which is nil.
          queue += inner.isEmpty && queue.isEmpty ? [Item(value: .nil, span: form.span)] : inner.reversed()
          continue
        case .defineSyntax:
          try defineSyntax(items(form.value, form.span), form.span, scope)
          if queue.isEmpty { out.append(Item(value: .nil, span: form.span)) }
          continue
        case .defmacro:
          _ = try special(.defmacro, items(form.value, form.span), form.span, scope, tail: false)
          if queue.isEmpty { out.append(Item(value: .nil, span: form.span)) }
          continue
        case nil: macro = try machine.macro(globalIndex(head))
        default: break
        }
      }
      guard let macro else {
        out.append(form)
        continue
      }
      rounds += 1
      let made: [Expansion] = (origins.removeValue(forKey: form.value.bits) ?? []).suffix(7) + [Expansion(name: macro.name, form: form.value, span: form.span)]
      expansions += made
      defer { expansions.removeLast(made.count) }
      if rounds > Analyzer.mostExpansions { throw endless() }
      let parts = items(form.value, form.span)
      let expansion = try expand(macro, form, parts, scope)
      let expanded = Item(value: expansion, span: place(expansion, form.span))
      if expansion.isListCell { origins[expansion.bits] = made }
      announce(expanded)
      queue.append(expanded)
    }
    return (out, locals)
  }

  /// A macro of a body, visible from here to its end.
  mutating func defineSyntax(_ parts: [Item], _ span: SourceSpan, _ scope: Scope) throws {
    guard parts.count == 3, parts[1].value.isKind(.symbol) else { throw syntaxError("`define-syntax` takes a name and a macro", span) }
    // The macro knows itself, so it is made visible before its transformer is.
    let macro = Macro(name: parts[1].value.text, closure: .nil)
    scope.add(macro, named: parts[1].value)
    let made = try transformer(parts[2], parts[1].value, scope, serial: scope.serial)
    macro.become(made)
  }

  /// A function from its parameter list and body.
  ///
  /// - Parameter form: the name of the special form, for messages.
  mutating func function(_ name: String, _ parameters: Item, _ forms: ArraySlice<Item>, _ span: SourceSpan, _ scope: Scope, own: Local? = nil, form: String = "fn") throws -> Lambda {
    let lambda = Lambda(name: name, span: span)
    lambda.selfLocal = own
    lambda.isPrelude = isPrelude
    let inner = Scope(scope, lambda)
    defer { inner.leave() }
    let outerBarrier = barrier
    defer { barrier = outerBarrier }
    var list: [Item] = []
    if parameters.value.isKind(.symbol) {             // (fn args body): all arguments as a list
      lambda.hasRest = true
      lambda.parameters = [Local(parameters.value)]
    } else {
      guard parameters.value.isListOrNil else { throw syntaxError("`\(form)` needs a list of parameters, got \(shown(parameters.value))", parameters.span) }
      list = items(parameters.value, parameters.span)
    }
    var i = 0
    while i < list.count {
      let item = list[i]
      if item.value == machine.symbol("&rest") || item.value == machine.symbol("&") || item.value == machine.symbol(".") {
        guard i + 2 == list.count, let name = try? parameterName(list[i + 1]) else {
          throw syntaxError("`&rest` needs exactly one name after it", item.span)
        }
        let parameter = Local(name)
        if lambda.parameters.contains(where: { $0.name == parameter.name }) { throw syntaxError("the parameter `\(parameter.name.text)` is named twice", list[i + 1].span) }
        lambda.hasRest = true
        lambda.parameters.append(parameter)
        break
      }
      let parameter = Local(try parameterName(item))
      if lambda.parameters.contains(where: { $0.name == parameter.name }) { throw syntaxError("the parameter `\(parameter.name.text)` is named twice", item.span) }
      lambda.parameters.append(parameter)
      lambda.required += 1
      i += 1
    }
    if lambda.required > 200 { throw syntaxError("a function takes at most 200 parameters; use `&rest`", parameters.span) }
    inner.push(lambda.parameters)
    lambda.body = try body(forms, inner, tail: true)
    return lambda
  }

  /// `x`, or `(x :as type)`, whose annotation is ignored.
  func parameterName(_ item: Item) throws -> Value {
    if item.value.isKind(.symbol) {
      // Rest parameters as others write them would silently become ordinary ones.
      for foreign in [machine.symbol("&optional"), machine.symbol("&body")] where item.value == foreign {
        throw syntaxError("`\(item.value.text)` is no parameter", item.span)
      }
      return item.value
    }
    if item.value.isListCell, item.value.length == 3 {
      let name = machine.heap.element(item.value, 0)
      if name.isKind(.symbol), machine.heap.element(item.value, 1) == machine.heap.keyword("as") { return name }
    }
    throw syntaxError("expected a name, got \(shown(item.value))", item.span)
  }
}
