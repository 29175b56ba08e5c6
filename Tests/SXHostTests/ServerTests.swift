import Foundation
import SX
import SXHost
import Testing

/// The server operations: what a handler in SX gets and what its client sees.
@Suite struct ServerTests {
  private static let echo = """
    (fn (exchange request)
      (perform {:op "http-respond" :args (list exchange 200 {:content-type "application/json"} (json-encode request))}))
    """

  @Test func requestReachesTheHandlerDecoded() async throws {
    let server = try await TestServer.handling(Self.echo)
    let answer = try await server.request(
      "/a%20b/%C3%A9?x=1&y=a+b%21&x=2&z", method: "POST", headers: [("X-One", "1"), ("x-two", "a"), ("X-Two", "b")], body: "héllo")
    let request = try await server.datum("(json-decode \(quoted(answer.body)))")
    #expect(answer.status == 200)
    #expect(answer.headers["content-type"] == "application/json")
    #expect(request["method"] == "POST")
    #expect(request["path"] == "/a b/é")
    #expect(request["target"] == "/a%20b/%C3%A9?x=1&y=a+b%21&x=2&z")
    #expect(request["query"] == .dict(["x": "1", "y": "a b!", "z": ""]))
    #expect(request["body"] == "héllo")
    #expect(request["headers"]?["x-one"] == "1")
    #expect(request["headers"]?["x-two"] == "a, b")
    #expect(request["header-lists"]?["x-two"] == ["a", "b"])
    #expect(request["headers"]?["host"] == .string("127.0.0.1:\(server.address.port)"))
    #expect(request["server-port"] == .integer(server.address.port))
    #expect(request["client-address"] == "127.0.0.1")
    await server.stop()
  }

  @Test(arguments: ["/%zz", "/%f", "/%ff", "/?a=%c3"])
  func targetThatCannotBeDecodedIsABadRequest(target: String) async throws {
    let server = try await TestServer.handling(Self.echo)
    #expect(try await RawConnection(server.address).get(target).hasPrefix("HTTP/1.1 400 "))
    await server.stop()
  }

  @Test func headGetsTheHeadersOfTheBodyWithoutTheBody() async throws {
    let server = try await TestServer.handling("""
      (fn (exchange request) (perform {:op "http-respond" :args (list exchange 200 {} "twelve bytes")}))
      """)
    let connection = try RawConnection(server.address)
    // The second response must begin right after the first head.
    try await connection.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    let text = try await connection.readToEnd().lowercased()
    #expect(text.components(separatedBy: "content-length: 12\r\n").count == 3)
    #expect(!text.contains("twelve bytes"))
    await server.stop()
  }

  @Test func bodyBeyondTheLimitIsRefused() async throws {
    let server = try await TestServer.handling(Self.echo, options: ":body-limit 100")
    #expect(try await server.request("/", method: "POST", body: String(repeating: "x", count: 100)).status == 200)
    #expect(try await server.request("/", method: "POST", body: String(repeating: "x", count: 101)).status == 413)
    let chunked = try RawConnection(server.address)
    try await chunked.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nc8\r\n")
    try await chunked.send(String(repeating: "x", count: 200) + "\r\n0\r\n\r\n")
    #expect(try await chunked.readToEnd().hasPrefix("HTTP/1.1 413 "))
    await server.stop()
  }

  @Test func onlyAPathWithALimitOfItsOwnIsToldOfALongerBody() async throws {
    let server = try await TestServer.handling(Self.echo, options: ":body-limit 100 :body-limits {\"/own\" 100}")
    let long = String(repeating: "x", count: 101)
    #expect(try await server.request("/other", method: "POST", body: long).status == 413)
    let told = try await server.request("/own/", method: "POST", body: long)
    let request = try await server.datum("(json-decode \(quoted(told.body)))")
    #expect(told.status == 200 && request["body-limit"] == 100 && request["body"] == "")
    await server.stop()
  }

