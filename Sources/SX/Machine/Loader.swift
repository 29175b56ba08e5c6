/// Reads a source text form by form. Each form is compiled when those before it have run, because they may define macros for it.
final class Loader: HeapObject {
  let text: SourceText
  private var position = 0
  /// The rest of a `begin` at top level, whose parts are forms of their own.
  private var queue: [(value: Value, span: SourceSpan)] = []
  /// The name that the last form defines; nil when it is no definition.
  private(set) var definedName = Value.nil
  /// What has been compiled of the text before, and how much of that this loader has handed out.
  private let compiled: CompiledProgram?
  private var handedOut = 0

  /// - Parameter compiled: what is known of this very text; what this loader compiles is added to it.
  init(_ text: SourceText, _ compiled: CompiledProgram? = nil) {
    self.text = text
    self.compiled = compiled
  }
  override var typeName: String { "loader" }
  override func trace(_ marker: inout Marker) {
    marker.mark(definedName)
    for form in queue { marker.mark(form.value) }
    compiled?.trace(&marker)
  }

  /// The next form as a function without parameters, or nil at the end.
  func next(_ machine: Machine) throws -> Value? {
    guard let compiled else { return try compileNext(machine) }
    if handedOut < compiled.functions.count {
      defer { handedOut += 1 }
      return compiled.functions[handedOut]
    }
    // Another fiber may have run the same program up to here.
    (position, queue) = (compiled.position, compiled.queue)
    let meaning = machine.meaningOfNames
    guard let function = try compileNext(machine) else { return nil }
    compiled.add(function, upTo: position, queue, compiledWith: meaning, leaving: machine.meaningOfNames)
    handedOut += 1
    return function
  }

  private func compileNext(_ machine: Machine) throws -> Value? {
    while queue.isEmpty {
      let form = try text.bytes.withUnsafeBufferPointer { bytes in
        var reader = Reader(machine, text, bytes, from: position)
        defer { position = reader.position }
        return try reader.next()
      }
      guard let form else { return nil }
      queue = machine.parts(form.value, form.span).reversed()
    }
    let form = queue.removeLast()
    definedName = Loader.definedName(form.value)
    return try machine.compileTopLevel(form.value, form.span)
  }

  /// Forms that define something are recognised by how their heads begin, also those that a macro will expand.
  private static func definedName(_ form: Value) -> Value {
    guard form.isPair, form.length > 1, form.head.isKind(.symbol) else { return .nil }
    let head = form.head.text
    guard head.hasPrefix("def"), !head.hasPrefix("default") else { return .nil }
    var elements = ListIterator(form)
    _ = elements.next()
    guard let second = elements.next() else { return .nil }
    if second.isPair, second.head.isKind(.symbol) { return second.head }
    return second.isKind(.symbol) ? second : .nil
  }
}

/// What one interpreter has compiled of a `Program`: a function for each of the forms that have run so far.
final class CompiledProgram {
  let text: SourceText
  private(set) var functions: [Value] = []
  /// Where reading goes on, and the parts of a `begin` that come before that.
  private(set) var position = 0
  private(set) var queue: [(value: Value, span: SourceSpan)] = []
  /// What names meant when the last form had been compiled. With another meaning of a macro the forms have to be compiled anew.
  private var meaning: Int?

  init(_ text: SourceText) { self.text = text }

  /// Macros that the program itself defines while it is compiled are no change; whatever else happens between two of its forms is one.
  func add(_ function: Value, upTo position: Int, _ queue: [(value: Value, span: SourceSpan)], compiledWith before: Int, leaving after: Int) {
    meaning = functions.isEmpty || meaning == before ? after : nil
    functions.append(function)
    self.position = position
    self.queue = queue
  }

  func isCurrent(_ machine: Machine) -> Bool { functions.isEmpty || meaning == machine.meaningOfNames }

  func trace(_ marker: inout Marker) {
    for function in functions { marker.mark(function) }
    for form in queue { marker.mark(form.value) }
  }
}

extension Machine {
  /// Changes whenever a name that may stand at the head of a form gets another meaning for the compiler.
  var meaningOfNames: Int { macroChanges &+ program.changes }

  /// A loader of a program that goes on with what was compiled of it before.
  func loader(of program: Program) throws -> Loader {
    let key = ObjectIdentifier(program.contents)
    if let known = programs[key], known.compiled.isCurrent(self) { return Loader(known.compiled.text, known.compiled) }
    let text = try programs[key]?.compiled.text ?? register(file: program.file, bytes: program.contents.bytes)
    forgetProgramsThatNobodyHolds()
    let compiled = CompiledProgram(text)
    programs[key] = (program.contents, compiled)
    return Loader(text, compiled)
  }

