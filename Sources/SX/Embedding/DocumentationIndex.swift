/// Finds what is known about names, in three places: the table of special forms, the declarations of primitives, and the texts of definitions
/// with the comments above them. Looks at texts only, so a definition need not have been evaluated.
struct DocumentationIndex {
  let machine: Machine
  init(_ machine: Machine) { self.machine = machine }

  /// A definition at top level of some text.
  struct Definition {
    let name: String
    let text: SourceText
    let start: Int
    let end: Int
    /// Where the comment right above it begins.
    let commentStart: Int

    var sourceText: String { String(decoding: text.bytes[commentStart..<end], as: UTF8.self) }
  }

  // MARK: Looking up

  func documentation(of name: String) -> Documentation? {
    if let form = SpecialForm(rawValue: name == "λ" ? "fn" : name) { return describe(form) }
    let symbol = machine.heap.symbol(name)
    guard symbol.length != 0 else { return nil }        // never made a global
    let global = machine.globalIndex(symbol), value = machine.globals[global]
    if value.isKind(.native), value.native.name == name { return describe(value.native) }
    if let function = value.object(as: HostFunction.self), function.name == name { return describe(function) }
    if let definition = definition(of: name) { return describe(definition) }
    guard value != .unbound else { return nil }
    return Documentation(
      name: name, kind: .value, group: "session", usage: [], text: "A \(machine.typeName(value)) that no text defines at top level.", examples: [], source: nil, aliasOf: nil)
  }

  func matching(_ text: String) -> [Documentation] {
    let words = text.lowercased().split(separator: " ").map(String.init)
    guard !words.isEmpty else { return [] }
    func rank(_ entry: Documentation) -> Int? {
      let name = entry.name.lowercased()
      if name == text.lowercased() { return 0 }
      if name.hasPrefix(words[0]) && words.count == 1 { return 1 }
      if words.allSatisfy({ Bytes.contains($0, in: name) }) { return 2 }
      let all = name + "\n" + entry.text.lowercased()
      return words.allSatisfy { Bytes.contains($0, in: all) } ? 3 : nil
    }
    return (all + hostFunctions().map(describe) + userDefinitions().map(describe)).compactMap { entry in rank(entry).map { (entry, $0) } }
      .sorted { ($0.1, $0.0.name) < ($1.1, $1.0.name) }.map(\.0)
  }

  /// Public names are those without `/-` and `--`.
  static func isPublic(_ name: String) -> Bool { !Bytes.contains("/-", in: name) && !Bytes.contains("--", in: name) }

  /// Everything that comes with the interpreter and is public, in the order of the manual: a file of the prelude that is called like a group
  /// of primitives joins it.
  var all: [Documentation] {
    let entries = SpecialForm.table.map { describe($0) } + machine.natives.filter { DocumentationIndex.isPublic($0.name) }.map(describe)
      + machine.preludeFiles.flatMap { definitions(in: $0) }.filter { DocumentationIndex.isPublic($0.name) }.map(describe)
    var groups: [String: Int] = [:], ordered: [[Documentation]] = []
    for entry in entries {
      if let known = groups[entry.group] {
        ordered[known].append(entry)
      } else {
        groups[entry.group] = ordered.count
        ordered.append([entry])
      }
    }
    return ordered.flatMap(\.self)
  }

  /// The definition that a name means now: the last one of the program, else the prelude's.
  func definition(of name: String) -> Definition? {
    let symbol = machine.heap.symbol(name)
    guard symbol.length != 0 else { return nil }
    let global = machine.globalIndex(symbol), value = machine.globals[global]
    let closure = value.object(as: Macro.self)?.closure ?? value
    let ofPrelude = machine.pending[global] != nil || closure.isKind(.closure) && machine.sources.text(at: Code.of(closure: closure).lambda.span.start)?.isPrelude ?? false
    if !ofPrelude, value != .unbound, let own = userDefinitions(named: name).last { return own }
    for file in machine.preludeFiles.reversed() {
      if let found = definitions(in: file).last(where: { $0.name == name }) { return found }
    }
    return nil
  }

  /// The functions that the embedding program has defined, under their own names.
  private func hostFunctions() -> [HostFunction] {
    machine.globalNames.indices.compactMap { i in
      machine.globals[i].object(as: HostFunction.self).flatMap { $0.name == machine.globalNames[i].text ? $0 : nil }
    }
  }

  private func userDefinitions(named name: String? = nil) -> [Definition] {
    var found: [String: Definition] = [:]
    for text in machine.sources.texts where !text.isPrelude {
      for definition in definitions(in: text) where name == nil || definition.name == name { found[definition.name] = definition }
    }
    return found.values.sorted { $0.name < $1.name }
  }

  private func definitions(in file: PreludeFile) -> [Definition] { (try? file.source(machine)).map { definitions(in: $0) } ?? [] }

  private func definitions(in text: SourceText) -> [Definition] {
    text.bytes.withUnsafeBufferPointer { bytes in
      var found: [Definition] = []
      var scanner = DefinitionScanner(bytes)
      while let next = scanner.next() {
        found.append(Definition(name: String(decoding: next.name, as: UTF8.self), text: text, start: next.start, end: next.end, commentStart: commentStart(bytes, next.start)))
      }
      return found
    }
  }

