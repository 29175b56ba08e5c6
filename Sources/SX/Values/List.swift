/// Lists.
///
/// A list is a value with an identity: `append!` and `set-nth!` change the list they are given and no other, although
/// `rest` and `cons` share structure and cost O(1). Three kinds of cell do that together:
///
/// - `pair`: an element and the rest. Never changes. Its header holds the length, so `len` is O(1).
/// - `slice`: a run of a `storage` (a growable array). Never changes. Made by primitives that know many elements at once.
/// - `mutableList`: what a pair, slice or empty list *becomes*, in place, when it is first changed. Word 2 keeps what it was:
///   a pair whose rest turned into a mutable list goes on with that, so it does not see the change.
///
/// The rest of a pair is `Value.end`, a pair, a slice, or a mutable list in the sense just said. `rest` copies the one cell it
/// answers, so that every list that SX code has got from somewhere has a cell of its own; a loop that only walks along a list
/// is spared that (see `Cursor`). The copies cost 10 % on a program that does little else. A list that SX code sees is never `Value.end`: an empty list is a `mutableList` without elements, because `append!` needs an identity.
extension Value {
  @inline(__always) var isPair: Bool { isKind(.pair) }
  @inline(__always) var head: Value { word(1) }
  /// The rest of a pair as it was when the pair was made.
  @inline(__always) var tail: Value {
    let t = word(2)
    return t.isKind(.mutableList) ? t.word(2) : t
  }
  @inline(__always) var isListCell: Bool {
    guard isCell else { return false }
    let k = UInt8(truncatingIfNeeded: header &>> 8)
    return k >= Kind.pair.rawValue && k <= Kind.mutableList.rawValue
  }
  /// A list, or nil, which counts as the empty one.
  @inline(__always) var isListOrNil: Bool { isListCell || isNil || self == .end }
  /// An empty list, which programs make with `list` and `rest`, or nil. Dicts and strings may be empty, too.
  @inline(__always) var isEmptyList: Bool { isNil || self == .end || isKind(.mutableList) && length == 0 }
  /// Number of elements of a list; 0 for nil.
  @inline(__always) var listCount: Int { isCell ? length : 0 }

  // MARK: Slices

  /// A pair or a slice: both have at least one element.
  @inline(__always) var isPairOrRun: Bool {
    isCell && (header &>> 8 &- UInt64(Kind.pair.rawValue)) & 0xFF <= 1
  }
  /// The first element of a slice.
  @inline(__always) var sliceHead: Value {
    Value(bits: UnsafePointer<UInt64>(bitPattern: UInt(word(1).cell[1] &+ (cell[2] & ~1) &<< 2)).unsafelyUnwrapped.pointee)
  }
  /// A slice of more than one element that belongs to one walking loop alone, see `Machine.advance`.
  @inline(__always) var isOwnRun: Bool {
    isCell && header & 0xFF_FF00 == UInt64.variantHeaderBit | Kind.slice.header && header &>> 33 != 0
  }
  /// The same slice, moved on by one element in place.
  @discardableResult @inline(__always) func advance() -> Value {
    cell[0] &-= 1 &<< 32
    cell[2] &+= 2
    return self
  }

  /// Adds an element to a slice that a loop collects, when this is one with all the elements of its storage and that has room. See `Machine.collect`.
  @inline(__always) func appendToOwnRun(_ v: Value) -> Bool {
    guard isCell, header & 0xFF_FF00 == UInt64.variantHeaderBit | Kind.slice.header else { return false }
    let storage = word(1), n = length
    guard storage.length == n, n < storage.capacity else { return false }
    storage.elements[n] = v
    storage.cell[0] &+= 1 &<< 32
    cell[0] &+= 1 &<< 32
    return true
  }

  // MARK: Storage

  @inline(__always) var elements: UnsafeMutablePointer<Value> {
    UnsafeMutablePointer(bitPattern: UInt(cell[1])).unsafelyUnwrapped
  }
  @inline(__always) var capacity: Int { Int(truncatingIfNeeded: cell[2]) }
  /// Where the elements of a slice or mutable list begin.
  @inline(__always) var run: UnsafeMutablePointer<Value> {
    word(1).elements + (isKind(.slice) ? word(2).fixValue : 0)
  }
}

/// Walks a list of any representation without allocating.
struct ListIterator: IteratorProtocol {
  private var chain: Value
  private var run: UnsafeMutablePointer<Value>
  private var left: Int

  /// `list` must satisfy `isListOrNil`.
  @inline(__always) init(_ list: Value) {
    chain = .end
    run = UnsafeMutablePointer(bitPattern: 8).unsafelyUnwrapped
    left = 0
    enter(list)
  }

  @inline(__always) private mutating func enter(_ list: Value) {
    if list.isPair {
      chain = list
    } else {
      chain = .end
      if list.isCell {
        left = list.length
        if left > 0 { run = list.run }
      }
    }
  }

