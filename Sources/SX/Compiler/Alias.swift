/// Names that the expansion of a `syntax-rules` macro brought along.
///
/// Every expansion gives the symbols of its template new identities: cells with the text of the original that no table interns.
/// An alias that the expansion binds is a variable of its own, so it captures nothing; one that it does not bind means what the original
/// means where the macro was defined. Aliases live as long as the form that is being compiled: what remains of them in data is stripped by `quote`.
final class AliasTable {
  struct Entry {
    let original: Value
    /// What was visible where the macro was defined, see `Scope`; 0 for a macro at top level.
    let serial: Int
    /// The library that defined the macro.
    let namespace: Namespace?
  }
  private var entries = IdentityMap<Entry>()

  subscript(_ name: Value) -> Entry? { entries[name.bits] }
  var isEmpty: Bool { entries.isEmpty }

  func add(_ alias: Value, _ entry: Entry) { entries[alias.bits] = entry }
  /// When nothing is being compiled, nobody asks for aliases.
  func removeAll() { if !entries.isEmpty { entries.removeAll() } }
  func trace(_ marker: inout Marker) {
    entries.forEach { bits, entry in
      marker.mark(Value(bits: bits))
      marker.mark(entry.original)
    }
  }
}

extension Value {
  private static var aliasHeaderBit: UInt64 { 0x100_0000 }
  @inline(__always) var isAlias: Bool { isKind(.symbol) && header & Value.aliasHeaderBit != 0 }
  fileprivate func becomeSymbol(alias: Bool) {
    let variant = header & .variantHeaderBit, owns = header & .ownsHeaderBit, marked = header & 1
    cell[0] = Kind.symbol.header | variant | owns | marked | (alias ? Value.aliasHeaderBit : 0)
  }
}

extension Heap {
  /// A symbol with a text that other symbols may have too.
  func uninternedSymbol(_ text: Value, isAlias: Bool) -> Value {
    let v = string(text.utf8)
    v.becomeSymbol(alias: isAlias)
    return v
  }
}

extension Machine {
  /// The symbol that an alias stands for; other symbols as they are.
  func stripped(_ name: Value) -> Value { name.isAlias ? heap.symbol(name.utf8) : name }

  /// Data without aliases; the very same data when it has none.
  func strippedDatum(_ v: Value) throws -> Value {
    aliases.isEmpty ? v : try rewritten(v) { $0.isAlias ? self.stripped($0) : nil }
  }

  /// Replaces symbols inside lists and dicts; the very same data when nothing is to be replaced. Places of lists stay.
  func rewritten(_ v: Value, _ replacement: (Value) -> Value?) throws -> Value {
    if v.isKind(.symbol) { return replacement(v) ?? v }
    if v.isListCell {
      try nativeStack.check(v.listSpan)
      try charge(v.listCount)
      var parts: [(value: Value, span: SourceSpan)] = [], isChanged = false
      parts.reserveCapacity(v.listCount)
      var rest = v
      func add(_ part: Value, _ span: SourceSpan) throws {
        let new = part.isListCell || part.isKind(.symbol) || part.isDict ? try rewritten(part, replacement) : part
        if new != part { isChanged = true }
        parts.append((new, span))
      }
      while rest.isPair {
        try add(rest.head, rest.elementSpan)
        rest = rest.tail
      }
      for part in ListElements(rest) { try add(part, .none) }
      guard isChanged else { return v }
      return located(parts, v.listSpan)
    }
    if v.isDict {
      let entries = heap.entries(of: v)
      let values = try entries.map { try rewritten($0.value, replacement) }
      guard zip(values, entries).contains(where: { $0 != $1.value }) else { return v }
      let copy = heap.dict(capacity: entries.count)
      for (entry, value) in zip(entries, values) { heap.set(copy, entry.key, value) }
      return copy
    }
    return v
  }

  /// A list whose elements stand where the spans say.
  func located(_ parts: [(value: Value, span: SourceSpan)], _ list: SourceSpan) -> Value {
    if parts.isEmpty { return heap.emptyList() }
    var result = Value.end
    for i in stride(from: parts.count - 1, through: 0, by: -1) {
      result = heap.locatedPair(parts[i].value, result, length: parts.count - i, element: parts[i].span, list: i == 0 ? list : .none)
    }
    return result
  }
}
