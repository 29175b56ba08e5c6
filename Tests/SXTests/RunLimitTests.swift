import Dispatch
import SX
import Testing

/// Limits per run: what they stop, how it is told, and what is left afterwards.
@Suite struct RunLimitTests {
  /// Counts what is written.
  private final class Counter: TestHost {
    var written = ""
    override func write(_ bytes: UnsafeRawBufferPointer, to stream: OutputStream) { written += String(decoding: bytes, as: UTF8.self) }
    override func waitForEvents(_ interpreter: Interpreter) -> Bool { true }
  }

  private func interruption(_ sx: Interpreter, _ source: String) -> Interruption? {
    #expect(throws: Diagnostic.self) { try sx.evaluate(source) }?.interruption
  }

  static let endless = [
    "(let loop () (loop))", "(define (f) (f)) (f)", "(let loop () (guard (e (true 1)) (car 5)) (loop))", "(guard (e (true 1)) (let loop () (loop)))",
    "(coroutine-resume (make-coroutine (fn () (let loop () (loop)))))", "(defmacro forever () (let loop () (loop))) (forever)",
    "(let again () (guard (e (true (again))) (let loop () (loop))))", "(spawn (fn () (let loop () (loop)))) (let loop () (loop))",
    "(sort (list 3 1 2) (fn (a b) (let loop () (loop))))", "(define (f) (+ 1 (call/cc (fn (k) (f))))) (f)",
  ] + withoutOrdinaryCalls

  /// Loops without a call of a function that takes a fixed number of arguments and gets them.
  static let withoutOrdinaryCalls = [
    "(define (f . all) (f 1 2)) (f)", "(define (f a) (f)) (f)", "(define (f) (apply f (list))) (f)", "(define (f k) (call/cc f)) (call/cc f)",
    "(define (f) (let ((k nil)) (call/cc (fn (c) (set! k c))) (k 1))) (f)", "(define k nil) (reset (begin (shift c (set! k c)) (k 1))) (k 1)",
  ]

  @Test(arguments: endless) func stepsEndWhatNeverEnds(source: String) throws {
    let sx = Interpreter()
    sx.limits.steps = 200_000
    #expect(interruption(sx, source) == .steps)
    // The next run has all of them again.
    #expect(try sx.evaluate("(let loop ((i 0)) (if (= i 50000) i (loop (+ i 1))))").integer == 50_000)
  }

  @Test(arguments: endless) func timeEndsWhatNeverEnds(source: String) throws {
    let sx = Interpreter()
    sx.limits.time = .milliseconds(30)
    #expect(interruption(sx, source) == .time)
    sx.limits.time = .seconds(60)
    #expect(try sx.evaluate("(+ 1 2)").integer == 3)
  }