  @inline(__always) mutating func next() -> Value? {
    if chain.isCell {
      let v = chain.head
      enter(chain.tail)
      return v
    }
    guard left > 0 else { return nil }
    let v = run.pointee
    run += 1
    left &-= 1
    return v
  }
}

/// The elements of a list, for `for` loops.
struct ListElements: Sequence {
  let list: Value
  @inline(__always) init(_ list: Value) { self.list = list }
  @inline(__always) func makeIterator() -> ListIterator { ListIterator(list) }
  var underestimatedCount: Int { list.listCount }
}

extension Heap {
  /// Bulk results of at most this many elements become pairs; longer ones a storage.
  static let longestPairChain = 8

  @inline(__always) func pair(_ head: Value, _ tail: Value, length: Int) -> Value {
    let cell = allocate(words: 3, header: Kind.pair.header(length: length))
    cell[1] = head.bits
    cell[2] = tail.bits
    return Value(cell)
  }

  /// A list of its own with the elements of a pair. O(1).
  @inline(__always) func copyPair(_ p: Value) -> Value {
    let cell = allocate(words: 3, header: p.header & ~(UInt64.variantHeaderBit | 1))
    cell[1] = p.cell[1]
    cell[2] = p.cell[2]
    return Value(cell)
  }

  /// `cons`; `tail` must satisfy `isListOrNil`.
  @inline(__always) func cons(_ head: Value, _ tail: Value) -> Value {
    if tail.isPair {
      let cell = allocate(words: 3, header: tail.header & 0xFFFF_FFFF_0000_0000 &+ (1 &<< 32 | Kind.pair.header))
      cell[1] = head.bits
      cell[2] = tail.bits
      return Value(cell)
    }
    return consSlow(head, tail)
  }
  @inline(never) private func consSlow(_ head: Value, _ tail: Value) -> Value {
    let n = tail.listCount
    return pair(head, n == 0 ? .end : snapshot(tail), length: n + 1)
  }

  /// An unchanging list with the elements that `list` has now. O(1).
  func snapshot(_ list: Value) -> Value {
    guard list.isKind(.mutableList) else { return list }
    let storage = list.word(1)
    storage.cell[0] |= .variantHeaderBit
    return slice(storage, 0, list.length)
  }

  func slice(_ storage: Value, _ start: Int, _ count: Int) -> Value {
    let cell = allocate(words: 3, header: Kind.slice.header(length: count))
    cell[1] = storage.bits
    cell[2] = Value.fix(start).bits
    return Value(cell)
  }

  /// A storage with room for `capacity` values and none in it.
  func storage(capacity: Int) -> Value {
    let cell = allocate(words: 3, header: Kind.storage.header | .ownsHeaderBit)
    cell[1] = UInt64(UInt(bitPattern: systemMemory(max(1, capacity), of: Value.self)))
    cell[2] = UInt64(capacity)
    noteExternal(capacity * 8)
    return Value(cell)
  }

  /// Makes a storage bigger, or as small as what it holds.
  func resize(_ storage: Value, capacity: Int) {
    storage.cell[1] = UInt64(UInt(bitPattern: resized(storage.elements, from: storage.capacity, to: capacity)))
    storage.cell[2] = UInt64(capacity)
  }

  func setLength(_ v: Value, _ n: Int) {
    v.cell[0] = v.cell[0] & 0xFFFF_FFFF | UInt64(truncatingIfNeeded: n) &<< 32
  }

  /// A fresh empty list.
  func emptyList() -> Value {
    let cell = allocate(words: 3, header: Kind.mutableList.header)
    cell[1] = Value.nil.bits
    cell[2] = Value.end.bits
    return Value(cell)
  }

  /// A list of `count` elements that `fill` writes into the given memory. An empty one when there is no memory for a long one; the evaluation ends then.
  func list(count: Int, _ fill: (UnsafeMutablePointer<Value>) throws -> Void) rethrows -> Value {
    if count == 0 { return emptyList() }
    if count <= Heap.longestPairChain {
      return try withUnsafeTemporaryAllocation(of: Value.self, capacity: count) { buffer in
        let base = buffer.baseAddress.unsafelyUnwrapped
        try fill(base)
        return pairs(base, count, end: .end)
      }
    }
    if count > 1 << 13, lacks(count * 8) { return emptyList() }
    let store = storage(capacity: count)
    try fill(store.elements)
    setLength(store, count)
    return slice(store, 0, count)
  }
  func list(_ values: [Value]) -> Value {
    list(count: values.count) { out in
      for i in 0..<values.count { out[i] = values[i] }
    }
  }
  func list(_ values: UnsafePointer<Value>, _ count: Int) -> Value {
    list(count: count) { $0.update(from: values, count: count) }
  }

