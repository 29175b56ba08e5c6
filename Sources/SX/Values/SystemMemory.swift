#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Where the heap gets memory for cells and for what they own, and what happens when the system has none left.
///
/// Allocation cannot fail in the middle of a primitive, so something is put aside. When the system refuses, that is given back to it, the
/// primitive gets its memory after all, and `wasRefused` makes the machine end the evaluation at its next safepoint.
struct SystemMemory {
  private static let reserveBytes = 8 << 20
  /// Never touched, so it costs address space only.
  private var reserve = malloc(SystemMemory.reserveBytes)
  private(set) var wasRefused = false
  /// For tests: this many allocations succeed, the next one is refused.
  var allowance = Int.max

  init() {}
  func deallocate() { free(reserve) }

  /// At least `bytes` bytes, aligned for any value. Give them back by `deallocate()`.
  mutating func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
    allowance &-= 1
    if allowance >= 0, let memory = malloc(bytes) { return memory }
    return afterRefusal(bytes)
  }

  /// Makes a block bigger or smaller, moving it when it has to.
  mutating func reallocate(_ block: UnsafeMutableRawPointer, from old: Int, to bytes: Int) -> UnsafeMutableRawPointer {
    allowance &-= 1
    if allowance >= 0, let memory = realloc(block, bytes) { return memory }
    let memory = afterRefusal(bytes)
    memory.copyMemory(from: block, byteCount: min(old, bytes))
    free(block)
    return memory
  }

  @inline(never) private mutating func afterRefusal(_ bytes: Int) -> UnsafeMutableRawPointer {
    wasRefused = true
    allowance = .max
    free(reserve)
    reserve = nil
    guard let memory = malloc(bytes) else { fatalError("out of memory: the system refuses \(bytes) bytes") }
    return memory
  }

  /// Puts something aside again, after garbage was given up. Answers whether the system had refused since the last time.
  mutating func recover() -> Bool {
    if reserve == nil { reserve = malloc(SystemMemory.reserveBytes) }
    defer { wasRefused = false }
    return wasRefused
  }

  /// Whether the system would give so much now.
  static func has(_ bytes: Int) -> Bool {
    let memory = malloc(bytes)
    free(memory)
    return memory != nil
  }

  /// The same where a refusal can be answered by an error.
  static func tryAllocate<T>(_ count: Int, of type: T.Type) -> UnsafeMutablePointer<T>? {
    malloc(count * MemoryLayout<T>.stride)?.bindMemory(to: T.self, capacity: count)
  }
  /// When it is refused, the block stays as it was.
  static func tryReallocate<T: BitwiseCopyable>(_ block: UnsafeMutablePointer<T>, _ count: Int) -> UnsafeMutablePointer<T>? {
    realloc(block, count * MemoryLayout<T>.stride)?.bindMemory(to: T.self, capacity: count)
  }
}
