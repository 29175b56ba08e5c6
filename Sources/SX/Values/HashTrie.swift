/// The persistent representation of a large dict: a compressed hash trie in slab cells.
///
/// Node: header with the number of payload words; word 1 the bitmap of entries and, in its upper half, the bitmap of children; then three
/// words per entry (key, value, sequence number), then one per child. Nodes never change: a change copies the path.
struct HashTrie {
  let heap: Heap

  /// Five bits of the hash per level; below the sixth level a second, independent hash.
  private func digit(_ key: Value, _ shift: UInt32) -> UInt32 {
    let first = key.ensureHash(seed: heap.hashSeed)
    if shift < 30 { return (first >> (shift + 1)) & 31 }       // bit 0 of a hash is always set
    let level = UInt64(shift / 30)
    let next = Bytes.hash(key.bytes, key.byteCount, seed: heap.hashSeed &+ level &* 0x9E37_79B9_7F4A_7C15)
    return (next >> (shift % 30 + 1)) & 31
  }
  @inline(__always) private static func below(_ map: UInt32, _ bit: UInt32) -> Int { (map & (bit &- 1)).nonzeroBitCount }
  @inline(__always) private static func maps(_ n: Cell) -> (data: UInt32, kids: UInt32) {
    (UInt32(truncatingIfNeeded: n[1]), UInt32(truncatingIfNeeded: n[1] >> 32))
  }
  private func node(_ payload: Int, _ data: UInt32, _ kids: UInt32) -> Cell {
    let cell = heap.allocateLarge(words: 2 + payload, header: Kind.node.header(length: payload))
    cell[1] = UInt64(data) | UInt64(kids) << 32
    return cell
  }

  func emptyNode() -> Value { Value(node(0, 0, 0)) }

  func get(_ root: Value, _ key: Value) -> Value? {
    var n = root.cell, shift: UInt32 = 0
    while true {
      let (data, kids) = HashTrie.maps(n)
      let bit = UInt32(1) << digit(key, shift)
      if data & bit != 0 {
        let i = 2 + 3 * HashTrie.below(data, bit)
        return Value(bits: n[i]).textEquals(key) ? Value(bits: n[i + 1]) : nil
      }
      if kids & bit == 0 { return nil }
      n = Value(bits: n[2 + 3 * data.nonzeroBitCount + HashTrie.below(kids, bit)]).cell
      shift += 5
    }
  }

  /// The new root, and whether the key is new. An old key keeps its sequence number.
  func set(_ root: Value, _ key: Value, _ v: Value, sequence: Int, shift: UInt32 = 0) -> (Value, isNew: Bool) {
    let n = root.cell
    let (data, kids) = HashTrie.maps(n)
    let d = 3 * data.nonzeroBitCount, c = kids.nonzeroBitCount, body = n + 2
    let bit = UInt32(1) << digit(key, shift)
    if data & bit != 0 {
      let i = 3 * HashTrie.below(data, bit)
      let old = Value(bits: body[i])
      if old.textEquals(key) {
        let m = node(d + c, data, kids)
        (m + 2).update(from: body, count: d + c)
        m[2 + i + 1] = v.bits
        return (Value(m), false)
      }
      // Two keys share the digits so far: both move into a child.
      let (one, _) = set(emptyNode(), old, Value(bits: body[i + 1]), sequence: Value(bits: body[i + 2]).fixValue, shift: shift + 5)
      let (child, _) = set(one, key, v, sequence: sequence, shift: shift + 5)
      let j = HashTrie.below(kids, bit)
      let m = node(d - 3 + c + 1, data & ~bit, kids | bit)
      let out = m + 2, split = d - 3 + j
      out.update(from: body, count: i)
      (out + i).update(from: body + (i + 3), count: split - i)
      out[split] = child.bits
      (out + (split + 1)).update(from: body + (d + j), count: c - j)
      return (Value(m), true)
    }
    if kids & bit != 0 {
      let j = d + HashTrie.below(kids, bit)
      let (child, isNew) = set(Value(bits: body[j]), key, v, sequence: sequence, shift: shift + 5)
      let m = node(d + c, data, kids)
      (m + 2).update(from: body, count: d + c)
      m[2 + j] = child.bits
      return (Value(m), isNew)
    }
    let i = 3 * HashTrie.below(data, bit)
    let m = node(d + 3 + c, data | bit, kids)
    let out = m + 2
    out.update(from: body, count: i)
    out[i] = key.bits
    out[i + 1] = v.bits
    out[i + 2] = Value.fix(sequence).bits
    (out + (i + 3)).update(from: body + i, count: d + c - i)
    return (Value(m), true)
  }

