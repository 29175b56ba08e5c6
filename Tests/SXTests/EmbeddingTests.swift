@testable import SX
import Testing

@Suite struct EmbeddingTests {
  @Test func theSnippetOfTheReadme() throws {
    let sx = Interpreter()
    sx.define("greet") { (name: String, times: Int) in
      Array(repeating: "Hello, \(name)!", count: times).joined(separator: " ")
    }
    let value = try sx.evaluate("(upper (greet \"world\" 2))")
    #expect(value.string == "HELLO, WORLD! HELLO, WORLD!")
    #expect(value.description == "\"HELLO, WORLD! HELLO, WORLD!\"")
    do {
      try sx.evaluate("(str (greet \"world\"))")
      Issue.record("a call without its second argument must fail")
    } catch let error as Diagnostic {
      #expect(error.message == "greet: expected 2 arguments, got 1")
      #expect(error.location?.line == 1)
      #expect(error.location?.column == 6)
    }
  }

  @Test func theLastFormIsTheValue() throws {
    #expect(try Interpreter().evaluate("1 2 (+ 1 2)").integer == 3)
    #expect(try Interpreter().evaluate("").isNil)
    #expect(try Interpreter().evaluate("; nothing\n").isNil)
  }

  @Test func definitionsLastFromOneEvaluationToTheNext() throws {
    let sx = Interpreter()
    try sx.evaluate("(define (square x) (* x x))")
    #expect(try sx.evaluate("(square 7)").integer == 49)
  }

  @Test func interpretersShareNothing() throws {
    let a = Interpreter(), b = Interpreter()
    try a.evaluate("(define secret 1)")
    #expect(throws: Diagnostic.self) { try b.evaluate("secret") }
  }

  @Test func aWrongArgumentNamesFunctionPositionAndTypes() {
    let sx = Interpreter()
    sx.define("double") { (n: Int) in n * 2 }
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(double \"two\")") }
    #expect(error?.message == "double: argument 1: expected integer, got string \"two\"")
  }

  @Test func optionalsAndListsConvert() throws {
    let sx = Interpreter()
    sx.define("total") { (numbers: [Int], bonus: Int?) in numbers.reduce(bonus ?? 0, +) }
    #expect(try sx.evaluate("(total (list 1 2 3) nil)").integer == 6)
    #expect(try sx.evaluate("(total (map inc (range 3)) 10)").integer == 16)
  }

  struct Refusal: Error, CustomStringConvertible { let description = "not today" }

  @Test func anErrorThrownInSwiftCanBeGuardedInSX() throws {
    let sx = Interpreter()
    sx.define("refuse") { () throws -> Int in throw Refusal() }
    #expect(try sx.evaluate("(guard (e (true (error-message e))) (refuse))").string == "not today")
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(list\n  (refuse))") }
    #expect(error?.message == "not today")
    #expect(error?.location?.line == 2)
  }

  /// What the script raises again, passes through `dynamic-wind` or wraps is still the Swift value that was thrown.
  @Test(arguments: [
    "(refuse)", "(guard (e ((= 1 2) 5)) (refuse))", "(guard (e (true (raise e))) (refuse))", "(dynamic-wind (fn () 1) refuse (fn () 2))",
    "(coroutine-resume (make-coroutine refuse))", "(map (fn (x) (refuse)) (list 1))",
  ])
  func anErrorThrownInSwiftComesOutAsItself(source: String) throws {
    let sx = Interpreter()
    sx.define("refuse") { () throws -> Int in throw Refusal() }
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate(source) }
    #expect(error?.underlyingError is Refusal)
    #expect(error?.location?.line == 1)
    let wrapped = #expect(throws: Diagnostic.self) { try sx.evaluate("(guard (e (true (error \"it failed:\" e))) \(source))") }
    #expect(wrapped?.message == "it failed:")
    #expect(wrapped?.underlyingError == nil)
    #expect(wrapped?.causes.first?.underlyingError is Refusal)
    #expect(#expect(throws: Diagnostic.self) { try sx.evaluate("(car 5)") }?.underlyingError == nil)
  }

  @Test func aFunctionKeptBySwiftCanBeCalledLater() throws {
    let sx = Interpreter()
    let add = try sx.evaluate("(let ((n 0)) (fn (k) (set! n (+ n k)) n))")
    #expect(add.isFunction)
    #expect(try sx.call(add, [5]).integer == 5)
    try sx.evaluate("(collect-garbage) (range 100000)")
    #expect(try sx.call(add, [6]).integer == 11)
  }

  @Test func dataComesOutAsItWentIn() throws {
    let sx = Interpreter()
    let data: Datum = ["list": [1, 2.5, true, nil, "naïve 🌍"], "dict": ["k": .keyword("v")], "symbol": .symbol("s"), "bytes": .bytes([0, 255])]
    #expect(try sx.makeHandle(data).datum() == data)
  }

  @Test func functionsAreNoData() throws {
    let sx = Interpreter()
    let f = try sx.evaluate("(list (fn (x) x))")
    #expect(throws: Diagnostic.self) { try f.datum() }
  }

  @Test func aSilentHostHasNoFilesAndNoOperations() {
    let sx = Interpreter()
    #expect(throws: Diagnostic.self) { try sx.evaluate("(load \"/etc/passwd\")") }
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(perform {:op \"sleep\" :args (list 1)})") }
    #expect(error?.message == "Unknown operation: sleep")
  }

  @Test func completenessKnowsFormsStringsAndMistakes() {
    let sx = Interpreter()
    func kind(_ source: String) -> String {
      switch sx.completeness(of: source) {
      case .complete: "complete"
      case .incomplete: "incomplete"
      case .invalid: "invalid"
      }
    }
    #expect(kind("(+ 1 2)") == "complete")
    #expect(kind("") == "complete")
    #expect(kind("(+ 1") == "incomplete")
    #expect(kind("\"abc") == "incomplete")
    #expect(kind("'") == "incomplete")
    #expect(kind("#|raw") == "incomplete")
    #expect(kind("(+ 1]") == "invalid")
    #expect(kind(")") == "invalid")
  }

  @Test func cancellationFromAnotherThreadEndsAnEndlessLoop() async throws {
    let cancellation = await withCheckedContinuation { (continuation: CheckedContinuation<Cancellation, Never>) in
      Task.detached {
        let sx = Interpreter()
        continuation.resume(returning: sx.cancellation)
        #expect(throws: Diagnostic.self) { try sx.evaluate("(let loop ((i 0)) (guard (e (true 1)) i) (loop (+ i 1)))") }
        #expect((try? sx.evaluate("(+ 1 1)").integer) == 2)
      }
    }
    cancellation.cancel()
  }

  @Test func manyInterpretersRunInParallel() async throws {
    let results = try await withThrowingTaskGroup(of: Int?.self) { group in
      for i in 0..<8 {
        group.addTask { try Interpreter().evaluate("(reduce + 0 (map (fn (x) (* x \(i))) (range 1000)))").integer }
      }
      return try await group.reduce(into: [Int?]()) { $0.append($1) }
    }
    // 0 + 1 + … + 999 = 499500, times 0…7.
    #expect(results.compactMap { $0 }.sorted() == (0..<8).map { 499_500 * $0 })
  }
}

