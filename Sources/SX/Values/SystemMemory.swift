#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Where the heap gets memory for cells and for what they own, and what happens when the system has none left.
///
/// Neither an allocation in the middle of a primitive nor one of Swift's own can fail, so a shortage is looked for before it is met: whenever some
/// more memory has been taken, the heap asks for `margin` bytes and gives them back (see `Heap.look`). When the system refuses those, the machine
/// collects at its next safepoint, and ends the evaluation there when that has not helped; what runs until then lives on the margin. A
/// primitive that wants much at once asks before (`Machine.reserve`). Behind that there is something put aside for the heap's own requests.
struct SystemMemory {
  /// What the system must have left at every look: for what is taken until the next one, counted or not, and for telling the user.
  static let margin = 16 << 20
  private static let reserveBytes = 8 << 20
  /// Never touched, so it costs address space only.
  private var reserve = malloc(SystemMemory.reserveBytes)
  /// Since the last collection the system has refused something.
  private(set) var wasRefused = false
  /// For tests: this many requests succeed, the next one is refused, and so is everything up to the collection that follows.
  private var allowance = Int.max
  private var isSimulated = false

  init() {}
  func deallocate() { free(reserve) }

  // MARK: Requests

  /// At least `bytes` bytes, aligned for any value. Give them back by `deallocate()`.
  mutating func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
    if isAllowed(), let memory = malloc(bytes) {
      SystemMemory.preferLargePages(memory, bytes)
      return memory
    }
    return afterRefusal(bytes)
  }

  /// Makes a block bigger or smaller, moving it when it has to.
  mutating func reallocate(_ block: UnsafeMutableRawPointer, from old: Int, to bytes: Int) -> UnsafeMutableRawPointer {
    if isAllowed(), let memory = realloc(block, bytes) {
      SystemMemory.preferLargePages(memory, bytes)
      return memory
    }
    let memory = afterRefusal(bytes)
    memory.copyMemory(from: block, byteCount: min(old, bytes))
    free(block)
    return memory
  }

  /// From what was put aside. Nothing bigger than that gets here without having asked before.
  @inline(never) private mutating func afterRefusal(_ bytes: Int) -> UnsafeMutableRawPointer {
    wasRefused = true
    free(reserve)
    reserve = nil
    guard let memory = malloc(bytes) else { fatalError("out of memory: \(bytes) bytes were taken that nobody had asked for") }
    return memory
  }

  /// Counts a request. False: a test wants it to be refused.
  mutating func isAllowed() -> Bool {
    allowance &-= 1
    if allowance >= 0 { return true }
    (wasRefused, isSimulated) = (true, true)
    return false
  }

  /// For tests, see `allowance`. `Int.max`: refuses nothing any more.
  mutating func refuse(after requests: Int) {
    (allowance, wasRefused, isSimulated) = (requests, false, false)
  }

  // MARK: Looks

  /// Whether so much could be had now, and the margin beside it.
  mutating func has(_ bytes: Int) -> Bool {
    isAllowed() && SystemMemory.has(bytes, beside: SystemMemory.margin)
  }

  /// About how much the system has beside the margin, to the next lower of a few sizes; 0 when not even that is left, which counts as a refusal.
  mutating func look() -> Int {
    if isAllowed() {
      for bytes in [1 << 30, SystemMemory.plenty] where SystemMemory.maps(bytes) { return bytes }
      if SystemMemory.has(0, beside: SystemMemory.margin) { return SystemMemory.margin }
    }
    wasRefused = true
    return 0
  }

  /// Whether memory is so short that work in progress cannot wait for a collection.
  var isUsedUp: Bool { wasRefused && (isSimulated || !SystemMemory.has(0, beside: SystemMemory.margin / 2)) }

  /// After a collection: puts something aside again. Answers whether memory is still short. More than one margin has to be there now, or
  /// there would be a collection at every other step.
  mutating func recover() -> Bool {
    guard wasRefused else { return false }
    if reserve == nil { reserve = malloc(SystemMemory.reserveBytes) }
    let isShort = isSimulated || reserve == nil || !SystemMemory.has(0, beside: 2 * SystemMemory.margin)
    (wasRefused, isSimulated) = (false, false)
    if isShort { allowance = .max }
    return isShort
  }

  private static func has(_ bytes: Int, beside margin: Int) -> Bool {
    guard bytes <= 1 << 46 else { return false }
    if maps(bytes + plenty) { return true }
    // The allocator may have on its lists what the system would not give, and it may be unable to use what the system would give.
    let block = taken(bytes)
    defer { free(block) }
    return block != nil && has(margin - smallMargin, pieces: 1 << 16) && has(smallMargin, pieces: 1 << 6)
  }
  /// A function of its own, because the optimiser takes away an allocation that it sees freed, and takes it for one that has succeeded.
  @inline(never) private static func taken(_ bytes: Int) -> UnsafeMutableRawPointer? { malloc(bytes) }
  /// With as much as that the margin needs no closer look. The allocator of glibc extends what a thread has in steps of 64 MB, for whose place it
  /// needs twice as much; where it cannot, every object gets a page of its own.
  private static let plenty = 1 << 28
  /// The part of the margin that is looked for in the size of small objects.
  private static let smallMargin = 4 << 20

  /// Whether the system would map so much. Nothing is touched, so it costs two calls of the system and no memory.
  private static func maps(_ bytes: Int) -> Bool {
    let address = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
    guard let address, address != UnsafeMutableRawPointer(bitPattern: -1) else { return false }
    munmap(address, bytes)
    return true
  }

  /// Whether the allocator has so much in pieces of a size.
  private static func has(_ bytes: Int, pieces size: Int) -> Bool {
    var last: UnsafeMutableRawPointer?, missing = bytes
    while missing > 0, let piece = malloc(size) {
      piece.storeBytes(of: last, as: UnsafeMutableRawPointer?.self)
      last = piece
      missing -= size
    }
    while let piece = last {
      last = piece.load(as: UnsafeMutableRawPointer?.self)
      free(piece)
    }
    return missing <= 0
  }

  /// Memory that was asked for before (`Heap.look`, `Machine.reserve`). Give it back by `deallocate()`.
  static func allocate<T>(_ count: Int, of type: T.Type) -> UnsafeMutablePointer<T> {
    let memory = UnsafeMutablePointer<T>.allocate(capacity: count)
    preferLargePages(memory, count * MemoryLayout<T>.stride)
    return memory
  }

  /// Memory where a refusal can be answered by an error.
  static func tryAllocate<T>(_ count: Int, of type: T.Type) -> UnsafeMutablePointer<T>? {
    let bytes = count * MemoryLayout<T>.stride
    guard let memory = malloc(bytes) else { return nil }
    preferLargePages(memory, bytes)
    return memory.bindMemory(to: T.self, capacity: count)
  }
  /// When it is refused, the block stays as it was.
  static func tryReallocate<T: BitwiseCopyable>(_ block: UnsafeMutablePointer<T>, _ count: Int) -> UnsafeMutablePointer<T>? {
    let bytes = count * MemoryLayout<T>.stride
    guard let memory = realloc(block, bytes) else { return nil }
    preferLargePages(memory, bytes)
    return memory.bindMemory(to: T.self, capacity: count)
  }

  // MARK: Large pages

  /// The least in which a large page may lie.
  private static let largePage = 2 << 20
  private static let smallPage = 4 << 10

  /// Asks for large pages where a block is long enough to hold one. The first touch of a small one costs about as much as filling it several times.
  @inline(__always) static func preferLargePages(_ block: UnsafeMutableRawPointer, _ bytes: Int) {
    if bytes >= largePage { adviseLargePages(block, bytes) }
  }
  @inline(never) private static func adviseLargePages(_ block: UnsafeMutableRawPointer, _ bytes: Int) {
    #if os(Linux)
    // From the beginning of its first page to the end of its last: the system moves pages that all have the same wishes, and no others.
    let inPage = Int(UInt(bitPattern: block) % UInt(smallPage))
    // A wish: where the system does not know it, or has other pages, everything is as before.
    madvise(block - inPage, (inPage + bytes + smallPage - 1) / smallPage * smallPage, MADV_HUGEPAGE)
    #endif
  }
}