  @Test func stepsAreThoseOfOneRun() throws {
    let sx = Interpreter()
    sx.limits.steps = 400_000
    let walk = "(let loop ((i 0)) (if (= i 200000) i (loop (+ i 1))))"
    for _ in 0..<10 { #expect(try sx.evaluate(walk).integer == 200_000) }
    #expect(interruption(sx, walk + walk + walk) == .steps)
    let function = try sx.evaluate("(fn () \(walk))")
    for _ in 0..<10 { #expect(try sx.call(function).integer == 200_000) }
  }

  @Test func garbageOfLoopsWithoutOrdinaryCallsIsCollected() throws {
    let sx = Interpreter()
    sx.limits = Limits(heapBytes: 16_000_000)
    #expect(try sx.evaluate("(define (f i . all) (if (= i 0) all (f (- i 1) 1 2 3))) (f 1000000)").description == "(1 2 3)")
    #expect(try sx.evaluate("(define i 0) (define (g) (let ((k nil)) (call/cc (fn (c) (set! k c))) (set! i (+ i 1)) (list 1 2 3) (if (< i 1000000) (k 1) i))) (g)").integer == 1_000_000)
  }

  /// A turn of the loop is a step, whatever the collector does meanwhile: it shortens slices.
  @Test func collectionsDoNotLengthenARun() throws {
    for stressed in [false, true] {
      let sx = Interpreter()
      try sx.evaluate("(define seen 0) (let loop ((i 0)) (if (= i 10) i (loop (+ i 1))))")
      sx.stressesCollector = stressed
      sx.limits.steps = 2000
      #expect(interruption(sx, "(let loop () (set! seen (+ seen 1)) (list 1 2) (loop))") == .steps)
      sx.limits = .none
      let seen = try #require(try sx.evaluate("seen").integer)
      // Reading and compiling the line takes less than 300 of them.
      #expect(seen > 1700 && seen <= 4000, "\(seen)")
    }
  }

  @Test func workInsidePrimitivesCounts() {
    let sx = Interpreter()
    sx.limits.steps = 500_000
    // Every step of the matcher looks at several states, a million times; there is no call and no loop.
    #expect(interruption(sx, "(guard (e (true 1)) (regexp-match \"(a|aa|aaa)*b\" (repeat \"a\" 1000000)))") == .steps)
  }

  /// Each of these takes long for a single call.
  @Test(arguments: [
    "(contains? numbers -1)", "(index-of numbers -1)", "(reverse numbers)", "(sort-values numbers)", "(append numbers 1 numbers)", "(concat numbers numbers)", "(take numbers 1999)",
    "(slice numbers 1)", "(nth chain 1999)", "(last chain)", "(drop chain 1999)", "(distinct numbers)", "(flatten numbers)", "(range 2000)", "(chunk-every numbers 10)",
    "(zip-pairs numbers)", "(interpose 0 numbers)", "(sortable-values? numbers)", "(set-nth! (slice numbers 0) 0 1)", "(equal? numbers others)", "(= numbers others)",
    "(apply + numbers)", "(keys dict)", "(vals dict)", "(entries dict)", "(merge dict {:a 1})", "(into {} dict)", "(zipmap names numbers)", "(select-keys dict names)", "(equal? dict others-dict)",
    "(make-vector 2000 0)", "(vector-fill! numbers-vector 1)", "(vector->list numbers-vector)", "(list->vector numbers)", "(vector-copy numbers-vector)", "(list->set numbers)",
    "(split text \" \")", "(join \"\" numbers)", "(replace text \"b\" \"c\")", "(upper text)", "(string-contains? text \"bb\")", "(contains? text \"bb\")", "(index-of text \"bb\")",
    "(string->list text)", "(list->string characters)", "(string=? text (str text))", "(starts-with? text (str text))", "(string->number digits)", "(string-hash64-hex text)", "(regexp-quote text)",
    "(inspect numbers)", "(str numbers)", "(json-encode numbers)", "(json-decode json)", "(sx-parse json)", "(regexp-match \"b\" text)", "(format \"~a\" numbers)", "(escape text)",
    "(string-ci=? text (str text))", "(parse-int digits)", "(hex-digits? digits 2000)", "(equal? (list->set numbers) (list->set others))", "(equal? numbers-vector others-vector)",
    "(write-to-string text)", "(json-encode text)", "(format-date 0 text)", "(trim (repeat \" \" 2000))", "(apropos \"e\")", "(documentation \"map\")",
    "(guard (e (true nil)) (error \"x\"))", "(guard (e (true nil)) (car 5))",
  ])
  func whatWalksThroughDataCountsItsElements(expression: String) throws {
    let sx = Interpreter()
    try sx.evaluate("""
      (define numbers (map inc (range 2000))) (define others (map inc (range 2000)))
      (define chain (let loop ((i 0) (out (list))) (if (= i 2000) out (loop (+ i 1) (cons i out)))))
      (define names (map str numbers)) (define dict (zipmap names numbers)) (define others-dict (zipmap names numbers)) (define numbers-vector (list->vector numbers)) (define others-vector (list->vector others))
      (define text (repeat "a" 2000)) (define digits (repeat "1" 2000)) (define characters (string->list text)) (define json (json-encode numbers))
      (define (again n) (when (> n 0) \(expression) (again (- n 1))))
      (again 1)
      """)
    // Ten thousand turns would take a third of these if each were a call and no more.
    sx.limits.steps = 100_000
    #expect(interruption(sx, "(again 10000)") == .steps)
  }

  /// Data may be long for what looks at a part of it.
  @Test(arguments: [
    "(contains? dict \"5\")", "(has-key? dict \"5\")", "(get dict \"5\")", "(first numbers)", "(nth numbers 19000)", "(len text)", "(starts-with? text \"aab\")", "(ends-with? text \"baa\")",
    "(string=? text \"a\")", "(string=? text other)", "(trim text)", "(pad-left text 10)", "(index-of text \"aa\")", "(string-contains? text \"aa\")", "(index-of numbers 3)", "(contains? numbers 3)",
    "(take numbers 3)", "(slice numbers 3 6)", "(vector-fill! vector 0 10 20)", "(vector->string characters 0 10)", "(string->utf8 text 10 20)", "(string->vector text 10 20)", "(substring text 10 20)",
    "(hash-table-merge! table (hash-table 1 2))", "(set-subset? (make-set (list 1)) set)", "(set-disjoint? (make-set (list 1)) set)", "(set-add! set 1)", "(ring-last ring 3)", "(ring-append! ring (list 1))",
    "(into tree {:a 1})", "(assoc tree :a 1)", "(merge tree {:a 1})", "(= numbers vector)",
  ])
  func whatLooksAtAPartDoesNotPayForAll(expression: String) throws {
    let sx = Interpreter()
    try sx.evaluate("""
      (define numbers (map inc (range 20000))) (define vector (list->vector numbers)) (define dict (zipmap (map str numbers) numbers)) (define tree (assoc dict :b 2))
      (define text (repeat "a" 20000)) (define other (str "b" (slice text 1))) (define characters (make-vector 20000 #\\a)) (define set (list->set numbers)) (define table (make-hash-table))
      (define ring (make-ring 20000)) (for-each (fn (i) (hash-table-set! table i i) (ring-push! ring i)) numbers)
      (define (again n) (when (> n 0) \(expression) (again (- n 1))))
      (again 1)
      """)
    sx.limits.steps = 100_000
    try sx.evaluate("(again 200)")
  }

  @Test func theStackEndsWithAnErrorThatNoScriptCatches() throws {
    let sx = Interpreter()
    try sx.evaluate("(define (deep n) (if (= n 0) 0 (+ 1 (deep (- n 1)))))")
    sx.limits.stackSlots = 4000
    #expect(try sx.evaluate("(deep 100)").integer == 100)
    #expect(interruption(sx, "(guard (e (true 1)) (deep 100000))") == .stack)
    #expect(try sx.evaluate("(deep 100)").integer == 100)
    sx.limits = .none
    #expect(try sx.evaluate("(deep 100000)").integer == 100_000)
  }

  /// Less than the stack that a call of the host begins with would not be asked for.
  @Test func theLeastStackIsThatOfASmallProgram() throws {
    let sx = Interpreter()
    sx.limits.stackSlots = 1
    #expect(try sx.evaluate("(define (f n) (if (= n 0) 0 (+ 1 (f (- n 1))))) (f 10)").integer == 10)
    #expect(interruption(sx, "(f 1000)") == .stack)
  }

  @Test func theHeapIsToldAsAValue() {
    let sx = Interpreter()
    sx.limits = Limits(heapBytes: 16_000_000)
    #expect(interruption(sx, "(guard (e (true 1)) (let loop ((l (list))) (loop (cons 1 l))))") == .heap)
    #expect(sx.heapLimit == 16_000_000)
  }

  @Test func outputEndsBeforeItIsTooMuch() throws {
    let host = Counter(), sx = Interpreter(host: host)
    sx.limits.outputBytes = 9
    #expect(interruption(sx, "(guard (e (true 1)) (print \"12345\") (eprintln 678) (print 9) (print 0))") == .output)
    // 5, then 3 and the end of the line, which makes 9.
    #expect(host.written == "12345678\n")
    try sx.evaluate("(print \"next run\")")
    #expect(host.written == "12345678\nnext run")
    // A port in memory is none of the host's.
    #expect(try sx.evaluate("(let ((p (open-output-string))) (display \"more than nine\" p) (get-output-string p))").string == "more than nine")
  }

  @Test func aFiberThatWaitsEndsWhenItsTimeIsOver() throws {
    let host = Counter(), sx = Interpreter(host: host)
    sx.limits.time = .milliseconds(20)
    #expect(interruption(sx, "(guard (e (true 1)) (perform {:op \"wait\" :args ()}))") == .time)
    #expect(try sx.evaluate("(+ 1 2)").integer == 3)
  }

  @Test func aRunOfSpawnedFibersIsLimitedToo() throws {
    let sx = Interpreter()
    sx.limits.steps = 100_000
    var outcomes: [Interruption?] = []
    for _ in 0..<3 {
      sx.spawn(source: "(let loop () (guard (e (true 1)) 1) (loop))", file: "f") { result in
        if case .failure(let diagnostic) = result { outcomes.append(diagnostic.interruption) }
      }
    }
    sx.runReady()
    #expect(outcomes == [.steps, .steps, .steps])
  }

  @Test func theReasonOfACancellationIsTold() throws {
    let sx = Interpreter()
    sx.cancellation.cancel(reason: "the user has left")
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(guard (e (true 1)) (let loop () (loop)))") }
    #expect(error?.interruption == .cancelled(reason: "the user has left"))
    #expect(error?.message == "cancelled: the user has left")
    #expect(error?.location?.line == 1)
  }

  @Test func aMistakeIsNoInterruption() {
    #expect(interruption(Interpreter(), "(car 5)") == nil)
  }

  @Test func anEndlessLoopStopsWhenAnotherThreadSaysSo() throws {
    let sx = Interpreter()
    // A thread of its own: those of tasks may all be busy with tests.
    DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(50)) { [cancellation = sx.cancellation] in cancellation.cancel(reason: "enough") }
    #expect(interruption(sx, "(let loop () (guard (e (true 1)) (car 5)) (loop))") == .cancelled(reason: "enough"))
    #expect(try sx.evaluate("(+ 1 2)").integer == 3)
  }

  @Test func theAsynchronousFormHasTheSameLimits() async throws {
    let host = Counter(), sx = Interpreter(host: host)
    func interruption(_ source: String) async -> Interruption? {
      do {
        try await sx.run(source)
        return nil
      } catch { return (error as? Diagnostic)?.interruption }
    }
    sx.define("later") { () async in await Task.yield() }
    sx.limits = Limits(steps: 200_000, stackSlots: 4000, outputBytes: 9)
    let half = "(let loop ((i 0)) (if (= i 90000) i (loop (+ i 1))))"
    for _ in 0..<5 { #expect(try await sx.run("\(half) (later) \(half)").integer == 90_000) }
    #expect(await interruption("\(half) (later) \(half) (later) \(half)") == .steps)
    #expect(await interruption("(guard (e (true 1)) (let loop () (later) (loop)))") == .steps)
    #expect(await interruption("(define (deep n) (if (= n 0) 0 (+ 1 (deep (- n 1))))) (later) (deep 100000)") == .stack)
    #expect(await interruption("(print \"12345\") (later) (print \"67890\")") == .output)
    #expect(host.written == "12345")
    sx.limits = Limits(time: .milliseconds(30))
    #expect(await interruption("(let loop () (later) (loop))") == .time)
    sx.limits = Limits(heapBytes: 16_000_000)
    #expect(await interruption("(later) (let loop ((l (list))) (loop (cons 1 l)))") == .heap)
    sx.limits = .none
    #expect(try await sx.run("(later) 3").integer == 3)
  }

  /// Runs of one actor overlap: while one waits, others go on.
  private actor Owner {
    let host: Counter
    let sx: Interpreter
    init() {
      host = Counter()
      sx = Interpreter(host: host)
      sx.define("later") { () async in await Task.yield() }
    }
    /// The value as a text, or why there is none.
    func run(_ source: String, _ limits: Limits) async -> String {
      sx.limits = limits
      do { return try await sx.run(source).description } catch { return "\((error as? Diagnostic)?.interruption.map { "\($0)" } ?? "\(error)")" }
    }
  }

  @Test func runsThatOverlapHaveTheirStepsEachForItself() async {
    let owner = Owner(), half = "(let loop ((i 0)) (if (= i 90000) i (loop (+ i 1))))"
    await withTaskGroup(of: Bool.self) { group in
      for i in 0..<12 {
        // Every fourth one never ends by itself.
        let isEndless = i % 4 == 3
        group.addTask {
          await owner.run(isEndless ? "(let loop () (later) \(half) (loop))" : "\(half) (later) \(half)", Limits(steps: 200_000)) == (isEndless ? "\(Interruption.steps)" : "90000")
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }

  @Test func runsThatOverlapHaveTheirOutputEachForItself() async {
    let owner = Owner(), limits = Limits(outputBytes: 9)
    async let first = owner.run("(print \"12345\") (later) (print \"6789\") 1", limits)
    async let second = owner.run("(print \"12345\") (later) (print \"67890\") 2", limits)
    async let third = owner.run("(print \"12345\") (later) (print \"6789\") 3", limits)
    #expect(await [first, second, third] == ["1", "\(Interruption.output)", "3"])
  }

  @Test func theTimeOfARunEndsNoOther() async {
    let owner = Owner()
    async let patient = owner.run("(define over false) (let loop () (unless over (later) (loop))) 7", .none)
    async let hasty = owner.run("(let loop () (later) (loop))", Limits(time: .milliseconds(30)))
    #expect(await hasty == "\(Interruption.time)")
    #expect(await owner.run("(set! over true)", Limits(steps: 100_000)) == "true")
    #expect(await patient == "7")
  }

  @Test func whatARunLeavesBehindGoesOnInTheNextOne() async {
    let owner = Owner(), work = "(let loop ((i 0)) (if (= i 90000) i (loop (+ i 1))))"
    // More than one run may do, and less than two.
    let left = "(define done false) (spawn (fn () \(work) (later) \(work) (later) \(work) (set! done true))) 1"
    #expect(await owner.run(left, Limits(steps: 200_000)) == "1")
    #expect(await owner.run("(let loop () (unless done (later) (loop))) 2", Limits(steps: 400_000)) == "2")
  }

  /// The compiler's work on a template grows with its size, however deep it is nested.
  @Test func quasiquotesThatNestDeeplyTakeLinearWork() throws {
    let depth = 200
    let sx = Interpreter()
    sx.limits = Limits(steps: 100 * depth)
    let nested = String(repeating: "(quasiquote ", count: depth) + String(repeating: "(unquote ", count: depth) + "x" + String(repeating: ")", count: 2 * depth)
    #expect(try sx.evaluate("(define x 5) \(nested) 7").integer == 7)
  }
}