  /// The root of a trie with entries under different keys, numbered as they come. Makes its nodes only, and none that is dropped again.
  func node(of entries: [(key: Value, value: Value)]) -> Value {
    var order = Array(entries.indices)[...]
    return node(of: entries, &order, shift: 0)
  }
  private func node(of entries: [(key: Value, value: Value)], _ part: inout ArraySlice<Int>, shift: UInt32) -> Value {
    // The entries of a digit next to each other, in order of digits.
    part.sort { digit(entries[$0].key, shift) < digit(entries[$1].key, shift) }
    var data: UInt32 = 0, kids: UInt32 = 0, direct: [Int] = [], children: [Value] = [], start = part.startIndex
    while start < part.endIndex {
      let first = digit(entries[part[start]].key, shift)
      var end = start + 1
      while end < part.endIndex, digit(entries[part[end]].key, shift) == first { end += 1 }
      if end - start == 1 {
        data |= 1 << first
        direct.append(part[start])
      } else {
        kids |= 1 << first
        children.append(node(of: entries, &part[start..<end], shift: shift + 5))
      }
      start = end
    }
    let cell = node(3 * direct.count + children.count, data, kids)
    for (i, e) in direct.enumerated() {
      cell[2 + 3 * i] = entries[e].key.bits
      cell[3 + 3 * i] = entries[e].value.bits
      cell[4 + 3 * i] = Value.fix(e).bits
    }
    for (i, child) in children.enumerated() { cell[2 + 3 * direct.count + i] = child.bits }
    return Value(cell)
  }

  /// The root without the key, or nil when it was not there. Children that become small are not folded back.
  func delete(_ root: Value, _ key: Value, shift: UInt32 = 0) -> Value? {
    let n = root.cell
    let (data, kids) = HashTrie.maps(n)
    let d = 3 * data.nonzeroBitCount, c = kids.nonzeroBitCount, body = n + 2
    let bit = UInt32(1) << digit(key, shift)
    if data & bit != 0 {
      let i = 3 * HashTrie.below(data, bit)
      guard Value(bits: body[i]).textEquals(key) else { return nil }
      let m = node(d - 3 + c, data & ~bit, kids)
      (m + 2).update(from: body, count: i)
      (m + (2 + i)).update(from: body + (i + 3), count: d + c - i - 3)
      return Value(m)
    }
    guard kids & bit != 0 else { return nil }
    let j = d + HashTrie.below(kids, bit)
    guard let child = delete(Value(bits: body[j]), key, shift: shift + 5) else { return nil }
    let m = node(d + c, data, kids)
    (m + 2).update(from: body, count: d + c)
    m[2 + j] = child.bits
    return Value(m)
  }

  static func ordered(_ root: Value, count: Int) -> [(key: Value, value: Value)] {
    var found: [(sequence: Int, key: Value, value: Value)] = []
    found.reserveCapacity(count)
    var nodes = [root.cell]
    while let n = nodes.popLast() {
      let (data, kids) = maps(n)
      let d = data.nonzeroBitCount
      for i in 0..<d { found.append((Value(bits: n[4 + 3 * i]).fixValue, Value(bits: n[2 + 3 * i]), Value(bits: n[3 + 3 * i]))) }
      for j in 0..<kids.nonzeroBitCount { nodes.append(Value(bits: n[2 + 3 * d + j]).cell) }
    }
    found.sort { $0.sequence < $1.sequence }
    return found.map { ($0.key, $0.value) }
  }
}
