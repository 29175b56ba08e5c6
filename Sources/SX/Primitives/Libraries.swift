/// What `define-library` and `import` of `prelude/libraries.sx` are made of.
extension NativeTable {
  mutating func installLibraries() {
    @Sendable func library(_ m: Machine, _ args: Arguments, _ name: String) throws -> Library {
      guard let object = args[0].object(as: LibraryObject.self) else { throw m.wrongType(name, 1, "library", args[0]) }
      return object.library
    }
    add("library/-make", required("name", .list), doc: "A library without definitions.") { m, args in m.heap.allocate(object: LibraryObject(Library(name: Printer.text(args[0], m)))) }
    add("library/-known?", required("name", .list), doc: "Is there such a library, or does the prelude stand in for it?") { m, args in
      .bool(m.libraries[Printer.text(args[0], m)] != nil)
    }
    add("library/-covered?", required("name", .list), doc: "Does the prelude stand in for it?") { m, args in .bool(m.preludeCovers(library: args[0])) }
    add("library/-path", required("name", .list), doc: "The file in which a library is looked for.") { m, args in m.heap.string(m.libraryPath(args[0])) }
    add("library/-of", required("set"), doc: "The name of the library behind an import set.") { m, args in try m.importedLibrary(args[0]) }
    add("library/-announce!", required("library"), required("name", .symbol), doc: "Says that the library will define a name.") { m, args in
      _ = try library(m, args, "library/-announce!").namespace.define(args[1], m)
      return .nil
    }
    add("library/-compile", required("library"), required("form"), doc: "A function that evaluates the form at top level of the library.") { m, args in
      try m.compileTopLevel(args[1], args[1].listSpan, try library(m, args, "library/-compile").namespace)
    }
    add("library/-export!", required("library"), required("name", .symbol), required("external", .symbol), doc: "Says that the library offers a name, under another one perhaps.") { m, args in
      try library(m, args, "library/-export!").declared.append((args[2], args[1]))
      return .nil
    }
    add("library/-import!", required("library"), required("set"), doc: "Makes the names of an import set visible in the library; in the program for nil.") { m, args in
      _ = try m.importedLibrary(args[1])                // refuses what is no import set
      try m.importNames(args[1], into: args[0].isNil ? m.program : library(m, args, "library/-import!").namespace)
      return .nil
    }
    add("library/-read-file", required("path", .string), required("loading"), doc: "All data of a file; a relative path starts at the folder of the file that is being loaded.") { m, args in
      let text = try m.openSource(args[0].text, from: args[1].isString ? args[1].text : nil).text
      return try text.bytes.withUnsafeBufferPointer { bytes in
        var reader = Reader(m, text, bytes), all: [Value] = []
        while let datum = try reader.next() { all.append(datum.value) }
        return m.heap.list(all)
      }
    }
    add("library/-find", required("path", .string), required("loading"), required("roots", .list), doc: "The first of these folders with such a file: that of the file that is being loaded, the roots, the working directory; nil for none.") { m, args in
      let path = args[0].text
      let own = args[1].isString ? args[1].text.lastIndex(of: "/").map { String(args[1].text[...$0]) } ?? "" : ""
      for folder in [own] + ListElements(args[2]).map(\.text) + [""] where (try? m.readFile(folder + path, for: .load)) != nil { return m.heap.string(folder) }
      return .nil
    }
    add("library/-finish!", required("library"), doc: "Looks up what the library exports, and makes it known.") { m, args in
      let library = try library(m, args, "library/-finish!")
      for (external, inner) in library.declared {
        let symbol = library.namespace.resolve(inner, m)
        let index = m.globalIndex(symbol)
        guard m.globals[index] != .unbound || m.pending[index] != nil else { throw m.error("define-library: \(library.name) exports \(inner.text), which it does not define") }
        library.exports[external.text] = symbol
      }
      m.libraries[library.name] = library
      return .nil
    }
  }
}
