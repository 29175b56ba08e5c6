/// The elements of a list in order, each made a handle when it is asked for. Belongs to its interpreter's thread.
///
/// Nothing is copied: an element costs a slot in the table of handles for as long as its handle lives. What code changes in the list in the meantime
/// may or may not be seen, and is safe.
public struct ListView: Sequence {
  let list: Handle

  /// Number of elements. O(1).
  public var count: Int { list.value.listCount }
  public var underestimatedCount: Int { count }
  public func makeIterator() -> Iterator { Iterator(rest: list) }

  public struct Iterator: IteratorProtocol {
    /// What is still to come: the elements of this list from `index` on.
    var rest: Handle
    var index = 0

    /// O(1).
    public mutating func next() -> Handle? {
      let interpreter = rest.interpreter, value = rest.value
      guard value.isListCell, index < value.length else { return nil }
      guard value.isPair, index == 0 else {
        defer { index += 1 }
        return Handle(interpreter, interpreter.machine.heap.element(value, index))
      }
      defer { rest = Handle(interpreter, value.tail) }
      return Handle(interpreter, value.head)
    }
  }
}

/// The entries of a dict in order of insertion, each made a handle when it is asked for; as they were when the iterator was made. Belongs to its
/// interpreter's thread. An iterator takes O(n) words; neither keys nor values are copied before they are asked for.
public struct DictView: Sequence {
  let dict: Handle

  /// Number of entries. O(1).
  public var count: Int { dict.value.length }
  public var underestimatedCount: Int { count }
  public func makeIterator() -> Iterator {
    let heap = dict.interpreter.machine.heap
    // A copy that nobody changes keeps what the iterator will come to.
    let kept = Handle(dict.interpreter, heap.copyDict(dict.value))
    return Iterator(kept: kept, entries: heap.entries(of: kept.value).makeIterator())
  }

  public struct Iterator: IteratorProtocol {
    let kept: Handle
    var entries: IndexingIterator<[(key: Value, value: Value)]>

    /// O(size of the key).
    public mutating func next() -> (key: String, value: Handle)? {
      entries.next().map { ($0.key.text, Handle(kept.interpreter, $0.value)) }
    }
  }
}

extension Handle {
  /// The elements of a list, one by one; nil for other values. nil of SX is the empty list.
  public var list: ListView? { value.isListOrNil ? ListView(list: self) : nil }
  /// The entries of a dict, one by one; nil for other values.
  public var entries: DictView? { value.isDict ? DictView(dict: self) : nil }
}
