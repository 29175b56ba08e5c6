import SX
import Testing

/// One fiber is told to end; the others go on.
@Suite struct CancellationTests {
  /// Keeps waiting fibers waiting, and stops instead of blocking.
  private final class PatientHost: TestHost {
    var performed: [FiberID] = []
    override func perform(_ operation: Operation, for interpreter: Interpreter) -> Bool {
      performed.append(operation.fiber)
      return true
    }
    var statuses: [Int32] = []
    var onExit: () -> Void = {}
    override func exit(_ status: Int32) {
      statuses.append(status)
      onExit()
    }
  }

  /// Without the capability, and past every handler.
  @Test func anExitFromOutsideLeavesInOrder() throws {
    let host = PatientHost(), sx = Interpreter(host: host)
    var noted: [String] = []
    sx.define("note") { (text: String) -> Int in
      noted.append(text)
      return 0
    }
    sx.define("exit-from-outside") { () -> Int in
      sx.cancellation.exit(7)
      return 0
    }
    // As hosts do that cannot end the process.
    host.onExit = { sx.cancellation.cancel() }
    let source = """
      (at-exit (fn () (note "at exit")))
      (guard (e (true (note "caught")))
        (dynamic-wind
          (fn () 0)
          (fn () (exit-from-outside) (let loop ((i 0)) (when (< i 1000000) (loop (+ i 1)))) (note "went on"))
          (fn () (note "after"))))
      """
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate(source, file: "exit.sx") }
    #expect(error?.interruption == .cancelled(reason: nil))
    #expect(noted == ["after", "at exit"])
    #expect(host.statuses == [7])
  }

  @Test(arguments: [
    "(let loop ((i 0)) (guard (e (true 1)) (loop (+ i 1))))",
    "(coroutine-resume (make-coroutine (fn () (let loop () (loop)))))",
    "(define (deep) (+ 1 (deep))) (let again () (guard (e (true (again))) (deep)))",
  ])
  func aRunningFiberEndsAndTheOthersGoOn(source: String) throws {
    let sx = Interpreter()
    var failure: Diagnostic?
    let endless = sx.spawn(source: source, file: "endless.sx") { if case .failure(let diagnostic) = $0 { failure = diagnostic } }
    // Runs beside it, in the other's time slices, and ends it half way.
    sx.define("end-it") { () -> Int in
      sx.cancellation.cancel(endless)
      return 0
    }
    let sum = try sx.evaluate("(let loop ((i 0) (sum 0)) (when (= i 200000) (end-it)) (if (= i 400000) sum (loop (+ i 1) (+ sum 1))))")
    #expect(sum.integer == 400_000)
    sx.runReady()
    #expect(failure?.message == "cancelled")
    #expect(failure?.location?.file == "endless.sx")
  }

  /// Whichever fiber has its turn when somebody asks.
  @Test(arguments: ["(perform {:op \"wait\" :args ()})", "(let loop () (loop))", "(coroutine-resume (make-coroutine (fn () (perform {:op \"wait\" :args ()}))))"])
  func theEvaluationThatTheHostWaitsForEnds(waiting: String) throws {
    let host = PatientHost(), sx = Interpreter(host: host)
    var turns = 0
    sx.define("turn") { [cancellation = sx.cancellation] in
      turns += 1
      if turns == 3 { cancellation.cancel(reason: "enough") }
    }
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(spawn (fn () (let loop ((i 0)) (turn) (let busy ((j 0)) (when (< j 50000) (busy (+ j 1)))) (when (< i 9) (loop (+ i 1)))))) \(waiting)") }
    #expect(error?.interruption == .cancelled(reason: "enough"))
    // The other one goes on.
    sx.runReady()
    #expect(turns == 10)
  }

  @Test func aWaitingFiberEndsWithoutItsAnswer() throws {
    let host = PatientHost(), sx = Interpreter(host: host)
    var outcomes: [String] = []
    let waiting = sx.spawn(source: "(perform {:op \"wait\" :args ()}) (define reached true)", file: "w") { result in
      if case .failure(let diagnostic) = result { outcomes.append(diagnostic.message) }
    }
    sx.runReady()
    #expect(host.performed == [waiting])
    sx.cancellation.cancel(waiting)
    sx.runReady()
    #expect(outcomes == ["cancelled"])
    // The answer comes too late and does nothing.
    sx.resume(waiting, returning: 1)
    sx.runReady()
    #expect(outcomes.count == 1)
    #expect((try? sx.evaluate("reached")) == nil)
  }

  @Test func aCoroutineThatWaitsEndsWithTheFiberThatResumedIt() throws {
    let sx = Interpreter(host: PatientHost())
    var messages: [String] = []
    let fiber = sx.spawn(source: "(coroutine-resume (make-coroutine (fn () (perform {:op \"wait\" :args ()}))))", file: "c") { result in
      if case .failure(let diagnostic) = result { messages.append(diagnostic.message) }
    }
    sx.runReady()
    sx.cancellation.cancel(fiber)
    sx.runReady()
    #expect(messages == ["cancelled"])
  }

  @Test func anEndedFiberIsNotMissed() throws {
    let sx = Interpreter()
    let fiber = sx.spawn(source: "1", file: "one") { _ in }
    sx.runReady()
    sx.cancellation.cancel(fiber)
    #expect(try sx.evaluate("(+ 1 2)").integer == 3)
  }
}
