@testable import SX
import Synchronization
import Testing

/// Functions for whose results a fiber waits, and the runs that wait with it.
@Suite struct AsynchronousFunctionTests {
  /// One that is opened by hand.
  private final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))
    func open() {
      let waiting = state.withLock { state in
        defer { state = (true, []) }
        return state.waiting
      }
      for continuation in waiting { continuation.resume() }
    }
    func pass() async {
      await withCheckedContinuation { continuation in
        let isOpen = state.withLock { state in
          if !state.isOpen { state.waiting.append(continuation) }
          return state.isOpen
        }
        if isOpen { continuation.resume() }
      }
    }
  }

  /// How a run ends that fails.
  private func failure(_ sx: Interpreter, _ source: String, isolation: isolated (any Actor)? = #isolation) async -> Diagnostic? {
    do {
      try await sx.run(source)
      Issue.record("\(source) must fail")
      return nil
    } catch { return error as? Diagnostic }
  }

  @Test func aFiberWaitsForTheResult() async throws {
    let sx = Interpreter()
    sx.define("stock") { (article: String) async throws in
      await Task.yield()
      return ["cup": 3][article]
    }
    #expect(try await sx.run("(map stock (list \"cup\"))").description == "(3)")
    #expect(try await sx.run("(+ (stock \"cup\") (stock \"cup\"))").integer == 6)
    #expect(try await sx.run("(stock \"pot\")").isNil)
    // As the function of a fiber itself, in the place of a tail call, and kept by Swift.
    #expect(try await sx.run("(define (f) (stock \"cup\")) (f)").integer == 3)
    #expect(try await sx.run(try sx.evaluate("stock"), ["cup"]).integer == 3)
    #expect(try await sx.run(try Program("(stock \"cup\")")).integer == 3)
  }

  @Test func otherFibersGoOnMeanwhile() async throws {
    let sx = Interpreter(), gate = Gate()
    sx.define("wait") { () async in await gate.pass() }
    sx.define("open") { gate.open() }
    // The first fiber waits for what the second does.
    let order = try await sx.run("(define log (list)) (spawn (fn () (append! log \"other\") (open))) (append! log \"before\") (wait) (append! log \"after\") log")
    #expect(order.description == "(\"before\" \"other\" \"after\")")
  }

  @Test func manyWaitAtOnce() async throws {
    let sx = Interpreter()
    sx.define("square") { (n: Int) async in
      for _ in 0..<(n % 7) { await Task.yield() }
      return n * n
    }
    let sum = try await sx.run("""
      (define left 100) (define sum 0)
      (for-each (fn (n) (spawn (fn () (let ((s (square n))) (set! sum (+ sum s)) (set! left (- left 1)))))) (range 100))
      (let loop () (if (= left 0) sum (begin (square 1) (loop))))
      """)
    #expect(sum.integer == (0..<100).reduce(0) { $0 + $1 * $1 })
  }

  @Test func theResultComesBackToTheActorThatOwnsTheInterpreter() async throws {
    actor Owner {
      let sx = Interpreter()
      var calls = 0
      func run(_ source: String) async throws -> Int? {
        sx.define("far") { (n: Int) async in n + 1 }
        // Not asynchronous: runs on the actor, whose state it may use.
        sx.define("near!") {
          self.assertIsolated()
          self.calls += 1
        }
        return try await sx.run(source).integer
      }
    }
    let owner = Owner()
    #expect(try await owner.run("(near!) (let ((n (far 1))) (near!) n)") == 2)
    #expect(await owner.calls == 2)
  }

  @Test func runsOfOneActorOverlap() async throws {
    actor Owner {
      let sx = Interpreter()
      let gates = [Gate(), Gate(), Gate()]
      init() {
        let gates = gates
        sx.define("pass") { (i: Int) async in await gates[i].pass() }
        sx.define("open!") { (i: Int) in gates[i].open() }
      }
      func run(_ source: String) async throws -> Int? { try await sx.run(source).integer }
    }
    let owner = Owner()
    // Each waits for what another one does, and whoever is woken runs them all.
    async let first = owner.run("(pass 0) (open! 1) 1"), second = owner.run("(pass 1) (open! 2) 2"), third = owner.run("(pass 2) 3")
    #expect(try await owner.run("(open! 0) 0") == 0)
    let all = try await [first, second, third]
    #expect(all == [1, 2, 3])
  }

  @Test func manyRunsOfOneActorNeverMeet() async throws {
    actor Owner {
      let sx = Interpreter()
      private var isBusy = false
      init() { sx.define("later") { (n: Int) async in
        for _ in 0..<(n % 5) { await Task.yield() }
        return n
      } }
      func run(_ n: Int) async throws -> Int {
        if n == 0 {
          sx.define("exclusively") { (f: Function) throws in
            self.assertIsolated()
            precondition(!self.isBusy)
            self.isBusy = true
            defer { self.isBusy = false }
            return try f(as: Int.self)
          }
        }
        return try await sx.run("(let ((a (later \(n)))) (let ((b (exclusively (fn () (reduce + 0 (range 200)))))) (+ (later a) b)))").as(Int.self)
      }
    }
    let owner = Owner()
    _ = try await owner.run(0)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for n in 1...200 { group.addTask { try await owner.run(n) == n + 19_900 } }
      for try await isRight in group { #expect(isRight) }
    }
  }

  struct Refusal: Error, CustomStringConvertible { let description = "not today" }

  @Test func whatItThrowsComesOutAsItself() async throws {
    let sx = Interpreter()
    sx.define("refuse") { () async throws -> Int in
      await Task.yield()
      throw Refusal()
    }
    #expect(try await sx.run("(guard (e (true (error-message e))) (refuse))").string == "not today")
    let error = await failure(sx, "(list\n (refuse))")
    #expect(error?.underlyingError is Refusal)
    #expect(error?.location?.line == 2)
  }

  @Test func wrongArgumentsAndPlacesAreErrors() async throws {
    let sx = Interpreter()
    sx.define("later") { (n: Int) async in n }
    func message(_ source: String) async -> String? { await failure(sx, source)?.message }
    #expect(await message("(later)") == "later: expected 1 argument, got 0")
    #expect(await message("(later 'a)") == "later: argument 1: expected integer, got symbol a")
    #expect(await message("(defmacro m () (later 1)) (m)")?.hasPrefix("cannot wait here: `later`") == true)
    sx.define("call") { (f: Function) throws in try f(as: Int.self) }
    #expect(await message("(call (fn () (later 1)))")?.hasPrefix("cannot wait here: `later`") == true)
    #expect(try await sx.run("(later 1)").integer == 1)
  }

  @Test func timeThatPassesWhileWaitingCounts() async throws {
    let sx = Interpreter(), gate = Gate()
    sx.define("wait") { () async in await gate.pass() }
    sx.limits.time = .milliseconds(20)
    #expect(await failure(sx, "(guard (e (true 1)) (wait))")?.interruption == .time)
    gate.open()
    sx.limits = .none
    #expect(try await sx.run("(wait) 5").integer == 5)
  }

  @Test func aTaskThatIsCancelledCancelsScriptAndFunction() async throws {
    let started = Gate(), wasCancelled = Mutex(false)
    let task = Task {
      let sx = Interpreter()
      sx.define("forever") { () async in
        await withTaskCancellationHandler {
          started.open()
          while !Task.isCancelled { await Task.yield() }
        } onCancel: {
          wasCancelled.withLock { $0 = true }
        }
      }
      return try await sx.run("(guard (e (true 1)) (forever))").integer
    }
    await started.pass()
    task.cancel()
    let error = await #expect(throws: Diagnostic.self) { try await task.value }
    #expect(error?.interruption == .cancelled(reason: "the task was cancelled"))
    #expect(wasCancelled.withLock { $0 })
  }

  @Test func cancellingWakesARunThatWaits() async throws {
    let sx = Interpreter(), gate = Gate()
    let cancellation = sx.cancellation
    sx.define("wait") { () async in
      cancellation.cancel(reason: "enough")
      await gate.pass()
    }
    let error = await failure(sx, "(wait)")
    #expect(error?.interruption == .cancelled(reason: "enough"))
    gate.open()
  }

  @Test func whenNothingCanWakeAFiberThatIsAnError() async throws {
    let sx = Interpreter()
    sx.define("quick") { () async in 1 }
    #expect(try await sx.run("(quick)").integer == 1)
    let mute = Interpreter(host: TestHost())
    #expect(await failure(mute, "(perform {:op \"x\" :args ()})")?.message.hasPrefix("deadlock") == true)
  }
}