  /// A list with the elements from last to first. O(n).
  func reversed(_ list: Value) -> Value {
    let n = list.listCount
    return self.list(count: n) { out in
      var i = n
      for v in ListElements(list) {
        i -= 1
        out[i] = v
      }
    }
  }

  /// The values as a chain of pairs in front of `end`, which must be `Value.end` or an unchanging list.
  func pairs(_ values: UnsafePointer<Value>, _ count: Int, end: Value) -> Value {
    var result = end, n = end.listCount
    for i in stride(from: count - 1, through: 0, by: -1) {
      n += 1
      result = pair(values[i], result, length: n)
    }
    return result
  }

  /// A list of its own with the elements of what stands in a chain of pairs. O(1).
  @inline(never) func own(_ tail: Value) -> Value {
    if tail.isPair { return copyPair(tail) }
    return tail == .end ? emptyList() : slice(tail.word(1), tail.word(2).fixValue, tail.length)
  }

  /// `rest` of a non-empty or empty list: a list of its own, so that a change of it shows nowhere else. O(1).
  @inline(never) func rest(_ list: Value) -> Value {
    if list.isPair {
      return own(list.tail)
    }
    let n = list.listCount
    if n <= 1 { return emptyList() }
    if list.isKind(.mutableList) { list.word(1).cell[0] |= .variantHeaderBit }
    return slice(list.word(1), list.isKind(.slice) ? list.word(2).fixValue + 1 : 1, n - 1)
  }

  /// The list without its first `k` elements (0…count). O(k) for pairs, else O(1).
  func drop(_ list: Value, _ k: Int) -> Value {
    var list = list, k = k
    if list.isPair { countSteps(k) }
    while k > 0, list.isPair {
      list = list.tail
      k -= 1
    }
    let n = list.listCount
    if n - k <= 0 { return emptyList() }
    if list.isPair { return copyPair(list) }
    if list.isKind(.mutableList) { list.word(1).cell[0] |= .variantHeaderBit }
    return slice(list.word(1), (list.isKind(.slice) ? list.word(2).fixValue : 0) + k, n - k)
  }

  /// Element `i` (0…count-1). O(i) for pairs, else O(1).
  func element(_ list: Value, _ i: Int) -> Value {
    var list = list, left = i
    while list.isPair {
      if left == 0 {
        countSteps(i)
        return list.head
      }
      list = list.tail
      left -= 1
    }
    return list.run[left]
  }

  // MARK: Change in place

  /// Turns the cell of a list into a mutable list with a storage of its own that has room for `extra` more.
  private func makeMutable(_ list: Value, extra: Int) {
    let n = list.length
    if list.isKind(.mutableList) {
      let store = list.word(1)
      if store.isCell, n + extra <= store.capacity { return }
      replaceStorage(list, n, max(4, n * 2, n + extra))
      return
    }
    let old = Value(allocate(words: 3, header: list.header & ~1 & ~UInt64.variantHeaderBit))
    old.cell[1] = list.cell[1]
    old.cell[2] = list.cell[2]
    if old.isKind(.pair) { old.setWord(2, list.tail) }
    if old.isKind(.slice) { old.word(1).cell[0] |= .variantHeaderBit }
    countSteps(n)
    let store = storage(capacity: max(4, n + n / 2 + extra))
    var i = 0
    for v in ListElements(old) { store.elements[i] = v; i += 1 }
    setLength(store, n)
    list.cell[0] = Kind.mutableList.header(length: n) | list.header & 1
    list.cell[1] = store.bits
    list.cell[2] = old.bits
  }
  private func replaceStorage(_ list: Value, _ n: Int, _ capacity: Int) {
    let store = storage(capacity: capacity)
    if n > 0 { store.elements.update(from: list.word(1).elements, count: n) }
    setLength(store, n)
    list.setWord(1, store)
  }

  /// Bytes that the next `append` will ask for at once; 0 when there is room.
  func growth(of list: Value) -> Int {
    guard list.isKind(.mutableList), list.word(1).isCell else { return list.length * 12 }
    return list.length < list.word(1).capacity ? 0 : list.length * 16
  }

  /// Adds an element at the end of the list. Amortised O(1), after O(n) for the first change of a list that was not made empty.
  func append(_ list: Value, _ v: Value) {
    makeMutable(list, extra: 1)
    let n = list.length, store = list.word(1)
    // Slices of this storage end at or before its length, so writing behind it disturbs none of them.
    store.elements[n] = v
    setLength(store, n + 1)
    setLength(list, n + 1)
  }

  /// Overwrites element `i`. O(1), after O(n) when the elements are shared.
  func setElement(_ list: Value, _ i: Int, _ v: Value) {
    makeMutable(list, extra: 0)
    if list.word(1).header & .variantHeaderBit != 0 { replaceStorage(list, list.length, list.length) }
    list.word(1).elements[i] = v
  }
}
