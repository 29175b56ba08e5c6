import SX
import SXHost
import Testing

/// Spans of interleaved requests.
@Suite struct TracingTests {
  /// Hexadecimal digits of a number, padded.
  private func hex(_ number: Int, _ width: Int) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: width - digits.count) + digits
  }

  @Test func hundredConcurrentRequestsKeepTheirTraces() async throws {
    let server = try await TestServer("""
      (define app
        (host/make-app (list
          (dream-get "/work/:n" (fn (request)
            (otel/with-span "outer" {}
              (fn ()
                (sleep (random-int 1 20))
                (otel/with-span "inner" {:n (dream-param request "n")}
                  (fn () (sleep (random-int 1 20)) (host/ok (dream-param request "n")))))))))))
      (host/serve app 0)
      """)
    let count = 100
    try await withThrowingTaskGroup(of: Void.self) { group in
      for n in 1...count {
        group.addTask {
          let parent = "00-\(self.hex(n, 32))-\(self.hex(n, 16))-01"
          let answer = try await server.request("/work/\(n)", headers: [("traceparent", parent)])
          #expect(answer.status == 200 && answer.body.contains("\"\(n)\""))
        }
      }
      try await group.waitForAll()
    }
    let spans = try #require(
      try await server.datum("(map (fn (s) {:trace (get s :trace) :span (get s :span) :parent (get s :parent) :name (get s :name) :n (get (get s :attrs) :n)}) (otel/recent))").list)
    #expect(spans.count == 3 * count)
    for n in 1...count {
      let trace = spans.filter { $0["trace"] == .string(hex(n, 32)) }
      #expect(trace.count == 3)
      let root = try #require(trace.first { $0["parent"] == .string(hex(n, 16)) })
      let outer = try #require(trace.first { $0["name"] == "outer" })
      let inner = try #require(trace.first { $0["name"] == "inner" })
      #expect(root["name"] == "GET /work/:n")
      #expect(outer["parent"] == root["span"])
      #expect(inner["parent"] == outer["span"])
      #expect(inner["n"] == .string(String(n)))
    }
    await server.stop()
  }
}
