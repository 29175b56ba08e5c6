extension NativeTable {
  mutating func installPrograms() {
    add("sx-parse", required("source", .string), walks: true, growth: 3, doc: "All data of a text, as a list.", example: "(sx-parse \"1 two\") → (1 two)") { m, args in
      let text = try m.register(file: "<string>", bytes: Array(args[0].utf8))
      return try text.bytes.withUnsafeBufferPointer { bytes in
        var reader = Reader(m, text, bytes), all: [Value] = []
        while let datum = try reader.next() {
          all.append(datum.value)
          try m.reserve(next: all.count, of: 8)
        }
        return m.heap.list(all)
      }
    }
    addControl("eval", required("datum"), doc: "Evaluates data as a program, at top level.", example: "(eval '(+ 1 2)) → 3") { m, slot, _ in
      let thunk = try m.compileTopLevel(slot[1], slot[1].listSpan)
      slot[0] = thunk
      try m.enter(thunk, slot, 0)
    }
    add("macroexpand-1", required("form"), doc: "The form after one expansion, when its head names a macro.") { m, args in try m.expandOnce(args[0]) ?? args[0] }
    add("macroexpand", required("form"), doc: "The form expanded until its head names no macro.") { m, args in
      var form = args[0]
      while let next = try m.expandOnce(form) { form = next }
      return form
    }
    add("form-location", required("datum"), doc: "Where a list stands that was read from source: :file, :line and :column; nil for other data.") { m, args in
      let span = args[0].listSpan
      return span.isNone ? .nil : m.locationDict(span, function: nil)
    }
    add("expansion-location", doc: "In the body of a macro: where the form stands that is being expanded, as :file, :line, :column and :end-line; nil elsewhere.") { m, _ in
      guard !m.expansionSpan.isNone, let location = m.sources.location(m.expansionSpan) else { return .nil }
      let d = m.locationDict(m.expansionSpan, function: nil)
      m.heap.set(d, m.heap.constantString("end-line"), .fix(location.endLine))
      return d
    }
    add("test/-error-report", required("error"), doc: "An error as the command shows it, without the calls of the test runner.") { m, args in
      var diagnostic = m.diagnostic(Raise(condition: args[0]))
      diagnostic.dropCalls(from: ["test/-observe", "test/-attempt"])
      return m.heap.string(diagnostic.rendered(color: false))
    }
    add("global-value", required("name", .text), doc: "The value of a global, or nil.") { m, args in
      let v = try m.globalValue(m.globalIndex(m.heap.symbol(args[0].utf8)))
      return v == .unbound ? .nil : v
    }
    add("set-global!", required("name", .text), required("value"), doc: "Gives a global a value, whether it exists or not.") { m, args in
      try m.define(m.heap.symbol(args[0].utf8), args[1])
      return args[1]
    }
    add("control/-open-source", required("path"), required("loading"), doc: "A loader for a file; a relative path starts at the folder of the file that loads it. For `load`, whose argument it checks.") { m, args in
      guard args[0].isString else { throw m.wrongType("load", 1, "string", args[0]) }
      return m.heap.allocate(object: try m.openSource(args[0].text, from: args[1].isString ? args[1].text : nil))
    }
    add("control/-loader-file", required("loader", .object), doc: "The path of the file that a loader reads.") { m, args in
      m.heap.string(args[0].object(as: Loader.self)?.text.file ?? "")
    }
    add("control/-next-form", required("loader", .object), doc: "Reads and compiles the next form: a function that runs it, or nil at the end.") { m, args in
      guard let loader = args[0].object(as: Loader.self) else { throw m.wrongType("control/-next-form", 1, "loader", args[0]) }
      return try loader.next(m) ?? .nil
    }
  }
}