  @Test func slashesAtTheEndAndTheQueryMakeNoDifferenceForALimit() async throws {
    let server = try await TestServer.handling(Self.echo, options: ":body-limit 100 :body-limits {\"/own/\" 100 \"/\" 100}")
    let long = String(repeating: "x", count: 101)
    for target in ["/own", "/own/", "/own//?x=/y", "/own?x", "/", "//", "/?x"] {
      #expect(try await server.request(target, method: "POST", body: long).status == 200, "\(target)")
    }
    for target in ["/owner", "/own/x", "/own//x", "/x", "//x", "/x?/own"] {
      #expect(try await server.request(target, method: "POST", body: long).status == 413, "\(target)")
    }
    await server.stop()
    let diagnostic = await #expect(throws: Diagnostic.self) {
      _ = try await TestServer("(perform {:op \"http-serve\" :args (list (fn (e r) nil) {:body-limits {\"/a?b\" 1}})})")
    }
    #expect(diagnostic?.message == "http-serve: body-limits: a path has no ?, got \"/a?b\"")
  }

  @Test func clientThatAsksBeforeSendingIsToldToGoOn() async throws {
    let server = try await TestServer.handling(Self.echo, options: ":body-limit 100")
    let connection = try RawConnection(server.address)
    try await connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
    #expect(try await connection.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
    try await connection.send("hi")
    #expect(try await connection.readToEnd().hasPrefix("HTTP/1.1 200 "))
    let refused = try RawConnection(server.address)
    try await refused.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
    #expect(try await refused.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 413 "))
    await server.stop()
  }

  @Test(arguments: [
    ("(fn (exchange request) (error \"out of tea\"))", "out of tea"),
    ("(fn (exchange request) nil)", "the handler ended without a response"),
    ("(fn (exchange request) (perform {:op \"http-respond\" :args (list exchange 999 {} \"\")}))", "from 200 to 599"),
    ("(fn (exchange request) (perform {:op \"http-respond\" :args (list exchange 200 {:x \"a\\r\\nb: c\"} \"\")}))", "not a value for the header x"),
    ("(fn (exchange request) (perform {:op \"http-write\" :args (list exchange \"x\")}))", "http-stream comes first"),
  ])
  func handlerWithoutAnAnswerBecomesA500AndALine(handler: String, complaint: String) async throws {
    let server = try await TestServer.handling(handler)
    let answer = try await server.request("/tea")
    #expect(answer.status == 500)
    let log = await server.output()
    #expect(log.contains("GET /tea") && log.contains(complaint), "\(log)")
    await server.stop()
  }

  @Test func secondAnswerIsAnErrorInTheHandler() async throws {
    let server = try await TestServer.handling("""
      (fn (exchange request)
        (perform {:op "http-respond" :args (list exchange 200 {} "first")})
        (perform {:op "http-respond" :args (list exchange 200 {} "second")}))
      """)
    #expect(try await server.request("/").body == "first")
    #expect(await server.output().contains("the request has been answered"))
    await server.stop()
  }

  @Test func portInUseIsAnErrorThatNamesThePort() async throws {
    let first = try await TestServer.handling(Self.echo)
    let diagnostic = await #expect(throws: Diagnostic.self) {
      _ = try await TestServer("(perform {:op \"http-serve\" :args (list (fn (e r) nil) {:port \(first.address.port)})})")
    }
    #expect(diagnostic?.message == "http-serve: port \(first.address.port) on 127.0.0.1 is already in use")
    await first.stop()
  }

  @Test func waitingHandlersDoNotHoldUpOthers() async throws {
    let server = try await TestServer("""
      (define parked false)
      (define handler (fn (exchange request)
        (if (= (get request :path) "/slow") (begin (set! parked true) (perform {:op "wait" :args '("go" 10000)})) nil)
        (perform {:op "http-respond" :args (list exchange 200 {} (get request :path))})
        (if (= (get request :path) "/quick") (perform {:op "notify" :args '("go")}) nil)))
      (perform {:op "http-serve" :args (list handler {:port 0})})
      """)
    async let slow = server.request("/slow")
    try await eventually { try await server.datum("parked") == true }
    // Only the quick one wakes the slow one.
    let quick = try await server.request("/quick")
    #expect(quick.body == "/quick")
    #expect(try await slow.body == "/slow")
    await server.stop()
  }
}

/// A text as a string literal of SX.
func quoted(_ text: String) -> String {
  "\"" + text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "\""
}
