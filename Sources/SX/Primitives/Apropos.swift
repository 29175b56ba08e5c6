extension NativeTable {
  mutating func installDocumentation() {
    add("documentation", required("name", .text), doc: """
      What is known about a name: a dict with :name, :kind, :group, :usage, :text, :examples, :file and :line; nil for an unknown name.
      An example is a dict with :expression and, unless it is only shown, :value or :error.
      """, example: "(get (documentation \"first\") :usage) → (\"(first list)\")") { m, args in
      try m.charge(1 << 12)
      return DocumentationIndex(m).documentation(of: args[0].text).map { m.value($0) } ?? .nil
    }
    add("apropos", required("text", .text), doc: "The names in whose name or documentation all words of the text occur, best matches first.", example: "(first (apropos \"json-enc\")) → \"json-encode\"") { m, args in
      // All documentation is looked through.
      try m.charge(1 << 16)
      return m.makeList(DocumentationIndex(m).matching(args[0].text).map { m.heap.string($0.name) })
    }
    add("doc", required("name"), doc: "Prints the documentation of a name, given as a symbol, a string or the function itself. Answers nil.", example: "(doc 'first) → …") { m, args in
      try m.charge(1 << 12)
      let name: String
      if args[0].isString || args[0].isKind(.symbol) || args[0].isKind(.keyword) {
        name = args[0].text
      } else if args[0].isKind(.native) {
        name = args[0].native.name
      } else if args[0].isKind(.closure) {
        name = Code.of(closure: args[0]).displayName
      } else if let macro = args[0].object(as: Macro.self) {
        name = macro.name
      } else {
        throw m.wrongType("doc", 1, "name or function", args[0])
      }
      guard let found = DocumentationIndex(m).documentation(of: name) else {
        throw m.error("doc: nothing is known about `\(name)`", hint: Suggestion.near(name, globalNames: m.definedNames))
      }
      try m.emit(m.heap.string(found.rendered(color: false) + "\n"), .display, to: try m.output(args, args.count, "doc"), "doc")
      return .nil
    }
  }
}

extension Machine {
  /// Documentation as SX data.
  fileprivate func value(_ documentation: Documentation) -> Value {
    func strings(_ all: [String]) -> Datum { .list(all.map { .string($0) }) }
    let examples = documentation.examples.map { example -> Datum in
      switch example.outcome {
      case .value(let value): ["expression": .string(example.expression), "value": .string(value)]
      case .error(let message): ["expression": .string(example.expression), "error": .string(message)]
      case .notRun: ["expression": .string(example.expression)]
      }
    }
    return value([
      "name": .string(documentation.name), "kind": .string(documentation.kind.rawValue), "group": .string(documentation.group), "usage": strings(documentation.usage),
      "text": .string(documentation.text), "examples": .list(examples), "file": documentation.source.map { .string($0.file) } ?? .null,
      "line": documentation.source.map { .integer($0.line) } ?? .null,
    ])
  }
}
