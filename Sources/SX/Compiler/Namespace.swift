/// What the global names of a text mean: those of a library are its own, and imports stand for names of other libraries.
///
/// A library keeps its globals under symbols that no reader makes, so that two libraries may define the same name, and nothing of
/// a library shows that it does not export.
final class Namespace {
  private var table: [UInt64: Value] = [:]
  /// How often a name has got another meaning here.
  private(set) var changes = 0
  enum Owner {
    /// Names are themselves, but for what is imported.
    case program
    /// What nobody has defined is its own.
    case library
    /// Names are themselves, but for those that the program has taken.
    case prelude
  }
  private let owner: Owner
  var isLibrary: Bool { owner == .library }
  /// The library's own names.
  private(set) var ownNames: Set<UInt64> = []

  init(_ owner: Owner) { self.owner = owner }

  /// The symbol whose global a name refers to.
  func resolve(_ name: Value, _ machine: Machine) -> Value {
    if !table.isEmpty, let known = table[name.bits] { return known }
    guard isLibrary, machine.specialForms[name.bits] == nil else { return name }
    let known = name.length
    if known != 0, machine.globals[known - 1] != .unbound || machine.pending[known - 1] != nil { return name }
    return own(name, machine)
  }

  /// The symbol whose global a definition of the name makes.
  func define(_ name: Value, _ machine: Machine) -> Value {
    switch owner {
    case .prelude: return resolve(name, machine)
    case .program:
      if table.removeValue(forKey: name.bits) != nil { changes &+= 1 }      // a definition of the program's own takes the place of an import
      machine.release(toProgram: machine.globalIndex(name))
      return name
    case .library: return own(name, machine)
    }
  }

  private func own(_ name: Value, _ machine: Machine) -> Value {
    if ownNames.contains(name.bits), let known = table[name.bits] { return known }
    let symbol = machine.heap.uninternedSymbol(name, isAlias: false)
    machine.libraryGlobals.append(symbol)
    table[name.bits] = symbol
    ownNames.insert(name.bits)
    return symbol
  }

  func importing(_ name: Value, _ symbol: Value) {
    let former = table[name.bits]
    defer { if table[name.bits] != former { changes &+= 1 } }
    if name != symbol { table[name.bits] = symbol } else { table[name.bits] = isLibrary ? symbol : nil }
    ownNames.remove(name.bits)
  }

  func trace(_ marker: inout Marker) { for symbol in table.values { marker.mark(symbol) } }
}
