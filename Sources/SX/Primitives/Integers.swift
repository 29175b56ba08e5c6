extension NativeTable {
  mutating func installIntegers() {
    func division(_ name: String, _ kind: Arithmetic.Division, _ doc: String, _ example: String) {
      add(name, required("a", .number), required("b", .number), doc: doc, example: example) { machine, args in
        guard let result = Arithmetic.divide(kind, args[0], args[1], machine.heap) else { throw machine.error("\(name): division by zero") }
        return result
      }
    }
    add("mod", required("a"), required("b"), doc: "The remainder with the sign of the divisor.", example: "(mod -7 3) → 2") { machine, args in try machine.modulo(args[0], args[1]) }
    alias("modulo")
    alias("floor-remainder")
    division("remainder", .remainder, "The remainder with the sign of the dividend.", "(remainder -7 3) → -1")
    alias("truncate-remainder")
    division("quotient", .quotient, "The quotient without its fraction.", "(quotient -7 2) → -3")
    alias("truncate-quotient")
    add("floor-quotient", required("a", .number), required("b", .number), doc: "The quotient rounded down.", example: "(floor-quotient -7 2) → -4") { machine, args in
      guard let q = Arithmetic.divide(.quotient, args[0], args[1], machine.heap), let r = Arithmetic.divide(.remainder, args[0], args[1], machine.heap) else {
        throw machine.error("floor-quotient: division by zero")
      }
      let remainder = Arithmetic.number(r) ?? 0
      return remainder != 0 && (remainder < 0) != (args.number(1) < 0) ? try machine.arithmetic(.subtract, q, .fix(1)) : q
    }
    func integers(_ name: String, _ unit: Int, _ combine: @escaping @Sendable (Int, Int) -> (Int, Bool)) -> Native.Body {
      { machine, args in
        var result = unit
        for i in 0..<args.count {
          let (next, overflow) = combine(result, args.integer(i))
          if overflow { throw machine.error("\(name): the result does not fit 64 bits") }
          result = next
        }
        return machine.heap.int(result)
      }
    }
    @Sendable func gcd(_ a: Int, _ b: Int) -> (Int, Bool) {
      var (x, y) = (a.magnitude, b.magnitude)
      while y != 0 { (x, y) = (y, x % y) }
      return (Int(truncatingIfNeeded: x), x > UInt(Int.max))
    }
    add("gcd", rest("integers", .integer), doc: "The greatest common divisor.", example: "(gcd 12 18) → 6", body: integers("gcd", 0, gcd))
    add("lcm", rest("integers", .integer), doc: "The least common multiple.", example: "(lcm 4 6) → 12", body: integers("lcm", 1) { a, b in
      if a == 0 || b == 0 { return (0, false) }
      let (product, overflow) = (a / gcd(a, b).0).multipliedReportingOverflow(by: b)
      return (product == .min ? 0 : abs(product), overflow || product == .min)
    })
    func parity(_ name: String, _ what: String, _ odd: Bool) {
      add(name, required("n", .number), doc: "Is the integer \(what)?", example: "(\(name) 2) → \(!odd)") { machine, args in
        if let i = Arithmetic.integer(args[0]) { return .bool((i & 1 == 1) == odd) }
        guard let d = Arithmetic.float(args[0]), d.isFinite, d == d.rounded() else { throw machine.wrongType(name, 1, "integer", args[0]) }
        return .bool((d.truncatingRemainder(dividingBy: 2) != 0) == odd)
      }
    }
    parity("even?", "even", false)
    parity("odd?", "odd", true)
    add("exact-integer-sqrt", required("n", .integer), doc: "Two values: the greatest integer whose square does not exceed `n`, and what is left.", example: "(values->list (exact-integer-sqrt 17)) → (4 1)") { machine, args in
      let n = args.integer(0)
      guard n >= 0 else { throw machine.error("exact-integer-sqrt: argument 1: expected an integer from 0, got \(n)") }
      let root = Powers.root(n)
      return machine.multipleValues([machine.heap.int(root), machine.heap.int(n - root * root)])
    }
    installBits()
  }

  /// Integers as 64 bits, the highest of which stands for all above it.
  private mutating func installBits() {
    func bits(_ name: String, _ other: String, _ example: String, _ unit: Int, _ combine: @escaping @Sendable (Int, Int) -> Int) {
      add(name, rest("integers", .integer), doc: "The integers combined bit by bit.", example: example) { machine, args in
        machine.heap.int((0..<args.count).reduce(unit) { combine($0, args.integer($1)) })
      }
      alias(other)
    }
    bits("bitwise-and", "bit-and", "(bitwise-and 6 3) → 2", -1, &)
    bits("bitwise-or", "bit-or", "(bitwise-or 6 3) → 7", 0, |)
    bits("bitwise-xor", "bit-xor", "(bitwise-xor 6 3) → 5", 0, ^)
    add("bitwise-not", required("n", .integer), doc: "Every bit turned over.", example: "(bitwise-not 0) → -1") { machine, args in machine.heap.int(~args.integer(0)) }
    alias("bit-not")
    add("arithmetic-shift", required("n", .integer), required("by", .integer), doc: "`n` times 2 to the power of `by`; a negative `by` shifts right and rounds down. What does not fit 64 bits becomes a float.", example: "(arithmetic-shift 1 4) → 16") { machine, args in
      let n = args.integer(0), by = args.integer(1)
      if by <= 0 { return machine.heap.int(n >> -max(by, -64)) }
      let shifted = by < 64 ? n << by : 0
      if n == 0 || by < 64 && shifted >> by == n { return machine.heap.int(shifted) }
      return machine.heap.double(Double(sign: .plus, exponent: min(by, 4096), significand: Double(n)))
    }
    alias("bit-shift")
    add("bit-count", required("n", .integer), doc: "How many bits are 1; in a negative number, how many are 0.", example: "(bit-count 7) → 3") { _, args in
      let n = args.integer(0)
      return .fix((n < 0 ? ~n : n).nonzeroBitCount)
    }
    add("integer-length", required("n", .integer), doc: "How many bits the number takes, its sign aside.", example: "(integer-length 8) → 4") { _, args in
      let n = args.integer(0)
      return .fix(64 - (n < 0 ? ~n : n).leadingZeroBitCount)
    }
    alias("bit-length")
    add("bit-set?", required("index", .integer), required("n", .integer), doc: "Is the bit at an index, counted from the lowest, 1?", example: "(bit-set? 1 2) → true") { machine, args in
      let index = args.integer(0)
      guard index >= 0 else { throw machine.error("bit-set?: argument 1: expected an index from 0, got \(index)") }
      return .bool(args.integer(1) >> min(index, 63) & 1 == 1)
    }
  }
}