  private func forgetProgramsThatNobodyHolds() {
    for key in Array(programs.keys) where isKnownUniquelyReferenced(&programs[key]!.contents) { programs[key] = nil }
  }

  /// Registers a source text; it must be UTF-8.
  func register(file: String, bytes: [UInt8], isPrelude: Bool = false) throws -> SourceText {
    try reserve(growing: sources.growth)
    guard let text = sources.add(file: file, bytes: bytes, isPrelude: isPrelude) else {
      throw error("the interpreter has read 4 GB of source and can read no more")
    }
    if !isPrelude { heap.notePermanent(bytes.count + 200) }
    if !isPrelude, let bad = Bytes.firstInvalidUTF8(bytes) {
      let at = text.base + UInt32(bad)
      throw SyntaxError(message: "invalid UTF-8", span: SourceSpan(start: at, end: at + 1), hint: "source files are UTF-8")
    }
    return text
  }

  /// A form, or the parts of a `begin`: at top level each is expanded when those before it have run.
  func parts(_ form: Value, _ span: SourceSpan) -> [(value: Value, span: SourceSpan)] {
    guard form.isPair, form.head == symbol("begin"), form.length > 1 else { return [(form, span)] }
    return Analyzer(self).items(form, span).dropFirst().flatMap { parts($0.value, $0.span) }
  }

  /// A function that evaluates a form at top level.
  func compileTopLevel(_ form: Value, _ span: SourceSpan, _ namespace: Namespace? = nil) throws -> Value {
    let roots = compileRoots.count
    compileRoots.append(form)
    defer {
      compileRoots.removeLast(compileRoots.count - roots)
      if compileRoots.isEmpty {
        aliases.removeAll()
        expansionSize = 0
      }
    }
    var analyzer = Analyzer(self, isPrelude: sources.text(at: span.start)?.isPrelude ?? false, namespace: namespace)
    let lambda = try analyzer.topLevel(form, span)
    let code = try Compiler.compile(self, lambda)
    return heap.closure(Code.of(cell: code), captures: 0)
  }

  /// One expansion of a form whose head names a macro; nil for other forms. Names that the expansion brought along have their plain
  /// spelling where they mean something global, and another one where they are to be bound.
  func expandOnce(_ form: Value) throws -> Value? {
    guard form.isListCell, form.length > 0 else { return nil }
    let head = heap.element(form, 0)
    guard head.isKind(.symbol), let macro = try macro(globalIndex(program.resolve(head, self))) else { return nil }
    let roots = compileRoots.count
    compileRoots.append(form)
    defer {
      compileRoots.removeLast(compileRoots.count - roots)
      if compileRoots.isEmpty { aliases.removeAll() }
    }
    var analyzer = Analyzer(self)
    let scope = Scope(topLevel: Lambda(name: "top level", span: form.listSpan), aliases)
    let span = form.listSpan
    let expansion = try analyzer.expand(macro, Analyzer.Item(value: form, span: span), analyzer.items(form, span), scope)
    var renamed: [UInt64: Value] = [:]
    return try rewritten(expansion) { name in
      guard name.isAlias else { return nil }
      if let known = renamed[name.bits] { return known }
      let plain = stripped(name), index = plain.length - 1
      let isGlobal = specialForms[plain.bits] != nil || index >= 0 && (globals[index] != .unbound || pending[index] != nil)
      gensymCount += isGlobal ? 0 : 1
      let spelled = isGlobal ? plain : heap.symbol("\(plain.text)__\(gensymCount)")
      renamed[name.bits] = spelled
      return spelled
    }
  }

  /// A loader for a file. Paths of the reference's own libraries, which the prelude covers, load as empty files where there is no such file.
  func openSource(_ path: String, from loading: String?) throws -> Loader {
    var resolved = path
    if !path.hasPrefix("/"), let loading, let slash = loading.lastIndex(of: "/") { resolved = String(loading[...slash]) + path }
    do {
      return Loader(try register(file: resolved, bytes: try readFile(resolved, for: .load)))
    } catch let failure as HostError {
      if Prelude.covers(path) { return Loader(try register(file: path, bytes: [])) }
      throw error("load: \(failure.message)")
    }
  }
}
