import SX
import SXHost
import Synchronization
import Testing

/// Asynchronous functions where the interpreter has a thread of its own.
@Suite struct AsynchronousFunctionThreadTests {
  @Test(arguments: [true, false]) func aThreadThatEvaluatesWaitsForTheResult(hasSystemHost: Bool) async throws {
    let answer = OneShot<String>()
    // Nobody blocks a thread of the pool in the meantime: the functions need one.
    try InterpreterThread.detach {
      let sx = hasSystemHost ? Interpreter(host: SystemHost(SystemHost.Configuration(output: .captured))) : Interpreter()
      sx.define("later") { (n: Int) async in
        await Task.yield()
        return n + 1
      }
      answer.give((try? sx.evaluate("(define done 0) (spawn (fn () (set! done (later 10)))) (let loop ((n 0)) (if (and (= done 11) (> n 5)) (list n done) (loop (later n))))").description) ?? "failed")
    }
    #expect(await answer.value.hasSuffix(" 11)"))
  }

  @Test func resultsAndTimersReachTheSameThread() async throws {
    let answer = OneShot<Result<String, Diagnostic>>()
    let thread = try InterpreterThread(SystemHost.Configuration(output: .captured)) { interpreter, _ in
      interpreter.define("later") { (n: Int) async in
        await Task.yield()
        return n
      }
      interpreter.spawn(source: "(sleep 1) (let ((a (later 1))) (sleep 1) (list a (later 2)))", file: "t.sx") { answer.give($0.map(\.description)) }
    }
    #expect(try await answer.value.get() == "(1 2)")
    thread.stop()
  }

  /// The asynchronous form works with the operations of the host, too: it sleeps until its next timer.
  @Test func aRunSleepsWithTheTimersOfItsHost() async throws {
    let sx = Interpreter(host: SystemHost(SystemHost.Configuration(output: .captured)))
    sx.define("later") { () async in await Task.yield() }
    #expect(try await sx.run("(define log (list)) (spawn (fn () (sleep 5) (append! log 'b))) (append! log 'a) (later) (sleep 50) log").description == "(a b)")
  }

  @Test func anInterpreterIsHandedOn() async throws {
    func use(_ sx: sending Interpreter) async throws -> Int? {
      let task = Task { try sx.evaluate("(+ a 1)").integer }
      return try await task.value
    }
    let sx = Interpreter()
    try sx.evaluate("(define a 41)")
    #expect(try await use(sx) == 42)
  }
}
