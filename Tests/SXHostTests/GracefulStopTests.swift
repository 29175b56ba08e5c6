import SX
import SXHost
import Testing

/// Stopping: what is under way finishes, streams end, the program goes on after `http-serve`.
@Suite struct GracefulStopTests {
  private static let server = """
    (define started false)
    (define handler
      (fn (exchange request)
        (set! started true)
        (if (= (get request :path) "/stream")
            (begin
              (perform {:op "http-stream" :args (list exchange 200 {})})
              (let loop ()
                (if (perform {:op "http-write" :args (list exchange "tick ")})
                    (begin (perform {:op "wait" :args '("never" 60000)}) (loop))
                    nil)))
            (begin
              (perform {:op "sleep" :args (list (parse-int (get (get request :query) :ms)))})
              (perform {:op "http-respond" :args (list exchange 200 {} "done")})))))
    """

  private static func start(grace: Int) async throws -> TestServer {
    try await TestServer(server + "(list :after (perform {:op \"http-serve\" :args (list handler {:port 0 :grace-ms \(grace)})}))")
  }

  private static func waitUntilStarted(_ server: TestServer) async throws {
    try await eventually { try await server.datum("started") == true }
  }

  @Test func requestInFlightFinishesAndServeAnswersNil() async throws {
    let server = try await Self.start(grace: 10_000)
    async let answer = server.request("/?ms=300")
    try await Self.waitUntilStarted(server)
    server.beginStop()
    #expect(try await answer.body == "done")
    #expect(try await server.ending.get() == "(\"after\" nil)")
    #expect(throws: RawConnection.Failure.self) { try RawConnection(server.address) }
  }

  @Test func streamEndsAtOnceAndItsHandlerIsReleased() async throws {
    let server = try await Self.start(grace: 10_000)
    let connection = try RawConnection(server.address)
    try await connection.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    _ = try await connection.read(until: "tick ")
    let clock = ContinuousClock()
    let begin = clock.now
    server.beginStop()
    #expect(try await connection.readToEnd().hasSuffix("0\r\n\r\n"))
    _ = await server.ending
    #expect(clock.now - begin < .seconds(5), "neither the grace time nor the handler's minute was waited for")
  }

  @Test func requestThatOutlivesTheGraceTimeIsCutOff() async throws {
    let server = try await Self.start(grace: 100)
    async let answer = server.request("/?ms=60000")
    try await Self.waitUntilStarted(server)
    server.beginStop()
    #expect(try await answer.status == 503)
    #expect(try await server.ending.get() == "(\"after\" nil)")
  }

  @Test func requestWhoseBodyDoesNotComeInTimeIsAnsweredThatTheServerStops() async throws {
    let server = try await Self.start(grace: 300)
    let connection = try RawConnection(server.address)
    try await connection.send("POST /?ms=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
    _ = try await connection.read(until: "100 Continue\r\n\r\n")
    server.beginStop()
    #expect(try await connection.readToEnd().hasPrefix("HTTP/1.1 503 "))
    _ = await server.ending
  }

  @Test func idleConnectionsDoNotDelayTheEnd() async throws {
    let server = try await Self.start(grace: 10_000)
    let idle = try RawConnection(server.address)
    try await idle.send("GET /?ms=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    _ = try await idle.read(until: "done")
    let clock = ContinuousClock()
    let begin = clock.now
    await server.stop()
    #expect(clock.now - begin < .seconds(5))
    #expect(try await idle.readToEnd() == "")
  }
}
