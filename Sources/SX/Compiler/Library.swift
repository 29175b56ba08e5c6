/// A library of `define-library`.
final class Library {
  /// As it is written: `(my lib)`.
  let name: String
  let namespace = Namespace(.library)
  /// The symbols whose globals it offers, by the names under which it does.
  var exports: [String: Value] = [:]
  /// Names that wait for their definitions until all of the library has been evaluated.
  var declared: [(external: Value, internal: Value)] = []

  init(name: String) { self.name = name }
}

/// A library under construction, as SX code holds it.
final class LibraryObject: HeapObject {
  let library: Library
  init(_ library: Library) { self.library = library }
  override var typeName: String { "library" }
  override func describe(_ machine: Machine) -> String { "#<library \(library.name)>" }
  override func trace(_ marker: inout Marker) { library.namespace.trace(&marker) }
}

/// What an import set names. The globals of the prelude are there without being listed.
private enum ImportSet {
  case everything
  case names([(name: String, symbol: Value)])
}

extension Machine {
  private static let modifiers: Set<String> = ["only", "except", "prefix", "rename"]

  /// The name of the library behind an import set, as a datum.
  func importedLibrary(_ set: Value) throws -> Value {
    var set = set
    while set.isListCell, set.length > 1, case let head = heap.element(set, 0), head.isKind(.symbol), Machine.modifiers.contains(head.text), heap.element(set, 1).isListCell {
      set = heap.element(set, 1)
    }
    guard set.isListCell, set.length > 0 else { throw error("import: expected the name of a library, got \(Printer.text(set, self))", hint: "the name of a library is a list, such as (my lib)") }
    return set
  }

  /// The file in which a library is looked for, relative to the file that imports it.
  func libraryPath(_ name: Value) -> String { ListElements(name).map { $0.isText ? $0.text : Printer.text($0, self, .display) }.joined(separator: "/") + ".sx" }

  /// Libraries of R7RS, SRFIs, and those of the reference that the prelude stands in for.
  func preludeCovers(library name: Value) -> Bool {
    guard name.isListCell, name.length > 0 else { return false }
    let first = heap.element(name, 0)
    if first.isText, ["scheme", "srfi", "sx"].contains(first.text) { return true }
    return Prelude.covers(libraryPath(name))
  }

  /// Makes the names of an import set visible in a namespace.
  func importNames(_ set: Value, into target: Namespace) throws {
    guard case .names(let names) = try importSet(set) else { return }
    for (name, symbol) in names { target.importing(heap.symbol(name), symbol) }
  }

  private func importSet(_ set: Value) throws -> ImportSet {
    guard set.isListCell, set.length > 1, case let head = heap.element(set, 0), head.isKind(.symbol), Machine.modifiers.contains(head.text), heap.element(set, 1).isListCell else {
      let name = Printer.text(set, self)
      if let library = libraries[name] { return .names(library.exports.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }) }
      if preludeCovers(library: set) { return .everything }
      throw error("import: there is no library \(name)")
    }
    var names: [(name: String, symbol: Value)]
    switch try importSet(heap.element(set, 1)) {
    case .names(let known): names = known
    case .everything: names = definedNames.map { ($0, heap.symbol($0)) }
    }
    let arguments = Array(ListElements(set).dropFirst(2))
    let library = Printer.text(try importedLibrary(set), self)
    func require(_ name: String) throws {
      guard !names.contains(where: { $0.name == name }) else { return }
      throw error("import: \(library) does not export \(name)" + (Suggestion.near(name, globalNames: names.map(\.name)).map { ", " + $0 } ?? ""))
    }
    switch head.text {
    case "only":
      for name in arguments { try require(self.name(name)) }
      let wanted = Set(arguments.map(\.text))
      names = names.filter { wanted.contains($0.name) }
    case "except":
      for name in arguments { try require(self.name(name)) }
      let unwanted = Set(arguments.map(\.text))
      names = names.filter { !unwanted.contains($0.name) }
    case "prefix":
      guard let prefix = arguments.first, prefix.isText else { throw error("import: `prefix` needs a prefix") }
      names = names.map { (prefix.text + $0.name, $0.symbol) }
    default:
      var renamed: [String: String] = [:]
      for pair in arguments {
        guard pair.isListCell, pair.length == 2 else { throw error("import: `rename` takes lists of two names") }
        try require(name(heap.element(pair, 0)))
        renamed[try name(heap.element(pair, 0))] = try name(heap.element(pair, 1))
      }
      names = names.map { (renamed[$0.name] ?? $0.name, $0.symbol) }
    }
    return .names(names)
  }
}