/// What a host may limit.
@Suite struct LimitTests {
  @Test(arguments: [
    "(let loop ((l (list))) (loop (cons 1 l)))", "(let ((l (list))) (let loop () (append! l 1) (loop)))", "(let loop ((l (list 1))) (loop (append l l)))",
    "(let loop ((s \"x\")) (loop (str s s)))", "(let ((d {})) (let loop ((i 0)) (dict-set! d (str i) i) (loop (+ i 1))))", "(let loop ((d {}) (i 0)) (loop (assoc d (str i) i) (+ i 1)))",
    "(let loop ((v (list))) (loop (cons (make-vector 1000 0) v)))", "(let ((b (make-string-buffer))) (let loop () (string-buffer-append! b \"0123456789\") (loop)))",
    "(define (deep n) (+ 1 (deep (cons n n)))) (deep (list))", "(make-vector 200000000 0)", "(range 500000000)", "(repeat \"abc\" 500000000)", "(make-bytevector 900000000 1)",
    "(let loop ((k (list))) (loop (cons (fn () k) k)))", "(map (fn (i) (make-vector 100 i)) (range 1000000))",
  ])
  func endlessAllocationEndsWithAnErrorThatTheHostCatches(_ source: String) throws {
    let sx = Interpreter()
    sx.heapLimit = 16_000_000
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate(source) }
    #expect(error?.message == "out of memory: the heap limit is reached" || error?.message.contains("stack overflow") == true, "\(error?.message ?? "")")
    // Nothing of it is left behind.
    #expect(try sx.evaluate("(len (map inc (range 1000)))").integer == 1000)
  }

  @Test func noScriptCatchesTheHeapLimit() {
    let sx = Interpreter()
    sx.heapLimit = 16_000_000
    let error = #expect(throws: Diagnostic.self) {
      try sx.evaluate("(guard (e (true \"caught\")) (dynamic-wind (fn () nil) (fn () (let loop ((l (list))) (loop (cons 1 l)))) (fn () (println \"after\"))))")
    }
    #expect(error?.message == "out of memory: the heap limit is reached")
  }

  @Test func withinTheLimitGarbageIsOfNoConcern() throws {
    let sx = Interpreter()
    sx.heapLimit = 16_000_000
    #expect(try sx.evaluate("(let loop ((i 0)) (if (= i 20000) i (begin (range 100) (loop (+ i 1)))))").integer == 20_000)
  }

  @Test func endlessRecursionCanBeCaughtAndItsTraceIsShort() throws {
    let sx = Interpreter()
    sx.machine.stackLimit = 1 << 18
    #expect(try sx.evaluate("(define (f n) (+ 1 (f n))) (guard (e ((error? e) \"caught\")) (f 1))").string == "caught")
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(f 1)") }
    #expect(error?.rendered(color: false).split(separator: "\n").count ?? 100 < 12)
  }
}
