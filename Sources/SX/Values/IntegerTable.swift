/// Items under numbers: addresses, the bits of symbols.
///
/// Where a start of the interpreter would otherwise need a `Dictionary`: making the type of one asks the runtime whether its keys are `Hashable`,
/// and the first such question of each type looks through all 20,000 conformances of the program. Open addressing, at most half full.
struct IntegerTable<Item> {
  private var keys: [UInt64]
  private var items: [Item?]
  private var count = 0

  /// Holds at least `capacity` items before it grows.
  init(capacity: Int = 4) {
    var size = 8
    while size < 2 * capacity { size *= 2 }
    keys = Array(repeating: 0, count: size)
    items = Array(repeating: nil, count: size)
  }

  /// Setting nil removes the item.
  subscript(key: UInt64) -> Item? {
    get { items[place(of: key)] }
    set {
      let place = place(of: key)
      switch (items[place] != nil, newValue) {
      case (_, let item?):
        if items[place] == nil {
          count += 1
          keys[place] = key
        }
        items[place] = item
        if 2 * count > items.count { grow() }
      case (true, nil): remove(at: place)
      case (false, nil): break
      }
    }
  }

  subscript(key: UInt64, default item: @autoclosure () -> Item) -> Item {
    get { self[key] ?? item() }
    set { self[key] = newValue }
  }

  /// Where a key is, or would be put. Addresses differ in their middle bits, so those have to reach the index.
  private func place(of key: UInt64) -> Int {
    let mask = items.count - 1
    var place = home(of: key)
    while items[place] != nil, keys[place] != key { place = (place + 1) & mask }
    return place
  }

  private func home(of key: UInt64) -> Int { Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & (items.count - 1) }

  /// Moves up what stands behind the gap and could not be found across it.
  private mutating func remove(at place: Int) {
    let mask = items.count - 1
    var gap = place, next = (place + 1) & mask
    while items[next] != nil {
      if (next &- home(of: keys[next])) & mask >= (next &- gap) & mask {
        (keys[gap], items[gap]) = (keys[next], items[next])
        gap = next
      }
      next = (next + 1) & mask
    }
    items[gap] = nil
    count -= 1
  }

  private mutating func grow() {
    var larger = IntegerTable(capacity: items.count)
    for place in items.indices { if let item = items[place] { larger[keys[place]] = item } }
    self = larger
  }
}
