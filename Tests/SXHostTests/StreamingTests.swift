import SX
import SXHost
import Testing

/// Streamed responses: order, back-pressure, and clients that leave.
@Suite struct StreamingTests {
  /// Streams what `body` does with `write`, and counts in `written` what was accepted.
  private static func server(_ body: String) async throws -> TestServer {
    let server = try await TestServer("""
      (define written 0)
      (define ended nil)
      (perform {:op "http-serve" :args (list
        (fn (exchange request)
          (perform {:op "http-stream" :args (list exchange 200 {:content-type "text/plain"})})
          (let ((write (fn (text)
                  (let ((accepted (perform {:op "http-write" :args (list exchange text)})))
                    (if accepted (set! written (+ written 1)) nil)
                    accepted))))
            \(body)
            (set! ended true)))
        {:port 0 :grace-ms 2000})})
      """)
    return server
  }

  @Test func chunksArriveInOrderWhileTheHandlerRuns() async throws {
    let server = try await Self.server("(write \"one \") (perform {:op \"wait\" :args '(\"go\" 10000)}) (write \"two\")")
    let connection = try RawConnection(server.address)
    try await connection.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    #expect(try await connection.read(until: "one ").contains("HTTP/1.1 200"))
    try await server.evaluate("(perform {:op \"notify\" :args '(\"go\")})")
    // The end of the handler ends the stream: the final chunk.
    let rest = try await connection.readToEnd()
    #expect(rest.contains("two\r\n") && rest.hasSuffix("0\r\n\r\n"))
    await server.stop()
  }

  @Test func slowReaderHoldsTheWriterUp() async throws {
    // 64 MB in pieces of 64 KB: more than all socket buffers take.
    let server = try await Self.server("(let loop ((i 0)) (if (and (< i 1000) (write (repeat \"x\" 65536))) (loop (+ i 1)) nil))")
    let connection = try RawConnection(server.address)
    try await connection.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    // It comes to rest when they are full.
    var before = 0
    try await eventually {
      try await Task.sleep(for: .milliseconds(200))
      let now = try await server.datum("written").integer ?? 0
      defer { before = now }
      return now > 0 && now == before
    }
    #expect(before < 900, "the writer had gone \(before) pieces ahead")
    #expect(try await connection.readToEnd().utf8.count > 1000 * 65536)
    #expect(try await server.datum("(list written ended)") == [1000, true])
    await server.stop()
  }

  @Test func connectionServesOthersAfterAStream() async throws {
    let server = try await Self.server("(write \"one\")")
    let connection = try RawConnection(server.address)
    for _ in 1...3 {
      try await connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try await connection.read(until: "\r\n0\r\n\r\n").hasSuffix("\r\n\r\n3\r\none\r\n0\r\n\r\n"))
    }
    await server.stop()
  }

  @Test func streamEndsOnceWhereItsLastPieceFillsTheConnection() async throws {
    // With the frame around it the piece is just over what a connection takes at a time.
    let server = try await Self.server("(write (repeat \"x\" 65536))")
    let piece = "\r\n10000\r\n" + String(repeating: "x", count: 65536) + "\r\n0\r\n\r\n"
    for _ in 1...20 {
      let connection = try RawConnection(server.address)
      try await connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      let parts = try await connection.readToEnd().split(separator: piece, omittingEmptySubsequences: false)
      #expect(parts.count == 3 && parts[0].hasPrefix("HTTP/1.1 200 ") && parts[1].hasPrefix("HTTP/1.1 200 ") && parts[2] == "", "\(parts)")
    }
    await server.stop()
  }

  @Test func streamForAClientOfHTTP10EndsWithTheConnection() async throws {
    let server = try await Self.server("(write \"one\") (write \"two\")")
    let connection = try RawConnection(server.address)
    try await connection.send("GET / HTTP/1.0\r\n\r\n")
    let response = try await connection.readToEnd()
    #expect(response.hasPrefix("HTTP/1.0 200 ") && response.hasSuffix("\r\n\r\nonetwo"))
    await server.stop()
  }

  @Test func clientThatLeavesIsNoticedEvenBetweenWrites() async throws {
    let server = try await Self.server("""
      (write "hello")
      (let loop () (perform {:op "sleep" :args '(5)}) (if (perform {:op "http-write" :args (list exchange "")}) (loop) nil))
      """)
    do {
      let connection = try RawConnection(server.address)
      try await connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      _ = try await connection.read(until: "hello")
    }
    try await eventually { try await server.datum("ended") == true }
    #expect(try await server.datum("(list written ended)") == [1, true])
    await server.stop()
  }

  @Test func writerParkedBehindASlowClientLearnsThatItHasLeft() async throws {
    let server = try await Self.server("(let loop () (if (write (repeat \"x\" 65536)) (loop) nil))")
    do {
      let connection = try RawConnection(server.address)
      try await connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      try await Task.sleep(for: .milliseconds(300))
    }
    try await eventually { try await server.datum("ended") == true }
    await server.stop()
  }

  @Test func bodyOfAHandlerThatDiesIsCutOff() async throws {
    let server = try await Self.server("(write \"so far\") (error \"so good\")")
    let text = try await RawConnection(server.address).get("/")
    #expect(text.contains("so far") && !text.hasSuffix("0\r\n\r\n"))
    #expect(await server.output().contains("so good"))
    await server.stop()
  }

  @Test func streamForHeadHasNoBody() async throws {
    let server = try await Self.server("(write \"unseen\")")
    let connection = try RawConnection(server.address)
    try await connection.send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    let text = try await connection.readToEnd()
    #expect(text.hasPrefix("HTTP/1.1 200 ") && text.hasSuffix("\r\n\r\n") && !text.contains("unseen"))
    await server.stop()
  }
}
