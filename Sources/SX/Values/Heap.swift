/// A slab: cells of one size.
///
/// Invariants: `start` is the first of `count` cells of `words` words; cells at and above `fresh` have never been
/// handed out and hold garbage. Lives in raw memory, so touching it costs no exclusivity check.
struct Block: BitwiseCopyable {
  var start: Cell
  var words: Int
  var count: Int
  var fresh: Int
  var next: UnsafeMutablePointer<Block>?
}
typealias BlockRef = UnsafeMutablePointer<Block>

/// The counter that the machine decrements at every safepoint. When it falls below zero the slow path looks at
/// everything that may have happened: a wanted collection, a used-up time slice, a limit, a cancellation.
typealias SafepointCounter = UnsafeMutablePointer<Int>

/// Allocates cells from slabs of one size class each, and knows when a collection is due.
///
/// Allocation never collects: it asks for a collection by zeroing the safepoint counter, and the machine collects at
/// its next safepoint, where every live value is in a root. Code between two safepoints needs no rooting.
final class Heap {
  static let blockWords = 8192
  /// Cells have 2…8 words, or a multiple of four up to 100.
  static let largestClass = 100
  private static let stressPeriod = 40 << 20
  /// Cells threaded into the free list at a time, so that a fresh slab is not touched all at once.
  private static let batch = 64

  let free = UnsafeMutablePointer<Cell?>.allocate(capacity: Heap.largestClass + 1)
  private let blocks = UnsafeMutablePointer<BlockRef?>.allocate(capacity: Heap.largestClass + 1)
  /// Blocks of the class that are not swept yet since the last collection.
  private let pending = UnsafeMutablePointer<BlockRef?>.allocate(capacity: Heap.largestClass + 1)
  let safepoint: SafepointCounter
  private(set) var memory = SystemMemory()
  var scalarCursor = ScalarCursor()
  /// Seeds the hash of strings, so that nobody can aim at the buckets from outside.
  let hashSeed: UInt64

  private(set) var blockCount = 0
  /// Words handed to free lists since the last collection, and how many may be before the next: as much as was alive then.
  private var suppliedWords = 0
  private var supplyLimit = 64 * Heap.blockWords
  /// Words handed out, and bytes outside the slabs given back, in all collections so far.
  private var suppliedEarlier = 0, externalReleased = 0
  private(set) var externalBytes = 0
  /// Memory outside the slabs grows to this, or by half of what is alive and 8 MB at least, before it is a reason to collect.
  private static let externalFloor = 24 << 20
  /// So much of it is given back as soon as it is known to be dead, when it is a quarter of the slabs at least.
  private static let worthReleasing = 2 << 20
  private var externalThreshold = Heap.externalFloor
  /// What `externalBytes` must pass before anybody looks at more than that.
  private var externalMark = Heap.firstLook
  /// When so many bytes are in use, the system is asked what it has left.
  private var nextLook = Heap.firstLook
  private var lookInterval = Heap.firstLook
  private static let firstLook = 2 << 20
  /// Why the evaluation has to end at the next safepoint, whatever a collection brings: something could not be done.
  private(set) var verdict: Interruption?
  private(set) var collections = 0
  private(set) var wantsCollection = false
  private var foregoneSafepoints = 0
  /// Collect at every safepoint: finds values that no root holds. After the work of `stressPeriod` words at every second one, after as many
  /// again at every fourth, and so on, so that a program that runs for long or keeps much alive comes to its end.
  var isStressed = false { didSet { if isStressed { requestCollection() } } }
  private var stressWords = 0
  /// Bytes after which `isExhausted` is set; the machine then raises at its next safepoint.
  var byteLimit = Int.max { didSet { setMark() } }
  var bytesInUse: Int { blockCount * Heap.blockWords * 8 + externalBytes }
  var isExhausted: Bool { bytesInUse > byteLimit }
  /// Bytes allocated in all, to the precision of the batches in which cells are handed out.
  var allocatedBytes: Int { (suppliedEarlier + suppliedWords) * 8 + externalReleased + externalBytes }

  /// Memory that slabs were cut from, and the last slab of the last piece that has been handed out.
  private var pieces: [UnsafeMutablePointer<UInt64>] = []
  private var nextSlab = UnsafeMutablePointer<UInt64>(bitPattern: 8).unsafelyUnwrapped
  private var unusedSlabs = 0
  /// 8 MB. As much as a heap has before it takes so much at once.
  private static let slabsOfPiece = 128

