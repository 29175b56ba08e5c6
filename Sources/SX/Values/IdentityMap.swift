/// A dictionary by the identity of values, or by any number but 0, for what the compiler asks all the time. The standard dictionary hashes a key so that nobody
/// can choose keys that collide, which takes longer than the rest of a look-up; addresses of cells are not chosen by the program. And to make its type, the
/// runtime looks at each start through all 20,000 conformances for that of the keys.
///
/// Open addressing. A key that was given up keeps its place until the table grows.
struct IdentityMap<Element> {
  private var slots: [(key: UInt64, element: Element?)] = []
  /// Keys in the table, with those that were given up.
  private var used = 0

  var isEmpty: Bool { used == 0 }

  subscript(key: UInt64) -> Element? {
    get { slots.isEmpty ? nil : slots[place(of: key)].element }
    set {
      if used * 4 >= slots.count * 3 { grow() }
      let i = place(of: key)
      if slots[i].key == 0 { used += 1 }
      slots[i] = (key, newValue)
    }
  }
  subscript(key: UInt64, default value: Element) -> Element {
    get { self[key] ?? value }
    set { self[key] = newValue }
  }

  mutating func removeAll() { self = IdentityMap() }

  func forEach(_ body: (UInt64, Element) -> Void) {
    for slot in slots { if let element = slot.element { body(slot.key, element) } }
  }

  /// Where a key is, or would be.
  @inline(__always) private func place(of key: UInt64) -> Int {
    let mask = slots.count &- 1
    var i = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) &>> 32) & mask
    while slots[i].key != key, slots[i].key != 0 { i = (i &+ 1) & mask }
    return i
  }
  private mutating func grow() {
    let old = slots
    slots = Array(repeating: (0, nil), count: max(8, old.count * 2))
    used = 0
    for slot in old where slot.element != nil {
      slots[place(of: slot.key)] = slot
      used += 1
    }
  }
}
