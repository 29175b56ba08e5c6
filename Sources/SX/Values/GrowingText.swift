/// Strings that a loop makes longer and longer at their end, as `(set! s (str s …))` does: from the third time on they share memory with room behind
/// the longest of them, so that n steps copy O(n) bytes instead of O(n²).
///
/// Such a string has header bit `sharedTextBit`, owns nothing, and names the object that has its bytes in word 3. A shorter string is a beginning of a longer one;
/// only the one that ends where the used bytes end can be continued in place. Memory is twice what was needed when it was taken, so a string keeps at most twice its
/// size alive.
final class TextMemory: HeapObject {
  let bytes: UnsafeMutablePointer<UInt8>
  let capacity: Int
  fileprivate(set) var used: Int

  /// nil when the system has no memory.
  fileprivate init?(_ text: Value, capacity: Int, used: Int) {
    guard let bytes = SystemMemory.tryAllocate(capacity, of: UInt8.self) else { return nil }
    bytes.update(from: text.bytes, count: text.byteCount)
    self.bytes = bytes
    self.capacity = capacity
    self.used = used
  }
  deinit { bytes.deallocate() }

  override var externalBytes: Int { capacity + 64 }
}

extension UInt64 {
  /// Header bit of a string: its bytes belong to the `TextMemory` in word 3.
  @inline(__always) static var sharedTextBit: UInt64 { 0x2_0000 }
  /// Header bit of a string that was made by continuing a long one.
  @inline(__always) static var continuedTextBit: UInt64 { 0x4_0000 }
}

extension Heap {
  /// Shorter strings are copied as fast.
  static let shortestContinuedText = 256

  /// A string of `count` bytes that begins with `text`, which is long and makes most of it; the caller fills the rest. nil: there is no reason, or no
  /// memory, to share bytes.
  func continued(_ text: Value, _ count: Int, scalars: Int) -> Value? {
    if text.header & .sharedTextBit != 0, let memory = text.word(3).object as? TextMemory {
      if memory.used == text.byteCount, count <= memory.capacity {
        memory.used = count
        return shared(memory, text.word(3), count, scalars)
      }
    } else if text.header & .continuedTextBit == 0 {
      return nil
    }
    guard let memory = TextMemory(text, capacity: count * 2, used: count) else { return nil }
    return shared(memory, allocate(object: memory), count, scalars)
  }

  private func shared(_ memory: TextMemory, _ owner: Value, _ count: Int, _ scalars: Int) -> Value {
    let cell = allocate(words: 4, header: Kind.string.header(length: scalars) | .variantHeaderBit | .sharedTextBit)
    cell[1] = UInt64(count)
    cell[2] = UInt64(UInt(bitPattern: memory.bytes))
    cell[3] = owner.bits
    return Value(cell)
  }
}
