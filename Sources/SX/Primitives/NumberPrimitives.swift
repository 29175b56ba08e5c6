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
    add("/", required("number", .number), rest("numbers", .number), doc: "The quotient. Two integers give an integer where they divide evenly, else a float; a fraction stays exact. Division by an exact zero is an error.", example: "(/ 1/2 2) → 1/4") { machine, args in
      func divide(_ a: Value, _ b: Value) throws -> Value {
        guard let quotient = Arithmetic.divide(a, b, machine.heap) else { throw machine.error("/: division by zero") }
        return quotient
      }
      if args.count == 1 { return try divide(.fix(1), args[0]) }
      var quotient = args[0]
      for i in 1..<args.count { quotient = try divide(quotient, args[i]) }
      return quotient
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
      if let x = Arithmetic.exact(args[0]) { return x.numerator < 0 ? machine.heap.quotient(-Int128(x.numerator), Int128(x.denominator)) : args[0] }
      return machine.heap.double(abs(args.number(0)))
    }
    alias("magnitude")

    /// `accept` is also told which argument the second value is.
    func chain(_ accept: @escaping @Sendable (Machine, Value, Value, Int) throws -> Bool) -> Native.Body {
      { machine, args in
        for i in 1..<max(1, args.count) where try !accept(machine, args[i - 1], args[i], i + 1) { return .false }
        return .true
      }
    }
    /// One argument alone is in order, but it has to be what has an order.
    func ordered(_ name: String, _ accept: @escaping @Sendable (Machine, Value, Value, Int) throws -> Bool) -> Native.Body {
      let inOrder = chain(accept)
      return { machine, args in
        if args.count == 1, !args[0].isString, !Arithmetic.isNumber(args[0]), machine.isStrict || machine.coerced(args[0]) == nil { throw machine.wrongType(name, 1, .number, args[0]) }
        return try inOrder(machine, args)
      }
    }
    add("<", required("a"), rest("more"), doc: "Do the numbers (or strings) increase?", example: "(< 1 2 3) → true", body: ordered("<") { m, a, b, i in try m.less(a, b, 0, i) })
    add(">", required("a"), rest("more"), doc: "Do the numbers (or strings) decrease?", example: "(> 3 2 2) → false", body: ordered(">") { m, a, b, i in try m.less(b, a, 1, i) })
    add("<=", required("a"), rest("more"), doc: "Does none exceed the next?", example: "(<= 1 1 2) → true", body: ordered("<=") { m, a, b, i in try m.lessOrEqual(a, b, 0, i) })
    add(">=", required("a"), rest("more"), doc: "Is none less than the next?", example: "(>= 2 2 1) → true", body: ordered(">=") { m, a, b, i in try m.lessOrEqual(b, a, 1, i) })
    add("=", required("a"), rest("more"), doc: "Are all equal? Numbers by value across kinds, everything else deep.", example: "(= 1 1.0) → true", body: chain { m, a, b, _ in Equality.deep(a, b, m.heap) })
    add("!=", required("a"), required("b"), doc: "Are they different? The opposite of `=`.", example: "(!= 1 2) → true") { m, args in .bool(!Equality.deep(args[0], args[1], m.heap)) }

    func extreme(_ name: String, _ wanted: Arithmetic.Order) -> Native.Body {
      { machine, args in
        var best = args[0], inexact = false
        for i in 0..<args.count {
          if !Arithmetic.isNumber(args[i]) {
            guard !machine.isStrict, let number = machine.coerced(args[i]) else { throw machine.wrongType(name, i + 1, .number, args[i]) }
            args.base[i] = number
            if i == 0 { best = number }
          }
          if Arithmetic.float(args[i]) != nil { inexact = true }
          let order = Arithmetic.compare(args[i], best)
          if order == wanted || order == .unordered && args.number(i).isNaN { best = args[i] }
        }
        return inexact ? machine.heap.double(Arithmetic.number(best) ?? .nan) : best
      }
    }
    add("square", required("n", .number), doc: "`n` times `n`.", example: "(square -3) → 9") { m, args in try m.arithmetic(.multiply, args[0], args[0]) }
    add("min", required("number"), rest("more"), doc: "The least; a float when any is.", example: "(min 3 1 2) → 1", body: extreme("min", .less))
    add("max", required("number"), rest("more"), doc: "The greatest; a float when any is.", example: "(max 3 1 2) → 3", body: extreme("max", .greater))
    add("clamp", required("x", .number), required("low", .number), required("high", .number), doc: "`x`, or the nearer bound where it lies outside.", example: "(clamp 12 0 10) → 10") { _, args in
      if Arithmetic.compare(args[0], args[1]) == .less { return args[1] }
      return Arithmetic.compare(args[0], args[2]) == .greater ? args[2] : args[0]
    }

    @Sendable func rounding(_ rule: FloatingPointRoundingRule) -> Native.Body {
      { machine, args in
        if Arithmetic.integer(args[0]) != nil { return args[0] }
        if let x = Arithmetic.rational(args[0]) { return machine.heap.int(x.rounded(rule)) }
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

    add("expt", required("base", .number), required("exponent", .number), doc: "`base` to the power of `exponent`; exact while it fits 64 bits. A negative power of an integer is a float, as `/` makes it; one of a fraction is exact.", example: "(expt 2 10) → 1024") { machine, args in
      guard let base = Arithmetic.exact(args[0]), let exponent = Arithmetic.integer(args[1]) else {
        return machine.heap.double(pow(args.number(0), args.number(1)))
      }
      if exponent < 0, base.numerator == 0 { throw machine.error("expt: division by zero") }
      let whole = base.denominator == 1
      if exponent >= 0 || !whole || base.numerator.magnitude == 1,
        let n = Powers.integer(base.numerator, exponent.magnitude), let d = Powers.integer(base.denominator, exponent.magnitude) {
        return exponent >= 0 ? machine.heap.quotient(Int128(n), Int128(d)) : machine.heap.quotient(Int128(d), Int128(n))
      }
      return machine.heap.double(pow(args.number(0), Double(exponent)))
    }
    alias("pow")
    add("sqrt", required("x", .number), doc: "The square root; exact for squares of integers and fractions. That of a negative number is not a number.", example: "(sqrt 16) → 4") { machine, args in
      if let x = Arithmetic.exact(args[0]), x.numerator >= 0 {
        let n = Powers.root(x.numerator), d = Powers.root(x.denominator)
        if n * n == x.numerator, d * d == x.denominator { return machine.heap.quotient(Int128(n), Int128(d)) }
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

    add("exact->inexact", required("x", .number), doc: "The nearest float.", example: "(exact->inexact 1/2) → 0.5") { machine, args in machine.heap.double(args.number(0)) }
    alias("inexact")
    add("inexact->exact", required("x", .number), doc: "The integer or fraction that a float stands for, to its last digit; an error when 64 bits do not hold it.", example: "(inexact->exact 2.5) → 5/2") { machine, args in
      guard let d = Arithmetic.float(args[0]) else { return args[0] }
      guard let x = Rational(exactly: d) else { throw machine.error("inexact->exact: \(machine.shown(args[0])) has no exact value in 64 bits", hint: "round, floor or truncate it first") }
      return machine.heap.quotient(Int128(x.numerator), Int128(x.denominator))
    }
    alias("exact")
    func part(_ name: String, _ example: String, _ pick: @escaping @Sendable (Rational) -> Int) {
      add(name, required("x", .number), doc: "The \(name) of the reduced fraction; that of a float is a float.", example: example) { machine, args in
        if let x = Arithmetic.exact(args[0]) { return machine.heap.int(pick(x)) }
        guard let x = Rational(exactly: args.number(0)) else { throw machine.error("\(name): \(machine.shown(args[0])) is no fraction of 64 bits") }
        return machine.heap.double(Double(pick(x)))
      }
    }
    part("numerator", "(numerator 6/4) → 3") { $0.numerator }
    part("denominator", "(denominator 6/4) → 2") { $0.denominator }
    add("make-rational", required("numerator", .integer), required("denominator", .integer), doc: "The reduced fraction of two integers; an integer when it is whole.", example: "(make-rational 6 4) → 3/2") { machine, args in
      if args.integer(1) == 0 { throw machine.error("make-rational: argument 2: the denominator is 0") }
      return machine.heap.quotient(Int128(args.integer(0)), Int128(args.integer(1)))
    }
    add("zero?", required("x", .number), doc: "Is the number zero?", example: "(zero? 0.0) → true") { _, args in .bool(args.number(0) == 0) }
    add("positive?", required("x", .number), doc: "Is the number above zero?", example: "(positive? 1) → true") { _, args in .bool(args.number(0) > 0) }
    add("negative?", required("x", .number), doc: "Is the number below zero?", example: "(negative? 1) → false") { _, args in .bool(args.number(0) < 0) }
    add("nan?", required("x", .number), doc: "Is it not a number?", example: "(nan? 1) → false") { _, args in .bool(args.number(0).isNaN) }
    add("finite?", required("x", .number), doc: "Is it neither infinite nor not a number?", example: "(finite? 1.5) → true") { _, args in .bool(args.number(0).isFinite) }
    add("infinite?", required("x", .number), doc: "Is it positive or negative infinity?", example: "(infinite? (/ 1 0.0)) → true") { _, args in .bool(args.number(0).isInfinite) }
  }
}

/// Integer powers and roots.
enum Powers {
  /// nil when the power does not fit 64 bits.
  static func integer(_ base: Int, _ exponent: UInt) -> Int? {
    var result = 1, square = base, left = exponent, overflow = false
    while true {
      if left & 1 == 1 {
        (result, overflow) = result.multipliedReportingOverflow(by: square)
        if overflow { return nil }
      }
      left >>= 1
      if left == 0 { return result }
      (square, overflow) = square.multipliedReportingOverflow(by: square)
      if overflow { return nil }
    }
  }

  /// The greatest integer whose square does not exceed `n`, which must not be negative.
  static func root(_ n: Int) -> Int {
    var root = Int(Double(n).squareRoot())
    func exceeds(_ r: Int) -> Bool {
      let (square, overflow) = r.multipliedReportingOverflow(by: r)
      return overflow || square > n
    }
    while exceeds(root) { root -= 1 }
    while !exceeds(root + 1) { root += 1 }
    return root
  }
}
