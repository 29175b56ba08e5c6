/// What the conversation at a prompt needs to know about its interpreter; `prelude/repl.sx` is built on it.
extension NativeTable {
  mutating func installSessions() {
    add("global-names", doc: "The names of all globals in alphabetic order, without those that are private to the prelude.", example: "(contains? (global-names) \"first\") → true") { m, _ in
      try m.charge(1 << 14)
      return m.heap.list(m.definedNames.filter { DocumentationIndex.isPublic($0) }.sorted().map { m.heap.string($0) })
    }
    add("control/-open-text", required("text", .string), required("file", .string), doc: "A loader for a text; `file` is how messages name it.") { m, args in
      m.heap.allocate(object: Loader(try m.register(file: args[1].text, bytes: Array(args[0].utf8))))
    }
    add("control/-defined-name", required("loader", .object), doc: "The name that the form defines which was read last; nil when it is no definition.") { _, args in
      args[0].object(as: Loader.self)?.definedName ?? .nil
    }
    add("control/-function?", required("value"), doc: "Can it be called?") { _, args in
      .bool(args[0].isCallable)
    }
    add("control/-signature", required("function"), doc: "How a function is called, as text.") { m, args in
      if args[0].isKind(.closure) { return m.heap.string(Code.of(closure: args[0]).signature) }
      if args[0].isKind(.native) { return m.heap.string(args[0].native.signature) }
      if let function = args[0].object(as: HostFunction.self) { return m.heap.string(function.signature) }
      return .nil
    }
    add("control/-memory-use", doc: "Collections so far, and bytes allocated so far, up to the block that is in use.") { m, _ in
      let use = m.heap.dict(capacity: 2)
      m.heap.set(use, m.heap.constantString("collections"), .fix(m.heap.collections))
      m.heap.set(use, m.heap.constantString("allocated"), .fix(m.heap.allocatedBytes))
      return use
    }
    add("control/-rendered-documentation", required("name", .string), required("colors"), doc: "The documentation of a name as text for a terminal; nil for an unknown name.") { m, args in
      DocumentationIndex(m).documentation(of: args[0].text).map { m.heap.string($0.rendered(color: !args[1].isFalsy)) } ?? .nil
    }
    add("control/-near-names", required("name", .string), doc: "Known names that somebody may have meant who wrote this one.") { m, args in
      m.heap.list(m.interpreter.suggestions(for: args[0].text).map { m.heap.string($0) })
    }
    add("control/-own-macros", doc: "The names of the macros that no text of the prelude defines, in alphabetic order.") { m, _ in
      let own = m.globalNames.indices.filter { index in
        guard let macro = m.globals[index].object(as: Macro.self) else { return false }
        return !macro.closure.isKind(.closure) || !Code.of(closure: macro.closure).lambda.isPrelude
      }
      return m.makeList(own.map { m.globalNames[$0].text }.filter { DocumentationIndex.isPublic($0) }.sorted().map { m.heap.string($0) })
    }
    add("control/-definition-source", required("name", .string), doc: "The text of a definition in SX with the comment above it; nil for names that no text defines.") { m, args in
      DocumentationIndex(m).definition(of: args[0].text).map { m.heap.string($0.sourceText) } ?? .nil
    }
  }
}
