import SX
import SXHost
import Testing

/// `http-request`, against servers in the same process.
@Suite struct ClientTests {
  private static let server = """
    (fn (exchange request)
      (let ((answer (fn (status headers body) (perform {:op "http-respond" :args (list exchange status headers body)})))
            (path (get request :path)))
        (cond
          ((= path "/echo") (answer 201 {:x-a (list "1" "2") :X-B "b"} (str (get request :method) " " (get (get request :headers) "x-q") " " (get request :body))))
          ((= path "/away") (answer 302 {:location "/echo"} ""))
          ((= path "/round") (answer 302 {:location "/round"} ""))
          ((= path "/slow") (perform {:op "sleep" :args '(60000)}) (answer 200 {} "late"))
          ((= path "/trickle")
            (perform {:op "http-stream" :args (list exchange 200 {})})
            (perform {:op "http-write" :args (list exchange "first")})
            (perform {:op "sleep" :args '(60000)}))
          (else (answer 404 {} "")))))
    """

  /// Asks the server about itself; gives the value or the error's message.
  private func ask(_ server: TestServer, _ request: String) async throws -> Datum {
    try await server.datum("""
      (guard (e (true (error-message e)))
        (perform {:op "http-request" :args (list \(request.replacing("BASE", with: server.address.url)))}))
      """)
  }

  @Test func answerHasStatusHeadersAndBody() async throws {
    let server = try await TestServer.handling(Self.server, options: ":grace-ms 1")
    let answer = try await ask(server, "{:method \"POST\" :url \"BASE/echo\" :headers {\"X-Q\" \"q\"} :body \"ä\"}")
    #expect(answer["status"] == 201)
    #expect(answer["headers"]?["x-a"] == "1, 2")
    #expect(answer["headers"]?["x-b"] == "b")
    #expect(answer["body"] == "POST q ä")
    await server.stop()
  }

  @Test func bodiesThatAreNoTextAreBytes() async throws {
    let server = try await TestServer.handling(
      "(fn (exchange request) (perform {:op \"http-respond\" :args (list exchange 200 {} (get request :body))}))", options: ":grace-ms 1")
    let bytes = try await ask(server, "{:method \"POST\" :url \"BASE/\" :body (bytevector 0 255 128)}")
    #expect(bytes["body"] == .bytes([0, 255, 128]))
    // Bytes that spell a text are one.
    let text = try await ask(server, "{:method \"POST\" :url \"BASE/\" :body (bytevector 195 164)}")
    #expect(text["body"] == "ä")
    let refused = try await ask(server, "{:method \"POST\" :url \"BASE/\" :body 5}")
    #expect(refused.string?.hasPrefix("http/request: :body must be a string or a bytevector") == true, "\(refused)")
    await server.stop()
  }

  @Test func redirectsAreFollowedButNotInCircles() async throws {
    let server = try await TestServer.handling(Self.server, options: ":grace-ms 1")
    #expect(try await ask(server, "{:url \"BASE/away\"}")["status"] == 201)
    let circle = try await ask(server, "{:url \"BASE/round\"}")
    #expect(circle.string?.hasPrefix("http/request: the redirects go in a circle") == true, "\(circle)")
    await server.stop()
  }

  @Test(arguments: ["/slow", "/trickle"])
  func timeoutCoversHeadAndBody(path: String) async throws {
    let server = try await TestServer.handling(Self.server, options: ":grace-ms 1")
    let clock = ContinuousClock()
    let begin = clock.now
    let answer = try await ask(server, "{:url \"BASE\(path)\" :timeout-ms 100}")
    #expect(answer == .string("http/request: no answer within 100 ms: GET \(server.address.url)\(path)"))
    // Not only when the server has come to its end.
    #expect(clock.now - begin < .seconds(60))
    await server.stop()
  }

  @Test func failuresSayWhatAndWith() async throws {
    let server = try await TestServer.handling(Self.server)
    let port = server.address.port
    await server.stop()
    let other = try await TestServer.handling(Self.server)
    let refused = try await ask(other, "{:url \"http://127.0.0.1:\(port)/\"}")
    #expect(refused == .string("http/request: Connection refused: GET http://127.0.0.1:\(port)/"))
    let unknown = try await ask(other, "{:url \"nonsense\"}")
    #expect(unknown.string?.hasPrefix("http/request: ") == true, "\(unknown)")
    #expect(try await ask(other, "{}") == "http/request: :url must be a string")
    await other.stop()
  }
}
