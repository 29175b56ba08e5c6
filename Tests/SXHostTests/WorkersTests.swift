import SX
import SXHost
import Synchronization
import Testing

/// `SystemHost.startWorkers`: several interpreters behind one server.
@Suite struct WorkersTests {
  /// What the interpreters of a team and the test tell each other.
  private final class Board: Sendable {
    /// The requests for `/hold` that wait, each as the number of its interpreter and the name it has there; and whether they may answer.
    let holding = Mutex<Set<[Int]>>([])
    let mayAnswer = Atomic<Bool>(false)
    /// Ends what a worker took requests with. Whoever asks for the end of just anything may get that of a handler.
    let cancellations = Mutex<[Int: @Sendable (String) -> Void]>([:])

    func join(_ number: Int, _ interpreter: Interpreter) {
      interpreter.define("may-answer?") { [self] (exchange: Int) in
        holding.withLock { _ = $0.insert([number, exchange]) }
        return mayAnswer.load(ordering: .acquiring)
      }
    }

    /// Evaluates in a fiber that `cancellations` knows.
    func work(_ number: Int, _ source: String, _ interpreter: Interpreter, _ host: SystemHost) throws {
      var outcome: Result<Handle, Diagnostic>?
      let fiber = interpreter.spawn(source: source, file: "worker.sx") { outcome = $0 }
      let cancellation = interpreter.cancellation
      cancellations.withLock { $0[number] = { cancellation.cancel(fiber, reason: $0) } }
      repeat { interpreter.runReady() } while outcome == nil && host.waitForEvents(interpreter)
      _ = try outcome?.get()
    }

    /// How many requests each interpreter holds, sorted.
    var held: [Int] {
      holding.withLock { Dictionary(grouping: $0) { $0[0] }.values.map(\.count).sorted() }
    }
  }

  /// A server whose handlers answer with the number of their interpreter; `/hold` only when the board says so.
  private final class Team: Sendable {
    let board: Board
    let address: ListeningAddress
    private let thread: InterpreterThread
    private let outcome: OneShot<Result<String, Diagnostic>>

    private static func handler(_ number: Int) -> String {
      """
      (fn (exchange request)
        (let wait ()
          (unless (or (not (= (get request :path) "/hold")) (may-answer? exchange))
            (perform {:op "sleep" :args (list 5)})
            (wait)))
        (perform {:op "http-respond" :args (list exchange 200 {} "\(number)")}))
      """
    }

    /// - Parameter body: what a worker does before it takes requests; false to leave instead.
    init(_ count: Int, body: @escaping @Sendable (Int) throws -> Bool = { _ in true }) async throws {
      let listening = OneShot<Result<ListeningAddress, any Error>>(), outcome = OneShot<Result<String, Diagnostic>>()
      let board = Board()
      self.board = board
      self.outcome = outcome
      thread = try InterpreterThread(SystemHost.Configuration(output: .captured, capabilities: .all)) { interpreter, host in
        do {
          try host.startWorkers(count, beside: interpreter) { number, interpreter, host in
            board.join(number, interpreter)
            guard try body(number) else { return }
            try board.work(number, "(perform {:op \"http-work\" :args (list \(Self.handler(number)))})", interpreter, host)
          }
        } catch {
          return listening.give(.failure(error))
        }
        board.join(0, interpreter)
        host.onListening = { listening.give(.success($0)) }
        let source = "(list :after (perform {:op \"http-serve\" :args (list \(Self.handler(0)) {:port 0 :first-paths '(\"/first\")})}))"
        interpreter.spawn(source: source, file: "server.sx") { outcome.give($0.map(\.description)) }
      }
      address = try await listening.value.get()
    }

    func ask(_ path: String) async throws -> Int? {
      let answer = try await TestServer.request(address.url + path)
      return answer.status == 200 ? Int(answer.body) : nil
    }

    /// Stops the server and gives what `http-serve` gave.
    func stop() async throws -> String {
      thread.post { interpreter, host in host.stopServers(interpreter) }
      defer { thread.stop() }
      return try await outcome.value.get()
    }
  }

  @Test func requestsReachAllInterpretersAndSomePathsOnlyTheFirst() async throws {
    let team = try await Team(3)
    var seen: Set<Int?> = []
    for _ in 0..<30 { seen.insert(try await team.ask("/any")) }
    #expect(seen == [0, 1, 2])
    for _ in 0..<6 { #expect(try await team.ask("/first/of/all") == 0) }
    #expect(try await team.stop() == "(\"after\" nil)")
  }

  @Test func whatABodyThrowsBeforeItServesIsThrown() async throws {
    let error = await #expect(throws: HostError.self) {
      try await Team(4) { number in
        if number == 2 { throw HostError("no luck") }
        return true
      }
    }
    #expect(error?.message == "no luck")
  }

  @Test func bodyThatEndsBeforeItServesIsAnError() async throws {
    let error = await #expect(throws: HostError.self) { try await Team(2) { _ in false } }
    #expect(error?.message == "worker 1 ended before it served")
  }

  @Test func cancelledWorkerFinishesItsRequestsAndTakesNoOthers() async throws {
    let team = try await Team(2)
    async let one = team.ask("/hold")
    async let other = team.ask("/hold")
    try await eventually { team.board.held == [1, 1] }
    team.board.cancellations.withLock { $0[1]?("enough") }
    // It hears of it when it next looks up; until then the two take turns.
    var row = 0
    try await eventually {
      row = try await team.ask("/any") == 0 ? row + 1 : 0
      return row == 10
    }
    team.board.mayAnswer.store(true, ordering: .releasing)
    #expect(try await [one, other].compactMap(\.self).sorted() == [0, 1])
    #expect(try await team.stop() == "(\"after\" nil)")
  }

  @Test func requestsInFlightFinishInEveryInterpreterBeforeTheEnd() async throws {
    let team = try await Team(3)
    async let answers = withThrowingTaskGroup(of: Int?.self) { group in
      for _ in 0..<6 { group.addTask { try await team.ask("/hold") } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    // A worker that is late gets fewer of them.
    try await eventually { team.board.held.reduce(0, +) == 6 }
    let held = team.board.held
    async let ending = team.stop()
    team.board.mayAnswer.store(true, ordering: .releasing)
    #expect(try await answers.compactMap(\.self).sorted() == held.indices.flatMap { repeatElement($0, count: held[$0]) })
    #expect(try await ending == "(\"after\" nil)")
  }
}
