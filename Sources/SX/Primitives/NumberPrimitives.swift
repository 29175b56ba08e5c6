#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension NativeTable {
  mutating func installNumbers() {
    func folded(_ operation: Arithmetic.Operation, _ unit: Int) -> Native.Body {
      { machine, args in
        var sum = Value.fix(unit)
        for i in 0..<args.count { sum = try machine.arithmetic(operation, sum, args[i], i + 1) }
        return sum
      }
    }
    add("+", rest("numbers"), doc: "The sum. Integers stay integers until 64 bits overflow; any float makes the sum a float.", example: "(+ 1 2 3) → 6", body: folded(.add, 0))
    add("*", rest("numbers"), doc: "The product.", example: "(* 2 3 4) → 24", body: folded(.multiply, 1))
    add("-", required("number"), rest("numbers"), doc: "The first number less all others; with one argument its negation.", example: "(- 10 3 2) → 5") { machine, args in
      if args.count == 1 { return try machine.arithmetic(.subtract, .fix(0), args[0], 1) }
      var difference = args[0]
      for i in 1..<args.count { difference = try machine.arithmetic(.subtract, difference, args[i], i + 1) }
      return difference
    }
    add("/", required("number", .number), rest("numbers", .number), doc: "The quotient: exact where it divides evenly, else a float. Division by integer zero is an error.", example: "(/ 6 2) → 3") { machine, args in
      func divide(_ a: Value, _ b: Value) throws -> Value {
        if let x = Arithmetic.integer(a), let y = Arithmetic.integer(b) {
          if y == 0 { throw machine.error("/: division by zero") }
          let (quotient, remainder) = (x.dividedReportingOverflow(by: y), y == -1 ? 0 : x % y)
          return remainder == 0 && !quotient.overflow ? machine.heap.int(quotient.partialValue) : machine.heap.double(Double(x) / Double(y))
        }
        if Arithmetic.integer(b) == 0 { throw machine.error("/: division by zero") }
        return machine.heap.double((Arithmetic.number(a) ?? .nan) / (Arithmetic.number(b) ?? .nan))
      }
      if args.count == 1 { return try divide(.fix(1), args[0]) }
      var quotient = args[0]
      for i in 1..<args.count { quotient = try divide(quotient, args[i]) }
      return quotient
    }
    add("mod", required("a"), required("b"), doc: "The remainder with the sign of the divisor.", example: "(mod -7 3) → 2") { machine, args in try machine.modulo(args[0], args[1]) }
    add("remainder", required("a", .number), required("b", .number), doc: "The remainder with the sign of the dividend.", example: "(remainder -7 3) → -1") { machine, args in
      if let x = Arithmetic.integer(args[0]), let y = Arithmetic.integer(args[1]) {
        if y == 0 { throw machine.error("remainder: division by zero") }
        return machine.heap.int(y == -1 ? 0 : x % y)
      }
      return machine.heap.double(args.number(0).truncatingRemainder(dividingBy: args.number(1)))
    }
    add("quotient", required("a", .number), required("b", .number), doc: "The quotient without its fraction.", example: "(quotient -7 2) → -3") { machine, args in
      if let x = Arithmetic.integer(args[0]), let y = Arithmetic.integer(args[1]) {
        if y == 0 { throw machine.error("quotient: division by zero") }
        let (q, overflow) = x.dividedReportingOverflow(by: y)
        return overflow ? machine.heap.double(-Double(x)) : machine.heap.int(q)
      }
      return machine.heap.double((args.number(0) / args.number(1)).rounded(.towardZero))
    }
    add("inc", required("number"), doc: "One more.", example: "(inc 4) → 5") { machine, args in
      guard !machine.isStrict || Arithmetic.isNumber(args[0]) else { throw machine.notANumber("inc", args[0], .fix(0)) }
      return try machine.arithmetic(.add, args[0], .fix(1))
    }
    add("dec", required("number"), doc: "One less.", example: "(dec 4) → 3") { machine, args in
      guard !machine.isStrict || Arithmetic.isNumber(args[0]) else { throw machine.notANumber("dec", args[0], .fix(0)) }
      return try machine.arithmetic(.subtract, args[0], .fix(1))
    }
    add("abs", required("number", .number), doc: "The magnitude.", example: "(abs -3) → 3") { machine, args in
      if let i = Arithmetic.integer(args[0]) { return i == .min ? machine.heap.double(-Double(i)) : machine.heap.int(abs(i)) }
      return machine.heap.double(abs(args.number(0)))
    }

    func chain(_ accept: @escaping @Sendable (Machine, Value, Value) throws -> Bool) -> Native.Body {
      { machine, args in
        for i in 1..<max(1, args.count) where try !accept(machine, args[i - 1], args[i]) { return .false }
        return .true
      }
    }
    add("<", required("a"), rest("more"), doc: "Do the numbers (or strings) increase?", example: "(< 1 2 3) → true", body: chain { m, a, b in try m.less(a, b, 0) })
    add(">", required("a"), rest("more"), doc: "Do the numbers (or strings) decrease?", example: "(> 3 2 2) → false", body: chain { m, a, b in try m.less(b, a, 1) })
    add("<=", required("a"), rest("more"), doc: "Does none exceed the next?", example: "(<= 1 1 2) → true", body: chain { m, a, b in try m.lessOrEqual(a, b, 0) })
    add(">=", required("a"), rest("more"), doc: "Is none less than the next?", example: "(>= 2 2 1) → true", body: chain { m, a, b in try m.lessOrEqual(b, a, 1) })
    add("=", required("a"), rest("more"), doc: "Are all equal? Numbers by value across kinds, everything else deep.", example: "(= 1 1.0) → true", body: chain { m, a, b in Equality.deep(a, b, m.heap) })
    add("!=", required("a"), required("b"), doc: "Are they different? The opposite of `=`.", example: "(!= 1 2) → true") { m, args in .bool(!Equality.deep(args[0], args[1], m.heap)) }

    func extreme(_ name: String, _ wanted: Arithmetic.Order) -> Native.Body {
      { machine, args in
        var best = args[0], inexact = false
        for i in 0..<args.count {
          guard Arithmetic.isNumber(args[i]) else { throw machine.wrongType(name, i + 1, "number", args[i]) }
          if Arithmetic.float(args[i]) != nil { inexact = true }
          let order = Arithmetic.compare(args[i], best)
          if order == wanted || order == .unordered && args.number(i).isNaN { best = args[i] }
        }
        return inexact ? machine.heap.double(Arithmetic.number(best) ?? .nan) : best
      }
    }
    add("min", required("number"), rest("more"), doc: "The least; a float when any is.", example: "(min 3 1 2) → 1", body: extreme("min", .less))
    add("max", required("number"), rest("more"), doc: "The greatest; a float when any is.", example: "(max 3 1 2) → 3", body: extreme("max", .greater))
    add("clamp", required("x", .number), required("low", .number), required("high", .number), doc: "`x`, or the nearer bound where it lies outside.", example: "(clamp 12 0 10) → 10") { _, args in
      if Arithmetic.compare(args[0], args[1]) == .less { return args[1] }
      return Arithmetic.compare(args[0], args[2]) == .greater ? args[2] : args[0]
    }

    @Sendable func rounding(_ rule: FloatingPointRoundingRule) -> Native.Body {
      { machine, args in
        if Arithmetic.integer(args[0]) != nil { return args[0] }
        let d = args.number(0)
        guard d.isFinite else { return args[0] }
        return Arithmetic.integral(d.rounded(rule), machine.heap)
      }
    }
    add("floor", required("x", .number), doc: "The greatest integer not above `x`.", example: "(floor -1.5) → -2", body: rounding(.down))
    add("ceil", required("x", .number), doc: "The least integer not below `x`.", example: "(ceil 1.2) → 2", body: rounding(.up))
    alias("ceiling")
    add("truncate", required("x", .number), doc: "`x` without its fraction.", example: "(truncate -1.7) → -1", body: rounding(.towardZero))
    add("round", required("x", .number), optional("digits", .integer), doc: "The nearest integer, halves to even; with `digits`, the nearest float with so many decimals.", example: "(round 2.5) → 2") { machine, args in
      if args.count > 1, !args[1].isNil {
        let scale = pow(10.0, Double(args.integer(1)))
        let scaled = args.number(0) * scale
        return scaled.isFinite ? machine.heap.double(scaled.rounded(.toNearestOrEven) / scale) : args[0]
      }
      return try rounding(.toNearestOrEven)(machine, args)
    }

    add("expt", required("base", .number), required("exponent", .number), doc: "`base` to the power of `exponent`; exact while integers fit 64 bits.", example: "(expt 2 10) → 1024") { machine, args in
      if let base = Arithmetic.integer(args[0]), let exponent = Arithmetic.integer(args[1]), exponent >= 0 {
        var result = 1, square = base, left = exponent, overflow = false
        while left > 0, !overflow {
          if left & 1 == 1 { (result, overflow) = result.multipliedReportingOverflow(by: square) }
          left >>= 1
          if left > 0, !overflow { (square, overflow) = square.multipliedReportingOverflow(by: square) }
        }
        if !overflow { return machine.heap.int(result) }
      }
      return machine.heap.double(pow(args.number(0), args.number(1)))
    }
    alias("pow")
    add("sqrt", required("x", .number), doc: "The square root; exact for squares of integers.", example: "(sqrt 16) → 4") { machine, args in
      if let i = Arithmetic.integer(args[0]), i >= 0 {
        let root = Int(Double(i).squareRoot())
        for r in max(0, root - 1)...(root + 1) where r.multipliedReportingOverflow(by: r) == (i, false) { return machine.heap.int(r) }
      }
      return machine.heap.double(args.number(0).squareRoot())
    }
    func real(_ f: @escaping @Sendable (Double) -> Double) -> Native.Body {
      { machine, args in machine.heap.double(f(args.number(0))) }
    }
    add("exp", required("x", .number), doc: "e to the power of `x`.", example: "(exp 0) → 1.0", body: real { exp($0) })
    add("log", required("x", .number), optional("base", .number), doc: "The natural logarithm, or the one to `base`.", example: "(log 1) → 0.0") { machine, args in
      let n = log(args.number(0))
      return machine.heap.double(args.count > 1 && !args[1].isNil ? n / log(args.number(1)) : n)
    }
    add("sin", required("x", .number), doc: "The sine of an angle in radians.", example: "(sin 0) → 0.0", body: real { sin($0) })
    add("cos", required("x", .number), doc: "The cosine of an angle in radians.", example: "(cos 0) → 1.0", body: real { cos($0) })
    add("tan", required("x", .number), doc: "The tangent of an angle in radians.", example: "(tan 0) → 0.0", body: real { tan($0) })
    add("asin", required("x", .number), doc: "The angle with this sine.", example: "(asin 0) → 0.0", body: real { asin($0) })
    add("acos", required("x", .number), doc: "The angle with this cosine.", example: "(acos 1) → 0.0", body: real { acos($0) })
    add("atan", required("y", .number), optional("x", .number), doc: "The angle with this tangent; with `x`, that of the point (x, y).", example: "(atan 0) → 0.0") { machine, args in
      machine.heap.double(args.count > 1 && !args[1].isNil ? atan2(args.number(0), args.number(1)) : atan(args.number(0)))
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
    add("exact->inexact", required("x", .number), doc: "The nearest float.", example: "(exact->inexact 1) → 1.0") { machine, args in machine.heap.double(args.number(0)) }
    alias("inexact")
    add("inexact->exact", required("x", .number), doc: "The integer that a whole float stands for; other floats are rounded towards zero.", example: "(inexact->exact 3.0) → 3") { machine, args in
      if Arithmetic.integer(args[0]) != nil { return args[0] }
      guard args.number(0).isFinite else { throw machine.error("inexact->exact: \(machine.shown(args[0])) has no exact value") }
      return Arithmetic.integral(args.number(0).rounded(.towardZero), machine.heap)
    }
    func predicate(_ name: String, _ test: @escaping @Sendable (Int) -> Bool) {
      add(name, required("n", .integer), doc: "Is the integer \(name.dropLast())?", example: "(\(name) 2) → \(test(2))") { _, args in .bool(test(args.integer(0))) }
    }
    predicate("even?") { $0 % 2 == 0 }
    predicate("odd?") { $0 % 2 != 0 }
    add("zero?", required("x", .number), doc: "Is the number zero?", example: "(zero? 0.0) → true") { _, args in .bool(args.number(0) == 0) }
    add("positive?", required("x", .number), doc: "Is the number above zero?", example: "(positive? 1) → true") { _, args in .bool(args.number(0) > 0) }
    add("negative?", required("x", .number), doc: "Is the number below zero?", example: "(negative? 1) → false") { _, args in .bool(args.number(0) < 0) }
    add("nan?", required("x", .number), doc: "Is it not a number?", example: "(nan? 1) → false") { _, args in .bool(args.number(0).isNaN) }

    func bits(_ name: String, _ unit: Int, _ combine: @escaping @Sendable (Int, Int) -> Int) {
      add(name, rest("integers", .integer), doc: "The integers combined bit by bit.", example: "(\(name) 6 3) → \(combine(6, 3))") { machine, args in
        machine.heap.int((0..<args.count).reduce(unit) { combine($0, args.integer($1)) })
      }
    }
    bits("bitwise-and", -1, &)
    bits("bitwise-or", 0, |)
    bits("bitwise-xor", 0, ^)
    add("bitwise-not", required("n", .integer), doc: "Every bit turned over.", example: "(bitwise-not 0) → -1") { machine, args in machine.heap.int(~args.integer(0)) }
    add("arithmetic-shift", required("n", .integer), required("by", .integer), doc: "Shifted left, or right where `by` is negative.", example: "(arithmetic-shift 1 4) → 16") { machine, args in
      machine.heap.int(args.integer(1) >= 0 ? args.integer(0) << args.integer(1) : args.integer(0) >> -max(args.integer(1), -64))
    }
  }
}
