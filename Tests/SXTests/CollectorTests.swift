import SX
import Testing

/// Programs of every kind under a collection at every safepoint: a value that no root holds would be reused at once.
@Suite struct CollectorTests {
  private func stressed(_ source: String) throws -> String {
    let sx = Interpreter()
    sx.stressesCollector = true
    let value = try sx.evaluate(source)
    #expect(sx.collections >= 10)
    return value.description
  }

  @Test func listsThatChange() throws {
    #expect(try stressed("(let ((l (list))) (for-each (fn (i) (append! l (str \"item\" i))) (range 40)) (nth l 39))") == "\"item39\"")
  }
  @Test func dictsInEveryRepresentation() throws {
    #expect(
      try stressed(
        """
        (define d {})
        (for-each (fn (i) (dict-set! d (str "k" i) (list i))) (range 60))
        (define e (reduce (fn (m i) (assoc m (str "k" i) (str i))) d (range 30)))
        (list (get d "k7") (get e "k7") (len e) (get e "k59"))
        """) == "((7) \"7\" 60 (59))")
  }
  @Test func closuresAndBoxes() throws {
    #expect(try stressed("(define (counter) (let ((n 0)) (fn () (set! n (+ n 1)) n))) (define c (counter)) (for-each (fn (i) (c)) (range 30)) (c)") == "31")
  }
  @Test func deepRecursionMovesTheStack() throws {
    #expect(try stressed("(define (sum n) (if (= n 0) 0 (+ n (sum (- n 1))))) (sum 500)") == "125250")
  }
  @Test func handlersAndWinders() throws {
    #expect(
      try stressed(
        """
        (define log (list))
        (define (note x) (append! log x))
        (define (try i) (guard (e (true (note (str "caught " e)) i))
          (dynamic-wind (fn () (note "in")) (fn () (raise (str "c" i))) (fn () (note "out")))))
        (list (map try (range 3)) (len log) (last log))
        """) == "((0 1 2) 9 \"caught c2\")")
  }
  @Test func continuationsAndCoroutines() throws {
    #expect(
      try stressed(
        """
        (define co (make-coroutine (fn () (for-each (fn (i) (coroutine-yield (str "y" i))) (range 5)) "end")))
        (define k nil)
        (define count 0)
        (define v (call/cc (fn (c) (set! k c) 0)))
        (set! count (+ count 1))
        (if (< v 3) (k (+ v 1)))
        (list count v (coroutine-resume co) (coroutine-resume co))
        """).hasSuffix("\"y0\" \"y1\")"))
  }
  @Test func macrosExpandAndCompile() throws {
    #expect(try stressed("(defmacro twice (x) (let ((g (gensym))) `(let ((,g ,x)) (list ,g ,g)))) (map (fn (i) (twice (str i))) (range 10))").hasPrefix("((\"0\" \"0\")"))
  }
  /// Nothing orders what is given up with an interpreter: a coroutine that waits may go after the one that has resumed it.
  @Test func anInterpreterIsGivenUpWhileACoroutineOfACoroutineWaits() {
    func leaveWaiting() {
      let sx = Interpreter(host: TestHost())
      let error = #expect(throws: Diagnostic.self) {
        try sx.evaluate("""
          (define (chain n) (make-coroutine (fn () (if (= n 0) (perform {:op "never" :args ()}) (coroutine-resume (chain (- n 1)))))))
          (coroutine-resume (chain 5))
          """)
      }
      #expect(error?.message.hasPrefix("deadlock") == true)
    }
    for _ in 0..<3 { leaveWaiting() }
  }
  /// A limit ends what runs inside of a macro, and the coroutines that it has resumed with it.
  @Test func coroutinesInsideOfAMacroThatALimitEnds() throws {
    let sx = Interpreter()
    sx.limits.steps = 200_000
    _ = try sx.evaluate("(define (own function) (make-coroutine function)) (defmacro forever () (let ((inner (own (fn () (let loop () (loop)))))) (coroutine-resume (own (fn () (coroutine-resume inner))))))")
    for _ in 0..<5 { #expect(throws: Diagnostic.self) { try sx.evaluate("(forever)") } }
    for _ in 0..<3 { try sx.evaluate("(collect-garbage) (define coroutines (map (fn (i) (make-coroutine (fn () i))) (range 1000)))") }
    #expect(try sx.evaluate("(len (map coroutine-resume coroutines))").integer == 1000)
  }
}
