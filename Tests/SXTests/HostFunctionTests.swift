@testable import SX
import Testing

/// Functions that Swift defines: what one declaration gives.
@Suite struct HostFunctionTests {
  private func message(_ sx: Interpreter, _ source: String) -> String? { #expect(throws: Diagnostic.self) { try sx.evaluate(source) }?.message }

  @Test func whatIsOptionalAtTheEndMayBeLeftOut() throws {
    let sx = Interpreter()
    sx.define("f") { (a: Int, b: Int?, c: String?) in "\(a) \(b ?? 0) \(c ?? "-")" }
    #expect(try sx.evaluate("(f 1)").string == "1 0 -")
    #expect(try sx.evaluate("(f 1 2)").string == "1 2 -")
    #expect(try sx.evaluate("(f 1 nil \"x\")").string == "1 0 x")
    #expect(message(sx, "(f)") == "f: expected 1 to 3 arguments, got 0")
    #expect(message(sx, "(f 1 2 \"x\" 4)") == "f: expected 1 to 3 arguments, got 4")
    #expect(message(sx, "(f 1 \"two\")") == "f: argument 2: expected integer or nil, got string \"two\"")
    // One in the midst has to be given.
    sx.define("g") { (a: Int?, b: Int) in (a ?? 10) + b }
    #expect(message(sx, "(g 1)") == "g: expected 2 arguments, got 1")
    #expect(try sx.evaluate("(g nil 1)").integer == 11)
  }

  @Test func theLastParameterTakesTheRest() throws {
    let sx = Interpreter()
    sx.define("total") { (first: Int, more: Rest<Int>) in more.reduce(first, +) }
    #expect(try sx.evaluate("(total 1)").integer == 1)
    #expect(try sx.evaluate("(total 1 2 3)").integer == 6)
    #expect(try sx.evaluate("(apply total (range 100))").integer == 4950)
    #expect(message(sx, "(total)") == "total: expected at least 1 argument, got 0")
    #expect(message(sx, "(total 1 2 \"3\")") == "total: argument 3: expected integer, got string \"3\"")
    sx.define("log") { (level: String?, parts: Rest<Handle>) in "\(level ?? "-"):" + parts.map(\.displayed).joined() }
    #expect(try sx.evaluate("(log)").string == "-:")
    #expect(try sx.evaluate("(log \"i\" 1 'b {:c 2})").string == "i:1b{:c 2}")
  }

  @Test func oneDeclarationGivesSignatureDocumentationAndCompletion() throws {
    let sx = Interpreter()
    sx.define("repeat-text", doc: "The text so many times.\nTwice by default.") { (s: String, n: Int?, more: Rest<Bool>) in s }
    let documentation = try #require(sx.documentation(of: "repeat-text"))
    #expect(documentation.usage == ["(repeat-text <string> [<integer or nil>] <boolean>…)"])
    #expect(documentation.summary == "The text so many times.")
    #expect(sx.documentation(matching: "repeat-te").first?.name == "repeat-text")
    #expect(sx.documentation(matching: "twice default").contains { $0.name == "repeat-text" })
    let session = Session(sx)
    #expect(session.completions(of: "repeat-t") == ["repeat-text"])
    var shown: [String] = []
    try session.run(Session.Turn(",doc repeat-text")) { shown.append($0) }
    #expect(shown.joined(separator: "\n").contains("(repeat-text <string> [<integer or nil>] <boolean>…)"))
    #expect(#expect(throws: Diagnostic.self) { try sx.evaluate("(repeat-text)") }?.hint == "usage: (repeat-text <string> [<integer or nil>] <boolean>…)")
    #expect(sx.check(Array("(repeat-text)".utf8), file: "f").map(\.message) == ["repeat-text: expected at least 1 argument, got 0"])
    #expect(try sx.evaluate("(list (procedure? repeat-text) (type-of repeat-text))").description == "(true \"native-fn\")")
    #expect(try sx.evaluate("repeat-text").isFunction)
  }

  @Test func aFunctionWithoutResultAnswersNil() throws {
    let sx = Interpreter()
    var seen: [Int] = []
    sx.define("note!") { (n: Int) in
      seen.append(n)
    }
    #expect(try sx.evaluate("(note! 1) (note! 2)").isNil)
    #expect(seen == [1, 2])
  }

  @Test func dictsAndHandlesConvert() throws {
    let sx = Interpreter()
    sx.define("swap") { (d: [String: Int]) in d.mapValues { -$0 } }
    #expect(try sx.evaluate("(swap {:b 1 :a 2})").description == "{:a -2 :b -1}")
    #expect(message(sx, "(swap {:b \"x\"})") == "swap: argument 1: expected dict of integer, got dict")
    sx.define("same") { (v: Handle) in v }
    #expect(try sx.evaluate("(let ((l (list 1 2))) (eq? l (same l)))").isTrue)
    #expect(try sx.evaluate("(car (list 1))").as(Int.self) == 1)
    #expect(#expect(throws: Diagnostic.self) { try sx.evaluate("\"one\"").as(Int.self) }?.message == "expected integer, got string \"one\"")
  }

  // MARK: Functions of SX as arguments

  @Test func aFunctionOfSXArrivesAsOneThatSwiftCalls() throws {
    let sx = Interpreter()
    sx.define("twice") { (f: Function, n: Int) throws in
      let once: Int = try f(n)
      return try f(once, as: Int.self)
    }
    #expect(try sx.evaluate("(let ((k 3)) (twice (fn (x) (* k x)) 5))").integer == 45)
    #expect(try sx.evaluate("(twice inc 5)").integer == 7)
    #expect(message(sx, "(twice 5 5)") == "twice: argument 1: expected function, got number 5")
    #expect(message(sx, "(twice str 5)") == "expected integer as the value of a call, got string \"5\"")
    // Under a collector that leaves nothing that no root holds, with a stack that moves.
    sx.stressesCollector = true
    #expect(try sx.evaluate("(define (deep n) (if (= n 0) 0 (+ 1 (deep (- n 1))))) (list (twice (fn (x) (deep (+ x 500))) 5) (list 1 2))").description == "(1005 (1 2))")
  }

  @Test func callsGoInAndOutAndInAgain() throws {
    let sx = Interpreter()
    sx.define("down") { (f: Function, n: Int) throws in n == 0 ? 0 : try f(n - 1, as: Int.self) + 1 }
    #expect(try sx.evaluate("(define (go n) (down go n)) (go 50)").integer == 50)
    sx.define("evaluate") { (source: String) throws in try sx.evaluate(source) }
    #expect(try sx.evaluate("(define a 1) (+ (evaluate \"(set! a (+ a 1)) (* a 10)\") a)").integer == 22)
    // Parameters of the caller hold inside.
    sx.define("call") { (f: Function) throws in try f(as: Handle.self) }
    #expect(try sx.evaluate("(define p (make-parameter 1)) (parameterize ((p 2)) (call (fn () (p))))").integer == 2)
    #expect(try sx.evaluate("(let/ec leave (+ 1 (call (fn () (guard (e (true 5)) (leave 6))))))").integer != nil)
  }

  @Test func whatASXFunctionRaisesPassesThroughSwiftUnchanged() throws {
    let sx = Interpreter()
    sx.define("call") { (f: Function) throws in try f(as: Handle.self) }
    #expect(try sx.evaluate("(guard (e ((dict? e) (get e :code))) (call (fn () (raise {:code 7}))))").integer == 7)
    #expect(try sx.evaluate("(let ((c (make-error \"no\" 1))) (guard (e (true (eq? e c))) (call (fn () (call (fn () (raise c)))))))").isTrue)
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(call (fn ()\n  (car 5)))") }
    #expect(error?.message == "car: argument 1: expected list or string, got number 5")
    #expect(error?.location?.line == 2)
    // Swift may handle it.
    sx.define("try") { (f: Function) in (try? f(as: Int.self)) ?? -1 }
    #expect(try sx.evaluate("(list (try (fn () (car 5))) (try (fn () 3)))").description == "(-1 3)")
    // And it may be a Swift error that went through SX.
    struct Refusal: Error {}
    sx.define("refuse") { () throws -> Int in throw Refusal() }
    #expect(#expect(throws: Diagnostic.self) { try sx.evaluate("(call (fn () (call refuse)))") }?.underlyingError is Refusal)
    var caught: (any Error)?
    sx.define("catch") { (f: Function) in
      do { return try f(as: Int.self) } catch let diagnostic as Diagnostic {
        caught = diagnostic.underlyingError
        return 0
      } catch { return 1 }
    }
    #expect(try sx.evaluate("(catch refuse)").integer == 0)
    #expect(caught is Refusal)
  }

  @Test func limitsHoldInsideOfCallsAndNobodyCatchesThem() throws {
    let sx = Interpreter()
    sx.define("try") { (f: Function) in (try? f(as: Int.self)) ?? -1 }
    sx.limits.steps = 100_000
    #expect(#expect(throws: Diagnostic.self) { try sx.evaluate("(guard (e (true 1)) (try (fn () (let loop () (loop)))) 2)") }?.interruption == .steps)
    #expect(try sx.evaluate("(try (fn () 3))").integer == 3)
  }

  @Test func anErrorOfAnotherInterpreterIsToldInOneLine() throws {
    let outer = Interpreter(), inner = Interpreter()
    outer.define("inner") { (source: String) throws in try inner.evaluate(source).integer }
    let error = #expect(throws: Diagnostic.self) { try outer.evaluate("(inner \"(car 5)\")") }
    #expect(error?.message == "car: argument 1: expected list or string, got number 5")
    #expect((error?.underlyingError as? Diagnostic)?.location?.file == "<eval>")
    outer.define("read") { () throws -> Int in throw HostError("the disk is full") }
    #expect(message(outer, "(read)") == "the disk is full")
  }

  @Test func aFunctionThatSwiftKeepsIsARunOfItsOwn() throws {
    let sx = Interpreter()
    let add = try sx.evaluate("(let ((n 0)) (fn (k) (set! n (+ n k)) n))").as(Function.self)
    #expect(try add(5, as: Int.self) == 5)
    sx.collectGarbage()
    #expect(try add(6, as: Int.self) == 11)
    #expect(try sx.call(add.handle, [sx.makeHandle(1)]).integer == 12)
  }
}