  /// Where the comment lines right above a place begin.
  private func commentStart(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
    var begin = start
    while begin > 0, bytes[begin - 1] == 10 {
      var line = begin - 1
      while line > 0, bytes[line - 1] != 10 { line -= 1 }
      guard bytes[line] == UInt8(ascii: ";") else { break }
      begin = line
    }
    return begin
  }

  // MARK: Describing

  private func describe(_ form: SpecialForm) -> Documentation? { form.description.map { describe($0) } }

  private func describe(_ row: SpecialFormDescription) -> Documentation {
    Documentation(
      name: row.form.rawValue, kind: .specialForm, group: "special forms", usage: row.usage, text: row.text,
      examples: DocComment.examples(in: row.examples.split(separator: "\n").map(String.init)), source: nil, aliasOf: nil)
  }

  private func describe(_ native: Native) -> Documentation {
    let location = SourceLocation(file: native.file, line: native.line, column: 1, endLine: native.line, endColumn: 1)
    return Documentation(
      name: native.name, kind: .primitive, group: native.group, usage: [native.signature], text: native.doc,
      examples: DocComment.examples(in: native.example.split(separator: "\n").map(String.init)), source: location, aliasOf: native.aliasOf)
  }

  private func describe(_ function: HostFunction) -> Documentation {
    return Documentation(
      name: function.name, kind: .primitive, group: "host", usage: [function.signature], text: function.doc.isEmpty ? "A function of the host." : function.doc, examples: [], source: nil, aliasOf: nil)
  }

  private func describe(_ definition: Definition) -> Documentation {
    let comment = DocComment(lines: commentLines(definition), name: definition.name)
    let (kind, usage) = shape(definition)
    let (line, column) = definition.text.position(definition.start), end = definition.text.position(definition.end)
    return Documentation(
      name: definition.name, kind: kind, group: group(definition.text), usage: comment.usage.map { [$0] } ?? usage.map { [$0] } ?? [], text: comment.text, examples: comment.examples,
      source: SourceLocation(file: definition.text.file, line: line, column: column, endLine: end.line, endColumn: end.column), aliasOf: nil)
  }

  /// The comment above a definition. In the prelude only `;;;` is documentation.
  private func commentLines(_ definition: Definition) -> [String] {
    let text = String(decoding: definition.text.bytes[definition.commentStart..<definition.start], as: UTF8.self)
    return text.split(separator: "\n").compactMap { line in
      if definition.text.isPrelude, !line.hasPrefix(";;;") { return nil }
      let content = line.drop { $0 == ";" }
      return String(content.hasPrefix(" ") ? content.dropFirst() : content)
    }
  }

  /// The file of the prelude without its ending, or "program".
  private func group(_ text: SourceText) -> String {
    guard text.isPrelude, let file = machine.preludeFiles.first(where: { $0.path == text.file }) else { return "program" }
    return file.title
  }

  /// What a definition defines, and how a call of it is written.
  private func shape(_ definition: Definition) -> (Documentation.Kind, usage: String?) {
    let read = definition.text.bytes.withUnsafeBufferPointer { bytes in
      var reader = Reader(machine, definition.text, bytes, from: definition.start, to: definition.end)
      return try? reader.next()
    }
    guard let form = read?.value, form.isListCell, form.length > 1 else { return (.value, nil) }
    let parts = ListElements(form).map { $0 }
    guard parts[0].isKind(.symbol) else { return (.value, nil) }
    switch parts[0].text {
    case "define":
      if parts[1].isListCell { return (.function, usage(definition.name, machine.heap.rest(parts[1]))) }
      if parts.count > 2, let parameters = parametersOfFunction(parts[2]) { return (.function, usage(definition.name, parameters)) }
      return (.value, nil)
    case "defmacro": return (.macro, parts.count > 2 ? usage(definition.name, parts[2]) : nil)
    case "define-syntax": return (.macro, nil)
    case "defcomp", "defisland": return (.component, parts.count > 2 ? usage(definition.name, parts[2]) : nil)
    case "define-type", "define-record-type", "defprotocol": return (.type, nil)
    default: return (.value, nil)
    }
  }

  private func parametersOfFunction(_ form: Value) -> Value? {
    guard form.isListCell, form.length > 1 else { return nil }
    let head = machine.heap.element(form, 0)
    guard head == machine.symbol("fn") || head == machine.symbol("lambda") else { return nil }
    return machine.heap.element(form, 1)
  }

  /// `(name a b more…)`.
  private func usage(_ name: String, _ parameters: Value) -> String {
    if parameters.isKind(.symbol) { return "(\(name) \(parameters.text)…)" }
    var shown = [name], isRest = false, isKey = false
    for parameter in ListElements(parameters) {
      let bare = parameter.isListCell && parameter.length > 0 ? machine.heap.element(parameter, 0) : parameter
      let text = bare.isKind(.symbol) ? bare.text : Printer.text(bare, machine)
      switch text {
      case "&rest", "&", "&children": isRest = true
      case "&key": isKey = true
      default: shown.append(isRest ? "\(text)…" : isKey ? "[:\(text) \(text)]" : text)
      }
    }
    return "(" + shown.joined(separator: " ") + ")"
  }
}

extension Bytes {
  /// Whether a text contains another, byte by byte.
  static func contains(_ part: String, in whole: String) -> Bool {
    var part = part, whole = whole
    return part.withUTF8 { part in whole.withUTF8 { whole in find(part, in: whole) != nil } }
  }
}
