/// A value that consists of others and prints with brackets, seen the same way whatever its representation.
struct Collection {
  let opening: String
  let closing: String
  let count: Int
  let isDict: Bool
  let parts: PartIterator

  /// Nil for values that print as a single word.
  init?(_ v: Value, _ machine: Machine) {
    if v.isListCell || v == .end {
      self.init("(", ")", count: v.listCount, .list(ListIterator(v)))
    } else if v.isDict {
      self.init("{", "}", count: v.length, isDict: true, .dict(v, machine.heap, nil, 0))
    } else if v.isKind(.object), let form = v.object.printedForm {
      let blank = form.parts.isEmpty || form.open.hasSuffix("(") ? "" : " "
      self.init(form.open + blank, form.close, count: form.parts.count, .values(form.parts, 0))
    } else {
      return nil
    }
  }

  private init(_ opening: String, _ closing: String, count: Int, isDict: Bool = false, _ parts: PartIterator) {
    self.opening = opening
    self.closing = closing
    self.count = count
    self.isDict = isDict
    self.parts = parts
  }
}

/// Walks the elements of a collection; those of a dict have a key.
enum PartIterator: IteratorProtocol {
  case list(ListIterator)
  case values([Value], Int)
  /// The entries are listed when the first one is asked for.
  case dict(Value, Heap, [(key: Value, value: Value)]?, Int)

  mutating func next() -> (key: Value?, value: Value)? {
    switch self {
    case .list(var iterator):
      defer { self = .list(iterator) }
      return iterator.next().map { (nil, $0) }
    case .values(let values, let at):
      guard at < values.count else { return nil }
      self = .values(values, at + 1)
      return (nil, values[at])
    case .dict(let dict, let heap, let known, let at):
      let entries = known ?? heap.entries(of: dict)
      guard at < entries.count else { return nil }
      self = .dict(dict, heap, entries, at + 1)
      return (entries[at].key, entries[at].value)
    }
  }
}
