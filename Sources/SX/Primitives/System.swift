extension Machine {
  /// Nanoseconds since 1970, never less than the last time.
  func now() -> Int {
    lastNow.pointee = max(lastNow.pointee, Int(host.nanoseconds()))
    return lastNow.pointee
  }
}

extension NativeTable {
  mutating func installSystem() {
    add("now-ns", needs: .clock, doc: "Nanoseconds since 1970. Never steps backwards.") { m, _ in
      m.heap.int(m.now())
    }
    add("clock-milliseconds", needs: .clock, doc: "Milliseconds since 1970.") { m, _ in
      m.heap.int(m.now() / 1_000_000)
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
      m.random.fill(hex: text.bytes, count: n, m.host)
      return text
    }
    add("random-id", required("bytes", .integer), needs: .random, doc: "So many random bytes, not all of them zero, as lower-case hex: an identifier that no other is equal to. Not for secrets, for which there is `random-hex`: the operating system gives only the seed.", example: "(string-length (random-id 8)) → …") { m, args in
      let n = args.integer(0)
      guard n >= 1, n <= 1 << 10 else { throw m.error("random-id: expected 1 to \(1 << 10) bytes, got \(n)") }
      let text = m.heap.string(uninitialized: 2 * n, scalars: 2 * n)
      m.identifiers.fill(hex: text.bytes, count: n, m.host)
      return text
    }
    add("hex-digits?", required("text"), required("count", .integer), walks: true, doc: "Is it a string of exactly so many lower-case hex digits?", example: "(hex-digits? \"0af7\" 4) → true") { _, args in
      guard args[0].isString, args[0].byteCount == args.integer(1) else { return .false }
      return .bool(args[0].utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x61 && $0 <= 0x66 })
    }
    add("env", required("name", .string), needs: .environment, doc: "A variable of the environment, or nil.") { m, args in !m.capabilities.environment ? .nil : m.host.environment(args[0].text).map { m.heap.string($0) } ?? .nil }
    add("command-line", needs: .environment, doc: "The arguments of the program, as a list.") { m, _ in m.heap.list((m.capabilities.environment ? m.host.arguments : []).map { m.heap.string($0) }) }
    add("host-name", needs: .environment, doc: "The name of this machine.") { m, _ in m.heap.string(m.capabilities.environment ? m.host.hostName : "") }
    add("process-id", needs: .environment, doc: "The number of this process.") { m, _ in .fix(m.capabilities.environment ? m.host.processIdentifier : 0) }
    add("control/-expect-exit", required("status"), doc: "Is an error where `exit` with this status would be, so that nothing of what it does has happened then.") { m, args in
      try m.demand(.exit, "exit")
      guard m.grace == nil || m.budget.run !== m.grace else { throw m.error("exit: the fiber was interrupted, and is about to end") }
      guard args[0].isNil || Arithmetic.integer(args[0]) != nil else { throw m.wrongType("exit", 1, "integer", args[0]) }
      return .nil
    }
    add("control/-exit", optional("status", .integer), needs: .exit, doc: "Ends the program at once.") { m, args in
      try m.exit(args)
      return .nil
    }
    add("control/-end-program", required("status", .integer), doc: "Ends the program at once, as somebody outside has asked for.") { m, args in
      try m.exit(args)
      return .nil
    }
    add("collect-garbage", doc: "Collects at the next safepoint.") { m, _ in
      m.heap.requestCollection()
      return .nil
    }
    add("heap-bytes", doc: "Bytes that the heap occupies.") { m, _ in .fix(m.heap.bytesInUse) }
  }
}

extension Machine {
  fileprivate func exit(_ args: Arguments) throws {
    let status = args.integer(0, default: 0)
    host.exit(0...255 ~= status ? Int32(status) : 255)
    // A host that cannot end the process stops the script: this fiber, and the one that the host waits for.
    if let interruption = cancellation.take() {
      if let awaited = awaited.last { stopParked([awaited: interruption]) }
      throw interruption
    }
  }
}
