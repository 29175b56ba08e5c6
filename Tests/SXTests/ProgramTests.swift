@testable import SX
import Testing

/// A text that is read once and run by many.
@Suite struct ProgramTests {
  @Test func oneProgramRunsInManyInterpretersAtOnce() async throws {
    let program = try Program("(defmacro twice (x) `(* 2 ,x)) (define (f n) (reduce + 0 (map (fn (x) (twice x)) (range n)))) (f size)")
    let sums = try await withThrowingTaskGroup(of: (Int, Int?).self) { group in
      for size in 1...16 {
        group.addTask {
          let sx = Interpreter()
          sx.setGlobal("size", to: sx.makeHandle(.integer(size * 100)))
          _ = try sx.evaluate(program)
          return (size, try sx.evaluate(program).integer)
        }
      }
      return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    for size in 1...16 { #expect(sums[size] == size * 100 * (size * 100 - 1)) }
  }

  @Test func aSecondRunNeitherReadsNorCompiles() throws {
    let sx = Interpreter()
    let program = try Program("(define-syntax six (syntax-rules () ((_) 6))) (define (g) (* (six) 7)) (begin (define h g) (set! runs (+ runs 1))) (h)")
    try sx.evaluate("(define runs 0)")
    #expect(try sx.evaluate(program).integer == 42)
    let texts = sx.machine.sources.texts.count
    // What is not compiled again is not looked up again: a macro's expansion counts as compiling.
    try sx.evaluate(program)
    let compiled = try #require(sx.machine.programs.values.first?.compiled)
    let functions = compiled.functions.map(\.bits)
    for _ in 0..<10 { #expect(try sx.evaluate(program).integer == 42) }
    #expect(sx.machine.programs.values.first?.compiled === compiled)
    #expect(compiled.functions.map(\.bits) == functions)
    #expect(sx.machine.sources.texts.count == texts)
    #expect(try sx.evaluate("runs").integer == 12)
  }

  @Test func aMacroThatMeansSomethingElseIsHonoured() throws {
    let sx = Interpreter(), program = try Program("(list (m 1))")
    try sx.evaluate("(defmacro m (x) `(+ ,x 1))")
    #expect(try sx.evaluate(program).description == "(2)")
    #expect(try sx.evaluate(program).description == "(2)")
    try sx.evaluate("(defmacro m (x) `(- ,x))")
    #expect(try sx.evaluate(program).description == "(-1)")
    try sx.evaluate("(define (m x) (* x 10))")
    #expect(try sx.evaluate(program).description == "(10)")
    try sx.evaluate("(define + -)")
    #expect(try sx.evaluate(try Program("(+ 1 2)")).integer == -1)
  }

  @Test func whatARunHasLeftIsThereInTheNext() throws {
    let sx = Interpreter(), program = try Program("(set! n (+ n 1)) (if (= n 2) (error \"two\")) n")
    try sx.evaluate("(define n 0)")
    #expect(try sx.evaluate(program).integer == 1)
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate(program) }
    #expect(error?.message == "two")
    #expect(error?.location?.file == "<program>")
    #expect(try sx.evaluate(program).integer == 3)
  }

  @Test func aRunThatFailedHalfWayGoesOnFromThereTheNextTime() throws {
    let sx = Interpreter(), program = try Program("(define a 1) (if missing? (error \"no\")) (define b 2) (+ a b)")
    try sx.evaluate("(define missing? true)")
    #expect(throws: Diagnostic.self) { try sx.evaluate(program) }
    try sx.evaluate("(set! missing? false)")
    #expect(try sx.evaluate(program).integer == 3)
    #expect(try sx.evaluate(program).integer == 3)
  }

  @Test func aCollectionKeepsWhatWasCompiled() throws {
    let sx = Interpreter(), program = try Program("(define (f x) (if (= x 0) '(a \"b\" 1.5) (f (- x 1)))) (f 10)")
    sx.stressesCollector = true
    for _ in 0..<3 { #expect(try sx.evaluate(program).description == "(a \"b\" 1.5)") }
  }

  @Test func programsThatAreGoneAreForgotten() throws {
    let sx = Interpreter()
    for i in 0..<50 { #expect(try sx.evaluate(try Program("(+ 1 \(i))")).integer == i + 1) }
    #expect(sx.machine.programs.count < 5)
  }

  @Test(arguments: [("(+ 1", true), ("(+ 1]", false), (")", false), ("\"open", true)]) func mistakesAreFoundBeforeAnythingRuns(source: String, isIncomplete: Bool) {
    let error = #expect(throws: Diagnostic.self) { try Program(source, file: "bad.sx") }
    #expect(error?.location?.file == "bad.sx")
    #expect(error?.isIncomplete == isIncomplete)
    #expect(throws: Diagnostic.self) { try Program(bytes: [0x28, 0xFF, 0x29], file: "bytes.sx") }
  }

  @Test func compilingFindsWhatCanBeKnownWithoutRunning() throws {
    let sx = Interpreter()
    sx.define("greet") { (name: String, times: Int?) in "Hello" }
    #expect(try sx.compile("(define (f) (greet \"a\")) (f)").formCount == 2)
    #expect(#expect(throws: Diagnostic.self) { try sx.compile("(define (f) (grete \"a\"))") }?.message == "Undefined symbol: grete, did you mean `greet`?")
    #expect(#expect(throws: Diagnostic.self) { try sx.compile("(define (f) (greet))") }?.message == "greet: expected 1 to 2 arguments, got 0")
    #expect(#expect(throws: Diagnostic.self) { try sx.compile("(if)") } != nil)
  }
}
