/// Random bytes of the operating system, drawn many at a time, because every call for them is a system call.
struct RandomPool {
  private var bytes: [UInt8] = []
  private var left = 0
  private static let size = 4096

  mutating func fill(_ out: UnsafeMutableRawBufferPointer, _ host: any Host) {
    guard out.count <= RandomPool.size / 4 else { return host.randomBytes(out) }
    if left < out.count {
      if bytes.isEmpty { bytes = Array(repeating: 0, count: RandomPool.size) }
      bytes.withUnsafeMutableBytes { host.randomBytes($0) }
      left = RandomPool.size
    }
    left -= out.count
    for i in 0..<out.count {
      out[i] = bytes[left + i]
      bytes[left + i] = 0
    }
  }
}

extension Machine {
  func randomWord() -> UInt64 {
    var word: UInt64 = 0
    withUnsafeMutableBytes(of: &word) { random.fill($0, host) }
    return word
  }
}

extension NativeTable {
  mutating func installSystem() {
    add("now-ns", needs: .clock, doc: "Nanoseconds since 1970. Never steps backwards.") { m, _ in
      m.lastNow = max(m.lastNow, Int(m.host.nanoseconds()))
      return m.heap.int(m.lastNow)
    }
    add("clock-milliseconds", needs: .clock, doc: "Milliseconds since 1970.") { m, _ in
      m.lastNow = max(m.lastNow, Int(m.host.nanoseconds()))
      return m.heap.int(m.lastNow / 1_000_000)
    }
    add("random-int", required("a", .integer), optional("b", .integer), needs: .random, doc: "A random integer from `a` to `b`, both included; with one argument from 0 up to it, not included.") { m, args in
      let low = args.count > 1 ? args.integer(0) : 0, high = args.count > 1 ? args.integer(1) : args.integer(0) - 1
      guard low <= high else { throw m.error("random-int: the range is empty") }
      let width = UInt64(bitPattern: Int64(high &- low))
      if width == .max { return m.heap.int(Int(truncatingIfNeeded: m.randomWord())) }
      // Without bias: the high half of a product, drawn again where it would favour small results.
      var product = m.randomWord().multipliedFullWidth(by: width + 1)
      let threshold = (0 &- (width + 1)) % (width + 1)
      while product.low < threshold { product = m.randomWord().multipliedFullWidth(by: width + 1) }
      return m.heap.int(low &+ Int(truncatingIfNeeded: product.high))
    }
    add("random-hex", required("bytes", .integer), needs: .random, doc: "So many random bytes from the operating system, as lower-case hex.") { m, args in
      let n = args.integer(0)
      guard n >= 0, n <= 1 << 20 else { throw m.error("random-hex: expected 0 to \(1 << 20) bytes, got \(n)") }
      let text = m.heap.string(uninitialized: 2 * n, scalars: 2 * n)
      let out = text.bytes
      let digits: StaticString = "0123456789abcdef"
      withUnsafeTemporaryAllocation(byteCount: max(n, 1), alignment: 1) { raw in
        m.random.fill(UnsafeMutableRawBufferPointer(rebasing: raw[0..<n]), m.host)
        for i in 0..<n {
          out[2 * i] = digits.utf8Start[Int(raw[i] >> 4)]
          out[2 * i + 1] = digits.utf8Start[Int(raw[i] & 15)]
        }
      }
      return text
    }
    add("hex-digits?", required("text"), required("count", .integer), doc: "Is it a string of exactly so many lower-case hex digits?", example: "(hex-digits? \"0af7\" 4) → true") { _, args in
      guard args[0].isString, args[0].byteCount == args.integer(1) else { return .false }
      return .bool(args[0].utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x61 && $0 <= 0x66 })
    }
    add("env", required("name", .string), needs: .environment, doc: "A variable of the environment, or nil.") { m, args in !m.capabilities.environment ? .nil : m.host.environment(args[0].text).map { m.heap.string($0) } ?? .nil }
    add("command-line", needs: .environment, doc: "The arguments of the program, as a list.") { m, _ in m.heap.list((m.capabilities.environment ? m.host.arguments : []).map { m.heap.string($0) }) }
    add("host-name", needs: .environment, doc: "The name of this machine.") { m, _ in m.heap.string(m.capabilities.environment ? m.host.hostName : "") }
    add("process-id", needs: .environment, doc: "The number of this process.") { m, _ in .fix(m.capabilities.environment ? m.host.processIdentifier : 0) }
    addControl("exit", optional("status", .integer), needs: .exit, doc: "Ends the program, after what every `dynamic-wind` around the call does on the way out. The status is 0 when left out; what a system cannot tell, beyond 0 to 255, is 255.") { m, slot, n in
      let wanted = Arguments(base: slot + 1, count: n).integer(0, default: 0), status = 0...255 ~= wanted ? wanted : 255
      if !m.state.pointee.winders.isNil {
        slot[1] = .fix(status)
        return try m.enter(try m.boundGlobal(m.globalIndex(m.symbol("control/-leave-program"))), slot, 1)
      }
      m.host.exit(Int32(status))
      // A host that cannot end the process stops the script.
      if let interruption = m.cancellation.take() { throw interruption }
      slot[0] = .nil
    }
    add("collect-garbage", doc: "Collects at the next safepoint.") { m, _ in
      m.heap.requestCollection()
      return .nil
    }
    add("heap-bytes", doc: "Bytes that the heap occupies.") { m, _ in .fix(m.heap.bytesInUse) }
  }
}