  /// Part of `externalBytes`.
  private var permanentBytes = 0
  private var internedBytes = 0
  private let symbols: InternTable, keywords: InternTable, constants: InternTable
  /// Cells outside the slabs that are never collected.
  private var permanents: [Cell] = []
  /// 0.0, which has no inline form and is too frequent to be made anew.
  private let zero: Value

  init(safepoint: SafepointCounter, hashSeed: UInt64) {
    symbols = InternTable(.symbol, seed: hashSeed)
    keywords = InternTable(.keyword, seed: hashSeed)
    constants = InternTable(.string, seed: hashSeed)
    self.safepoint = safepoint
    self.hashSeed = hashSeed
    let zeroCell = Cell.allocate(capacity: 2)
    zeroCell[0] = Kind.double.header | 1
    zeroCell[1] = 0
    permanents.append(zeroCell)
    zero = Value(zeroCell)
    free.initialize(repeating: nil, count: Heap.largestClass + 1)
    blocks.initialize(repeating: nil, count: Heap.largestClass + 1)
    pending.initialize(repeating: nil, count: Heap.largestClass + 1)
  }

  deinit {
    for words in 0...Heap.largestClass {
      var block = blocks[words]
      while let b = block {
        for i in 0..<b.pointee.fresh {
          let cell = b.pointee.start + i * words
          if cell[0] & .ownsHeaderBit != 0 { Heap.finalize(cell) }
        }
        block = b.pointee.next
        b.deallocate()
      }
    }
    for piece in pieces { piece.deallocate() }
    for cell in permanents { cell.deallocate() }
    memory.deallocate()
    free.deallocate()
    blocks.deallocate()
    pending.deallocate()
  }

  // MARK: Allocation

  /// A cell of `words` words (2…8); the payload is garbage and must be filled before the next safepoint.
  @inline(__always) func allocate(words: Int, header: UInt64) -> Cell {
    let cell = free[words] ?? refill(words)
    free[words] = Cell(bitPattern: UInt(cell[1]))
    cell[0] = header
    return cell
  }

  /// The same for any size up to `largestClass`.
  func allocateLarge(words: Int, header: UInt64) -> Cell {
    precondition(words <= Heap.largestClass, "cell too large")
    return allocate(words: words > 8 ? (words + 3) & ~3 : words, header: header)
  }

  /// A cell that owns a Swift object.
  func allocate(object: HeapObject) -> Value {
    let cell = allocate(words: 2, header: Kind.object.header | .ownsHeaderBit)
    cell[1] = UInt64(UInt(bitPattern: Unmanaged.passRetained(object).toOpaque()))
    noteExternal(object.externalBytes)
    return Value(cell)
  }

  /// Memory for a slab, or for what a cell owns. When the system has none, it comes from what was put aside, and the next safepoint learns of it.
  func systemMemory<T>(_ count: Int, of type: T.Type) -> UnsafeMutablePointer<T> {
    let raw = memory.allocate(count * MemoryLayout<T>.stride)
    if memory.wasRefused { requestCollection() }
    return raw.bindMemory(to: T.self, capacity: count)
  }
  func resized<T: BitwiseCopyable>(_ block: UnsafeMutablePointer<T>, from old: Int, to count: Int) -> UnsafeMutablePointer<T> {
    let stride = MemoryLayout<T>.stride
    let raw = memory.reallocate(block, from: old * stride, to: count * stride)
    if memory.wasRefused { requestCollection() }
    noteExternal((count - old) * stride)
    return raw.bindMemory(to: T.self, capacity: count)
  }
  /// Right after a collection of an exhausted heap: is what lives too much? Blocks stay with their class of cells, and those that a run has left which
  /// was ended by the limit are empty; an eighth more is granted for the others. Walks the heap.
  func isFull() -> Bool {
    guard bytesInUse <= byteLimit + byteLimit / 8 else { return true }
    var live = externalBytes
    for words in 0...Heap.largestClass {
      var next = blocks[words]
      while let block = next {
        for i in 0..<block.pointee.fresh where block.pointee.start[i * words] & 1 != 0 { live += words * 8 }
        next = block.pointee.next
      }
    }
    return live > byteLimit
  }

