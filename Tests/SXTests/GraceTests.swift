import SX
import Testing

/// What `dynamic-wind` was given still runs when a limit or a cancellation ends a fiber, and no more than that.
@Suite struct GraceTests {
  private final class Host: TestHost {
    var written = "", onExit: (Int32) -> Void = { _ in }
    override func write(_ bytes: UnsafeRawBufferPointer, to stream: OutputStream) { written += String(decoding: bytes, as: UTF8.self) }
    override func exit(_ status: Int32) { onExit(status) }
  }

  /// An interpreter whose function `note` notes a text, and that `cancel` cancels.
  private static func make(_ limits: Limits = .none, notes: @escaping (String) -> Void) -> Interpreter {
    let sx = Interpreter()
    sx.limits = limits
    sx.define("note") { (text: String) in notes(text) }
    sx.define("cancel") { [cancellation = sx.cancellation] in cancellation.cancel(reason: "enough") }
    return sx
  }

  private static func wound(_ name: String, _ body: String) -> String { "(dynamic-wind (fn () nil) (fn () \(body)) (fn () (note \"\(name)\")))" }

  @Test(arguments: [
    ("(let loop () (loop))", Limits(steps: 100_000), Interruption.steps),
    ("(let loop () (loop))", Limits(time: .milliseconds(20)), .time),
    ("(let loop ((l (list))) (loop (cons 1 l)))", Limits(heapBytes: 16_000_000), .heap),
    ("(repeat \"text\" 1000000000)", Limits(heapBytes: 16_000_000), .heap),
    ("(let deep () (+ 1 (deep)))", Limits(stackSlots: 10_000), .stack),
    ("(let loop () (print \"much\") (loop))", Limits(outputBytes: 1_000), .output),
    ("(cancel)", .none, .cancelled(reason: "enough")),
    ("(regexp-match \"(a|aa|aaa)*b\" (repeat \"a\" 1000000))", Limits(steps: 100_000), .steps),
    // Inside of a primitive, a macro, a parameter's converter and a function of the host.
    ("(sort (list 2 1) (fn (a b) \(wound("inner", "(let loop () (loop))"))))", Limits(steps: 100_000), .steps),
    ("(eval '(begin (defmacro m () \(wound("inner", "(let loop () (loop))"))) (m)))", Limits(steps: 100_000), .steps),
    ("(make-parameter 1 (fn (x) \(wound("inner", "(let loop () (loop))"))))", Limits(steps: 100_000), .steps),
    ("(call-back (fn () \(wound("inner", "(let loop () (loop))"))))", Limits(steps: 100_000), .steps),
    ("(coroutine-resume (make-coroutine (fn () \(wound("inner", "(let loop () (loop))")))))", Limits(steps: 100_000), .steps),
    ("(coroutine-resume (make-coroutine (fn () \(wound("inner", "(sort (list 2 1) (fn (a b) (cancel)))")))))", .none, .cancelled(reason: "enough")),
  ])
  func thunksOnTheWayOutRunInnermostFirst(body: String, limits: Limits, expected: Interruption) throws {
    var noted: [String] = []
    let sx = Self.make(limits) { noted.append($0) }
    sx.define("call-back") { (f: Function) throws in _ = try f(as: Datum.self) }
    let source = "(guard (e (true \"caught\")) \(Self.wound("outer", "(guard (e (true \"caught\")) \(Self.wound("middle", body)))")))"
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate(source) }
    #expect(error?.interruption == expected)
    #expect(noted == (body.contains("inner") ? ["inner"] : []) + ["middle", "outer"])
    sx.limits = .none
    #expect(try sx.evaluate("(len (map inc (range 1000)))").integer == 1000)
  }

  /// With bindings as they were around the `dynamic-wind`.
  @Test func theySeeTheirSurroundings() throws {
    var noted: [String] = []
    let sx = Self.make(Limits(steps: 100_000)) { noted.append($0) }
    #expect(throws: Diagnostic.self) {
      try sx.evaluate("""
        (define p (make-parameter "outside"))
        (parameterize ((p "around"))
          (dynamic-wind (fn () nil) (fn () (parameterize ((p "inside")) (let loop () (loop)))) (fn () (note (p)))))
        """)
    }
    #expect(noted == ["around"])
  }

  @Test(arguments: [
    // One that never ends takes the others' share of the grace along.
    ("(let loop () (loop))", ["before"]),
    ("(sort (list 2 1) (fn (a b) (let loop () (loop))))", ["before"]),
    ("(guard (e (true (note \"caught\"))) (let loop () (loop)))", ["before"]),
    ("(dynamic-wind (fn () nil) (fn () (let loop () (loop))) (fn () (note \"no grace of its own\")))", ["before"]),
    ("(cancel)", ["before"]),
    ("(let deep () (+ 1 (deep)))", ["before"]),
    // What goes wrong in one leaves it, and leads to the next.
    ("(error \"no\")", ["before", "outer"]),
    ("(k 1)", ["before", "outer"]),
    ("(sleep 1)", ["before", "outer"]),
    ("(exit 0)", ["before", "outer"]),
    ("(coroutine-yield 1)", ["before", "outer"]),
    // Handlers of its own are in force.
    ("(guard (e (true (note (error-message e)))) (error \"mended\"))", ["before", "mended", "after", "outer"]),
  ])
  func neitherMayTheyGoOnForEverNorBringTheFiberBack(doing: String, notes: [String]) throws {
    var noted: [String] = []
    let sx = Self.make(Limits(steps: 200_000, stackSlots: 10_000)) { noted.append($0) }
    sx.capabilities = .all
    let source = """
      (guard (e (true (note "came back")))
        (call/cc (fn (k)
          \(Self.wound("outer", """
            (guard (e (true (note "caught")))
              (dynamic-wind (fn () nil) (fn () (let loop () (loop))) (fn () (note "before") \(doing) (note "after"))))
            """)))))
      """
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate(source) }
    #expect(error?.interruption == .steps)
    // The place is where the script was, not what came after.
    #expect(error?.location?.line == 4)
    #expect(noted == notes)
    #expect(try sx.evaluate("(+ 1 2)").integer == 3)
  }

  /// However many there are, they are over soon.
  @Test func manyThunksShareOneGrace() throws {
    var noted = 0
    let sx = Self.make { _ in noted += 1 }
    try sx.evaluate("""
      (define (nest n)
        (if (= n 0) (cancel) (dynamic-wind (fn () nil) (fn () (nest (- n 1))) (fn () (note "") (let loop ((i 0)) (when (< i 1000) (loop (+ i 1))))))))
      """)
    #expect(throws: Diagnostic.self) { try sx.evaluate("(nest 10000)") }
    // 65,536 steps, of which each takes a thousand; fewer where these take longer than the grace.
    #expect(noted > 0 && noted < 70, "\(noted)")
  }

  @Test func whatTheyWriteCounts() throws {
    let host = Host(), sx = Interpreter(host: host)
    sx.limits = Limits(steps: 100_000, outputBytes: 10)
    #expect(throws: Diagnostic.self) {
      try sx.evaluate("""
        (dynamic-wind (fn () nil)
          (fn () (dynamic-wind (fn () (print "1234")) (fn () (let loop () (loop))) (fn () (print "56789"))))
          (fn () (print "ab")))
        """)
    }
    #expect(host.written == "123456789")
  }

  /// Those of a fiber that waits as well.
  @Test func aFiberThatWaitsIsLeft() throws {
    var noted: [String] = []
    let sx = Self.make { noted.append($0) }
    sx.define("wait") { () async throws in try await Task.sleep(for: .seconds(60)) }
    var failure: Diagnostic?
    let fiber = sx.spawn(source: Self.wound("left", "(coroutine-resume (make-coroutine (fn () \(Self.wound("coroutine", "(wait)")))))"), file: "waits.sx") {
      if case .failure(let diagnostic) = $0 { failure = diagnostic }
    }
    sx.runReady()
    #expect(failure == nil)
    sx.cancellation.cancel(fiber, reason: "gone")
    sx.runReady()
    #expect(failure?.interruption == .cancelled(reason: "gone"))
    #expect(noted == ["coroutine", "left"])
  }

  /// A fiber that a thunk begins goes on, in the next run at the latest.
  @Test func whatTheyBeginIsNotPartOfTheGrace() throws {
    let sx = Self.make { _ in }
    #expect(throws: Diagnostic.self) {
      try sx.evaluate("""
        (define turns 0)
        (dynamic-wind (fn () nil) cancel (fn () (spawn (fn () (let loop ((i 0)) (set! turns i) (when (< i 300000) (loop (+ i 1))))))))
        """)
    }
    sx.runReady()
    #expect(try sx.evaluate("turns").integer == 300_000)
  }

  @Test func spansOfAnInterruptedFiberEnd() throws {
    let sx = Self.make { _ in }
    sx.capabilities = .all
    #expect(throws: Diagnostic.self) {
      try sx.evaluate("(otel/with-span \"request\" {} (fn () (otel/with-span \"query\" {} (fn () (cancel)))))")
    }
    #expect(try sx.evaluate("(map (fn (span) (list (get span :name) (get span :status) (get span :status-message))) (otel/recent))").description
      == "((\"query\" \"error\" \"cancelled: enough\") (\"request\" \"error\" \"cancelled: enough\"))")
    #expect(try sx.evaluate("(len (otel/open-spans))").integer == 0)
  }

  /// One that is asked for meanwhile.
  @Test func anExitFromOutsideIsNotLost() throws {
    var noted: [String] = []
    let host = Host(), sx = Interpreter(host: host)
    sx.define("note") { (text: String) in noted.append(text) }
    sx.define("ask") { [cancellation = sx.cancellation] (exit: Bool) in
      if exit { cancellation.exit(7) } else { cancellation.cancel() }
    }
    host.onExit = {
      noted.append("exit \($0)")
      sx.cancellation.cancel()
    }
    #expect(throws: Diagnostic.self) {
      try sx.evaluate("(dynamic-wind (fn () nil) (fn () (ask false)) (fn () (ask true) (let loop ((i 0)) (when (< i 60000) (loop (+ i 1)))) (note \"after\")))")
    }
    #expect(noted == [])
    #expect(throws: Diagnostic.self) { try sx.evaluate("(let loop () (loop))") }
    #expect(noted == ["exit 7"])
  }
}
