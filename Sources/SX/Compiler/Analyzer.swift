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

  /// Code of the prelude always means the true primitives, whatever a program makes of their names.
  private let isPrelude: Bool

  init(_ machine: Machine, isPrelude: Bool = false) {
    self.machine = machine
    self.isPrelude = isPrelude
  }

  /// One part of a form and where it stands.
  struct Item {
    let value: Value
    let span: SourceSpan
  }

  /// A whole top-level form as a function without parameters.
  mutating func topLevel(_ form: Value, _ span: SourceSpan) throws -> Lambda {
    noteRedefinitions(form)
    let lambda = Lambda(name: "top level", span: span)
    lambda.isTopLevel = true
    lambda.isPrelude = isPrelude
    let scope = Scope(nil, lambda)
    lambda.body = try expression(Item(value: form, span: span), scope, tail: true)
    return lambda
  }

  private mutating func noteRedefinitions(_ form: Value) {
    var pending = [form]
    let define = machine.symbol("define"), set = machine.symbol("set!")
    while let v = pending.popLast() {
      guard v.isListCell, v.length > 0 else { continue }
      let head = machine.heap.element(v, 0)
      if v.length > 1, head == define || head == set {
        var target = machine.heap.element(v, 1)
        if target.isListCell, target.length > 0 { target = machine.heap.element(target, 0) }
        if machine.openCoded[target.bits] != nil { redefined.insert(target.bits) }
      }
      for item in ListElements(v) where item.isListCell { pending.append(item) }
    }
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

  func syntaxError(_ message: String, _ span: SourceSpan, hint: String? = nil) -> SyntaxError {
    SyntaxError(message: message, span: span, hint: hint)
  }

  // MARK: Expressions

  mutating func expression(_ item: Item, _ scope: Scope, tail: Bool) throws -> Node {
    let form = item.value
    if form.isKind(.symbol) { return try reference(item, scope) }
    if form.isPair { return try combination(item, scope, tail: tail) }
    if form.isListCell {
      if form.length == 0 { return .call(.constant(machine.listNative), [], item.span) }
      return try combination(item, scope, tail: tail)
    }
    if form.isKind(.keyword) { return .constant(machine.keyString(form)) }
    if form.isDict { return try dictLiteral(item, scope) }
    return .constant(form)
  }

  private mutating func reference(_ item: Item, _ scope: Scope) throws -> Node {
    switch scope.find(item.value) {
    case .local(let local): return .local(local)
    case .upvalue(let index, let local): return .upvalue(index, local)
    case .enclosingFunction: return .enclosingFunction
    case .loop: throw syntaxError("the loop `\(item.value.text)` can only be called here", item.span)
    case nil:
      let index = machine.globalIndex(item.value)
      if isPrelude, let native = machine.original(index) { return .constant(native) }
      noteGlobal?(index, item.span)
      return .global(index, item.span)
    }
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
    let head = parts[0]
    if head.value.isKind(.symbol) {
      switch scope.find(head.value) {
      case .loop(let loop):
        return .again(loop, try parts.dropFirst().map { try expression($0, scope, tail: false) }, item.span)
      case nil:
        if let special = SpecialForm(head.value, machine) {
          return try self.special(special, parts, item.span, scope, tail: tail)
        }
        let global = machine.globalIndex(head.value)
        if let macro = try machine.macro(global) {
          let expansion = try machine.expand(macro, item.value, parts.dropFirst().map(\.value), name: head.value.text, item.span)
          return try expression(Item(value: expansion, span: place(expansion, item.span)), scope, tail: tail)
        }
        if let operation = machine.openCoded[head.value.bits], operation.takes(parts.count - 1), isPrelude || !redefined.contains(head.value.bits) && machine.isOriginal(operation) {
          let arguments = try parts.dropFirst().map { try expression($0, scope, tail: false) }
          return fold(operation, arguments, item.span)
        }
      default: break
      }
    }
    let function = try expression(head, scope, tail: false)
    let arguments = try parts.dropFirst().map { try expression($0, scope, tail: false) }
    return call(function, arguments, item.span)
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

  /// Sums and differences of one operand become those of two.
  private func fold(_ operation: OpenCoded, _ arguments: [Node], _ span: SourceSpan) -> Node {
    switch operation {
    case .add, .multiply:
      if arguments.count == 1 { return .primitive(operation, [arguments[0], .constant(.fix(operation == .add ? 0 : 1))], span) }
    case .subtract:
      if arguments.count == 1 { return .primitive(.subtract, [.constant(.fix(0)), arguments[0]], span) }
    default: break
    }
    return .primitive(operation, arguments, span)
  }

  // MARK: Bodies and functions

  /// A sequence with inner definitions. At top level definitions are global.
  mutating func body(_ forms: ArraySlice<Item>, _ scope: Scope, tail: Bool) throws -> Node {
    if forms.isEmpty { return .constant(.nil) }
    if scope.isTopLevel { return try sequence(forms, scope, tail: tail) }
    let names = try definedNames(forms, scope)
    guard !names.isEmpty else { return try sequence(forms, scope, tail: tail) }
    let locals = names.map(Local.init)
    let assigned = assignedNames(in: forms)
    for local in locals where assigned.contains(local.name.bits) { local.isAssigned = true }
    scope.push(locals)
    defer { scope.pop() }
    return .declare(locals, try sequence(forms, scope, tail: tail))
  }

  mutating func sequence(_ forms: ArraySlice<Item>, _ scope: Scope, tail: Bool) throws -> Node {
    if forms.count == 1 { return try expression(forms[forms.startIndex], scope, tail: tail) }
    var nodes: [Node] = []
    for (i, form) in forms.enumerated() { nodes.append(try expression(form, scope, tail: tail && i == forms.count - 1)) }
    return .sequence(nodes)
  }

  /// Names that the forms of a body define, looking through `begin` and through macros that expand to definitions.
  private mutating func definedNames(_ forms: ArraySlice<Item>, _ scope: Scope) throws -> [Value] {
    var names: [Value] = [], known: Set<UInt64> = []
    for form in forms {
      guard form.value.isListCell, form.value.length > 1 else { continue }
      let head = machine.heap.element(form.value, 0)
      guard head.isKind(.symbol), scope.find(head) == nil else { continue }
      switch SpecialForm(head, machine) {
      case .define:
        var target = machine.heap.element(form.value, 1)
        while target.isListCell, target.length > 0 { target = machine.heap.element(target, 0) }
        if target.isKind(.symbol), known.insert(target.bits).inserted { names.append(target) }
      case .begin:
        let inner = items(form.value, form.span)
        for name in try definedNames(inner.dropFirst(), scope) where known.insert(name.bits).inserted { names.append(name) }
      default: break
      }
    }
    return names
  }

  /// A function from its parameter list and body.
  mutating func function(_ name: String, _ parameters: Item, _ forms: ArraySlice<Item>, _ span: SourceSpan, _ scope: Scope, own: Local? = nil) throws -> Lambda {
    let lambda = Lambda(name: name, span: span)
    lambda.selfLocal = own
    lambda.isPrelude = isPrelude
    let inner = Scope(scope, lambda)
    var list: [Item] = []
    if parameters.value.isKind(.symbol) {             // (fn args body): all arguments as a list
      lambda.hasRest = true
      lambda.parameters = [Local(parameters.value)]
    } else {
      guard parameters.value.isListOrNil else { throw syntaxError("expected a parameter list", parameters.span) }
      list = items(parameters.value, parameters.span)
    }
    var i = 0
    while i < list.count {
      let item = list[i]
      if item.value == machine.symbol("&rest") || item.value == machine.symbol("&") {
        guard i + 2 == list.count, list[i + 1].value.isKind(.symbol) else {
          throw syntaxError("`&rest` needs exactly one name after it", item.span)
        }
        lambda.hasRest = true
        lambda.parameters.append(Local(list[i + 1].value))
        break
      }
      lambda.parameters.append(Local(try parameterName(item)))
      lambda.required += 1
      i += 1
    }
    if lambda.required > 200 { throw syntaxError("a function takes at most 200 parameters; use `&rest`", parameters.span) }
    for (i, parameter) in lambda.parameters.enumerated() where lambda.parameters.prefix(i).contains(where: { $0.name == parameter.name }) {
      throw syntaxError("the parameter `\(parameter.name.text)` is named twice", parameters.span)
    }
    inner.push(lambda.parameters)
    lambda.body = try body(forms, inner, tail: true)
    inner.leave()
    return lambda
  }

  /// `x`, or `(x :as type)`, whose annotation is ignored.
  func parameterName(_ item: Item) throws -> Value {
    if item.value.isKind(.symbol) { return item.value }
    if item.value.isListCell, item.value.length == 3 {
      let name = machine.heap.element(item.value, 0)
      if name.isKind(.symbol), machine.heap.element(item.value, 1) == machine.heap.keyword("as") { return name }
    }
    throw syntaxError("expected a parameter name", item.span)
  }
}