  /// Counts memory that was taken outside the slabs.
  @inline(__always) func noteExternal(_ bytes: Int) {
    externalBytes &+= bytes
    if externalBytes > externalMark { passMark() }
  }
  @inline(never) private func passMark() {
    if externalBytes > externalThreshold || externalBytes > byteLimit { requestCollection() }
    if bytesInUse > nextLook { look() }
  }
  private func setMark() { externalMark = min(externalThreshold, byteLimit, nextLook - blockCount * Heap.blockWords * 8) }

  // MARK: Shortage

  /// Some more memory has been taken: is there enough left? The more there is, the later the next look.
  private func look() {
    let room = memory.look()
    planLook(max(Heap.firstLook, room / 8))
    if room == 0 { requestCollection() }
  }
  private func planLook(_ interval: Int) {
    lookInterval = interval
    nextLook = bytesInUse + interval
    setMark()
  }

  /// Whether the system would give so much at once. Nobody needs to ask it for what the last look has seen.
  func has(_ bytes: Int) -> Bool {
    if bytes < nextLook - bytesInUse, !countsCells { return true }
    return memory.has(bytes)
  }
  /// The same for one who cannot throw. True: the evaluation ends at the next safepoint.
  func lacks(_ bytes: Int) -> Bool {
    if has(bytes) { return false }
    giveUp(.memory)
    return true
  }
  /// Is there so little that work in progress has to end?
  var isOutOfMemory: Bool { memory.isUsedUp }

  /// Ends the evaluation at the next safepoint. What is computed until then is not what it should be.
  func giveUp(_ reason: Interruption) {
    if verdict == nil { verdict = reason }
    requestCollection()
  }

  /// The verdict, which whoever takes it carries out.
  func takeVerdict() -> Interruption? {
    defer { verdict = nil }
    return verdict
  }

  /// After a collection: is memory short all the same?
  func recoverFromRefusal() -> Bool {
    guard memory.wasRefused else { return false }
    releaseDead()
    return memory.recover()
  }

  /// What dead cells own is otherwise given back when their blocks are swept.
  private func releaseDead() {
    for words in 0...Heap.largestClass {
      var block = pending[words]
      while let b = block {
        for i in 0..<b.pointee.fresh {
          let cell = b.pointee.start + i * words
          guard cell[0] & (.ownsHeaderBit | 1) == .ownsHeaderBit else { continue }
          Heap.finalize(cell)
          cell[0] = 0
        }
        block = b.pointee.next
      }
    }
  }

  /// For tests: so many requests for memory succeed, the next one is refused. Every cell counts as one from now on, and none is used again.
  func refuseMemory(after requests: Int) {
    countsCells = true
    for words in 0...Heap.largestClass { free[words] = nil }
    memory.refuse(after: requests)
  }
  /// Counts a request that is made elsewhere. False: a test wants it to be refused.
  func allowsRequest() -> Bool { !countsCells || memory.isAllowed() }
  private(set) var countsCells = false

  func requestCollection() {
    wantsCollection = true
    foregoSafepoints()
  }
  /// The next safepoint is one at which the machine looks up.
  func foregoSafepoints() {
    foregoneSafepoints += safepoint.pointee
    safepoint.pointee = 0
  }
  /// After steps of work that could not end in the middle: the next safepoint at which the machine looks up comes the sooner. Sixteen take about as long as a call.
  @inline(__always) func countSteps(_ steps: Int) { safepoint.pointee &-= steps >> 4 }
  /// What the safepoint counter has skipped since the last time that somebody asked.
  func takeForegoneSafepoints() -> Int {
    defer { foregoneSafepoints = 0 }
    return foregoneSafepoints
  }

  /// The free list of the class is empty: sweep one more block, thread more of a fresh one, or add one.
  @inline(never) private func refill(_ words: Int) -> Cell {
    if countsCells { return refillOne(words) }
    while let block = pending[words] {
      pending[words] = block.pointee.next
      if let cell = Heap.sweep(block) {
        supply(Heap.blockWords / 2)                   // about half of a swept block was free
        return cell
      }
    }
    supply(Heap.batch * words)
    return Heap.thread(blockWithRoom(words), Heap.batch)
  }
  /// A cell of a block that has some which were never used, and no other.
  private func refillOne(_ words: Int) -> Cell {
    if !memory.isAllowed() { requestCollection() }
    supply(words)
    // A new cell in a block that is still to be swept would be taken for a dead one.
    while let block = pending[words] {
      pending[words] = block.pointee.next
      _ = Heap.sweep(block)
    }
    return Heap.thread(blockWithRoom(words), 1)
  }
  private func blockWithRoom(_ words: Int) -> BlockRef {
    if let block = blocks[words], block.pointee.fresh < block.pointee.count { return block }
    if bytesInUse > byteLimit { requestCollection() }
    if bytesInUse > nextLook { look() }
    let block = BlockRef.allocate(capacity: 1)
    block.initialize(to: Block(start: slab(), words: words, count: Heap.blockWords / words, fresh: 0, next: blocks[words]))
    blocks[words] = block
    blockCount += 1
    return block
  }

