/// A program may give any name a meaning of its own, also one that the prelude defines. What is written in the prelude keeps the prelude's
/// meaning: when a program first defines or assigns such a name, the prelude moves to a global of its own, under a symbol that no reader
/// makes. As long as nobody does that, both share one global, which costs nothing.
///
/// A name with a prefix, such as `otel/set-cap!`, belongs to its part of the prelude alone: a program that takes it means to change the prelude.
extension Machine {
  /// Lets a program have the global of a name, before it is defined or assigned. Until then it has the prelude's value. O(heap) the first time for a
  /// name of the prelude.
  func release(toProgram index: Int) {
    guard preludeGlobals.contains(index), case let name = globalNames[index], !name.utf8.contains(UInt8(ascii: "/")), preludeNames.resolve(name, self) == name else { return }
    let symbol = heap.uninternedSymbol(name, isAlias: false)
    libraryGlobals.append(symbol)
    preludeNames.importing(name, symbol)
    let own = globalIndex(symbol)
    globals[own] = globals[index]
    pending[own] = pending[index]
    heap.forEachCell { cell in
      guard Kind(header: cell[0]) == .code, case let code = Code.of(cell: Value(cell)), code.lambda.isPrelude else { return }
      code.redirect(index, to: own)
    }
  }

  /// Defines a name for the program.
  func define(_ name: Value, _ v: Value) throws { try setGlobal(globalIndex(program.define(name, self)), v) }

  /// The global that the prelude means where its source, or a node made of it, names this one.
  func preludeGlobal(_ index: Int) -> Int { globalIndex(preludeNames.resolve(globalNames[index], self)) }

  /// The global that the prelude defines under a name.
  func preludeGlobal(named name: StaticString) -> Int { preludeGlobal(globalIndex(symbol(name))) }

  /// What the prelude defines under a name.
  func preludeValue(_ name: StaticString) throws -> Value { try boundGlobal(preludeGlobal(named: name)) }
}