  /// Memory for one slab. A heap that has grown takes that of many in one piece, for which the system has large pages.
  private func slab() -> UnsafeMutablePointer<UInt64> {
    if unusedSlabs > 0 {
      unusedSlabs -= 1
      nextSlab += Heap.blockWords
      return nextSlab
    }
    if blockCount >= Heap.slabsOfPiece, let piece = SystemMemory.tryAllocate(Heap.slabsOfPiece * Heap.blockWords, of: UInt64.self) {
      pieces.append(piece)
      nextSlab = piece
      unusedSlabs = Heap.slabsOfPiece - 1
    } else {
      nextSlab = systemMemory(Heap.blockWords, of: UInt64.self)
      pieces.append(nextSlab)
    }
    return nextSlab
  }

  private func supply(_ words: Int) {
    suppliedWords += words
    if suppliedWords > supplyLimit { requestCollection() }
  }

  /// Hands out the next batch of cells that were never used.
  private static func thread(_ block: BlockRef, _ most: Int) -> Cell {
    let words = block.pointee.words, first = block.pointee.fresh
    let last = min(first + most, block.pointee.count)
    var head: Cell? = nil
    for i in stride(from: last - 1, through: first, by: -1) {
      let cell = block.pointee.start + i * words
      cell[0] = 0
      cell[1] = UInt64(UInt(bitPattern: head))
      head = cell
    }
    block.pointee.fresh = last
    return head.unsafelyUnwrapped
  }

  /// Threads the dead cells of a block into a free list, in address order, and clears the marks of the others.
  private static func sweep(_ block: BlockRef) -> Cell? {
    let words = block.pointee.words
    var head: Cell? = nil
    var cell = block.pointee.start + block.pointee.fresh * words
    for _ in 0..<block.pointee.fresh {
      cell -= words
      if cell[0] & 1 == 0 {
        if cell[0] & .ownsHeaderBit != 0 { finalize(cell) }
        cell[0] = 0
        cell[1] = UInt64(UInt(bitPattern: head))
        head = cell
      } else {
        cell[0] &= ~1
      }
    }
    return head
  }

  /// Releases what a dead cell owns outside its slab.
  @inline(never) private static func finalize(_ cell: Cell) {
    switch Kind(header: cell[0]) {
    case .string, .symbol, .keyword: UnsafeMutableRawPointer(bitPattern: UInt(cell[2]))?.deallocate()
    case .storage: UnsafeMutableRawPointer(bitPattern: UInt(cell[1]))?.deallocate()
    case .dict: HashTable.unmanaged(cell).release()
    case .code: Unmanaged<Code>.fromOpaque(UnsafeRawPointer(bitPattern: UInt(cell[1])).unsafelyUnwrapped).release()
    case .object: Unmanaged<HeapObject>.fromOpaque(UnsafeRawPointer(bitPattern: UInt(cell[1])).unsafelyUnwrapped).release()
    default: break
    }
  }

  // MARK: Collection

  /// Marks from the roots that `markRoots` names. Sweeping happens later, block by block, when cells are needed.
  func collect(_ markRoots: (inout Marker) -> Void) {
    collections += 1
    wantsCollection = false
    for words in 0...Heap.largestClass {            // no stale mark may survive
      while let block = pending[words] {
        pending[words] = block.pointee.next
        _ = Heap.sweep(block)
      }
      free[words] = nil
    }
    var marker = Marker()
    markRoots(&marker)
    marker.drain()
    while marker.takeOverflow() {
      forEachCell { if $0[0] & 1 != 0 { marker.follow($0) } }
    }
    for words in 0...Heap.largestClass { pending[words] = blocks[words] }
    let liveBytes = marker.externalBytes + permanentBytes
    // Cells that own much may be of a class that nobody asks for a cell soon.
    let deadBytes = externalBytes - liveBytes
    if deadBytes > Heap.worthReleasing, deadBytes > blockCount * Heap.blockWords * 2 { releaseDead() }
    externalReleased += deadBytes
    externalBytes = liveBytes
    externalThreshold = max(Heap.externalFloor, externalBytes + max(8 << 20, externalBytes / 2))
    planLook(lookInterval)
    // Counting what is handed out, and not blocks, keeps the heap at about twice what is alive, however many collections there are.
    suppliedEarlier += suppliedWords
    suppliedWords = 0
    let liveWords = marker.liveWords
    supplyLimit = max(64 * Heap.blockWords, liveWords)
    marker.deallocate()
    if isStressed {
      stressWords += 16_384 + liveWords + blockCount * Heap.blockWords / 4   // roots, marks, sweeps
      wantsCollection = true
      let period = 1 << min(40, stressWords / Heap.stressPeriod)              // from 1: the call is executed anew
      foregoneSafepoints += safepoint.pointee - period
      safepoint.pointee = period
    }
  }

  /// Visits every cell that was handed out. Cells of unswept blocks may be dead, but what they own still exists.
  func forEachCell(_ body: (Cell) -> Void) {
    for words in 0...Heap.largestClass {
      var block = blocks[words]
      while let b = block {
        for i in 0..<b.pointee.fresh where b.pointee.start[i * words] != 0 { body(b.pointee.start + i * words) }
        block = b.pointee.next
      }
    }
  }

  // MARK: Permanent cells

  func symbol(_ name: UnsafeBufferPointer<UInt8>) -> Value {
    defer { noteInterned() }
    return symbols.intern(name)
  }
  func symbol(_ name: String) -> Value {
    var name = name
    return name.withUTF8 { symbol($0) }
  }
  func keyword(_ name: UnsafeBufferPointer<UInt8>) -> Value {
    defer { noteInterned() }
    return keywords.intern(name)
  }
  func keyword(_ name: String) -> Value {
    var name = name
    return name.withUTF8 { keyword($0) }
  }
  /// The one string of the program's own text with these bytes, such as a literal key. Permanent, so not for texts from outside.
  func constantString(_ bytes: UnsafeBufferPointer<UInt8>) -> Value {
    defer { noteInterned() }
    return constants.intern(bytes)
  }
  func constantString(_ s: StaticString) -> Value { constantString(UnsafeBufferPointer(start: s.utf8Start, count: s.utf8CodeUnitCount)) }

  private func noteInterned() {
    let bytes = symbols.bytes + keywords.bytes + constants.bytes
    guard bytes > internedBytes else { return }
    notePermanent(bytes - internedBytes)
    internedBytes = bytes
  }
  /// Counts memory that is taken for as long as the heap lives.
  func notePermanent(_ bytes: Int) {
    permanentBytes += bytes
    noteExternal(bytes)
  }
  /// The string of the program's own text with these bytes where there is one, else a string like any other: for texts from outside that are mostly
  /// the keys of dicts.
  func ownString(_ bytes: UnsafeBufferPointer<UInt8>) -> Value { constants.find(bytes) ?? string(bytes) }

  /// A native as a value. The caller keeps the native alive.
  func permanent(_ native: Native) -> Value {
    let cell = Cell.allocate(capacity: 4)
    cell[0] = Kind.native.header | 1
    cell[1] = UInt64(UInt(bitPattern: Unmanaged.passUnretained(native).toOpaque()))
    if let access = native.fieldAccess {
      cell[0] |= access.headerBits
      cell[2] = Value.fix(access.type).bits
      cell[3] = UInt64(2 + access.field)
    }
    permanents.append(cell)
    return Value(cell)
  }

  // MARK: Small cells

  @inline(__always) func box(_ v: Value) -> Value {
    let cell = allocate(words: 2, header: Kind.box.header)
    cell[1] = v.bits
    return Value(cell)
  }
  @inline(__always) func int(_ i: Int) -> Value {
    if Value.fits(i) { return .fix(i) }
    let cell = allocate(words: 2, header: Kind.int.header)
    cell[1] = UInt64(bitPattern: Int64(i))
    return Value(cell)
  }
  @inline(__always) func double(_ d: Double) -> Value {
    Value.inlineDouble(d) ?? boxedDouble(d)
  }
  @inline(never) private func boxedDouble(_ d: Double) -> Value {
    if d.bitPattern == 0 { return zero }
    let cell = allocate(words: 2, header: Kind.double.header)
    cell[1] = d.bitPattern
    return Value(cell)
  }
}
