import CoreMetrics
import InMemoryTracing
import Logging
import SX
import SXHost
import SXTracing
import Synchronization
import Testing
import Tracing

@Suite struct SXTracingTests {
  private func interpreter() -> Interpreter {
    var granted = Capabilities.none
    (granted.clock, granted.random) = (true, true)
    return Interpreter(host: SystemHost(SystemHost.Configuration(output: .captured)), capabilities: granted)
  }

  private struct Recorded: Decodable, Equatable {
    struct Part: Decodable, Equatable {
      var name: String?
      var trace: String?
      var span: String?
      var attrs: Datum
    }
    var trace: String, span: String, parent: String?, name: String, kind: String, status: String
    var attrs: Datum
    var events: [Part], links: [Part]
  }
  private func recent(_ sx: Interpreter) throws -> [String: Recorded] {
    Dictionary(try sx.evaluate("(otel/recent)").decoded(as: [Recorded].self).map { ($0.name, $0) }) { _, new in new }
  }

  @Test func spansNestInBothDirections() throws {
    let sx = interpreter(), tracer = SXTracer(recordingInto: sx)
    sx.define("in-swift") { (f: Function) throws in
      try tracer.withSpan("swift inner") { span in
        span.attributes["answer"] = 42
        return try f(as: Handle.self)
      }
    }
    _ = try tracer.withSpan("swift outer", ofKind: .server) { _ in
      try sx.evaluate("""
        (otel/with-span "sx outer" {} (fn ()
          (in-swift (fn () (otel/with-span "sx inner" {} (fn () (otel/set-attr! :x 1)))))))
        """)
    }
    let spans = try recent(sx)
    #expect(spans.count == 4)
    let (outer, middle, inner, innermost) = (try #require(spans["swift outer"]), try #require(spans["sx outer"]), try #require(spans["swift inner"]), try #require(spans["sx inner"]))
    #expect(outer.parent == nil)
    #expect(middle.parent == outer.span)
    #expect(inner.parent == middle.span)
    #expect(innermost.parent == inner.span)
    #expect(Set([outer, middle, inner, innermost].map(\.trace)).count == 1)
    #expect(outer.kind == "server" && inner.kind == "internal")
    #expect(inner.attrs == ["answer": 42] && innermost.attrs == ["x": 1])
  }

  /// What Swift calls back without a span of its own belongs to the very span of SX, which can be written to.
  @Test func withoutANewSpanTheScriptIsInItsOwn() throws {
    let sx = interpreter(), tracer = SXTracer(recordingInto: sx)
    sx.define("call") { (f: Function) throws in try f(as: Handle.self) }
    sx.define("current") { ServiceContext.current?.spanContext?.spanID }
    #expect(try sx.evaluate("(otel/with-span \"a\" {} (fn () (call (fn () (otel/set-attr! :here true))) (= (current) (otel/current-span))))").isTrue)
    #expect(try recent(sx)["a"]?.attrs == ["here": true])
    #expect(try sx.evaluate("(current)").isNil)
    #expect(ServiceContext.current == nil)
    withExtendedLifetime(tracer) {}
  }

  @Test func tracerAndInterpreterDoNotKeepEachOther() throws {
    weak var interpreter: Interpreter?
    weak var tracer: SXTracer?
    try {
      let sx = self.interpreter(), own = SXTracer(recordingInto: sx)
      sx.define("work") { own.withSpan("swift") { _ in } }
      try own.withSpan("outer") { _ in _ = try sx.evaluate("(otel/with-span \"a\" {} (fn () (otel/with-baggage {:a 1} work)))") }
      (interpreter, tracer) = (sx, own)
    }()
    #expect(interpreter == nil && tracer == nil)
  }

  @Test func asynchronousFunctionsContinueTheSpanOfTheirCaller() async throws {
    let sx = interpreter(), tracer = SXTracer(recordingInto: sx)
    sx.define("later") { (name: String) async in
      await tracer.withSpan(name) { _ in await Task.yield() }
    }
    _ = try await tracer.withSpan("request") { _ in
      try await sx.run("""
        (define left 2)
        (define (work n) (otel/with-span (str "sx " n) {} (fn () (later (str "swift " n)))) (set! left (- left 1)))
        (spawn (fn () (work 1))) (spawn (fn () (work 2)))
        (let loop () (unless (= left 0) (later "other") (loop)))
        """)
    }
    let spans = try recent(sx)
    for n in 1...2 {
      let outer = try #require(spans["sx \(n)"]), inner = try #require(spans["swift \(n)"])
      #expect(inner.parent == outer.span)
      #expect(outer.parent == spans["request"]?.span)
    }
  }

  private enum NumberKey: ServiceContextKey { typealias Value = Int }

  /// Fibers of one interpreter are run by whichever task is awake; each keeps what surrounded the call that began it.
  @Test func runsThatOverlapKeepTheirContexts() async throws {
    actor Owner {
      let sx = Interpreter()
      let tracer: SXTracer
      init() {
        tracer = SXTracer(recordingInto: sx)
        sx.define("later") { (n: Int) async in
          for _ in 0..<(n % 5) { await Task.yield() }
          return ServiceContext.current?[NumberKey.self] == n
        }
        sx.define("here") { (n: Int) in "\(ServiceContext.current?[NumberKey.self] ?? -1) \(ServiceContext.current?.spanContext?.spanID ?? "")" }
        sx.define("nowhere") { ServiceContext.current == nil }
      }
      func run(_ n: Int) async throws -> [String] {
        var context = ServiceContext.topLevel
        context[NumberKey.self] = n
        return try await tracer.withSpan("request", context: context) { span in
          let seen = try await sx.run("(let ((a (here \(n))) (ok (later \(n))) (b (here \(n)))) (list (if ok a \"wrong\") b))").as([String].self)
          return seen + ["\(n) \(span.spanContext.spanID)"]
        }
      }
      func runBare() async throws -> Bool { try await sx.run("(later 3) (nowhere)").isTrue }
    }
    let owner = Owner()
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for n in 0..<100 {
        group.addTask { Set(try await owner.run(n)).count == 1 }
        group.addTask { try await owner.runBare() }
      }
      for try await isRight in group { #expect(isRight) }
    }
  }

  @Test func manyInterpretersKeepTheirSpansApart() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for i in 0..<8 {
        group.addTask {
          let sx = interpreter(), tracer = SXTracer(recordingInto: sx)
          for _ in 0..<20 {
            try await tracer.withSpan("swift \(i)") { _ in _ = try await sx.run("(otel/with-span \"sx \(i)\" {} (fn () 1))") }
          }
          let names = try sx.evaluate("(map (fn (s) (get s :name)) (otel/recent))").as([String].self)
          #expect(names.count == 40 && Set(names) == ["swift \(i)", "sx \(i)"])
        }
      }
      try await group.waitForAll()
    }
  }

  // MARK: Propagation

  private struct Headers: Injector, Extractor {
    func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
    func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
  }

  @Test func traceContextComesInAndGoesOut() throws {
    let sx = interpreter(), tracer = SXTracer(recordingInto: sx)
    let incoming = ["traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", "tracestate": "vendor=1", "baggage": "tenant=acme"]
    var context = ServiceContext.topLevel
    tracer.extract(incoming, into: &context, using: Headers())
    try tracer.withSpan("server", context: context) { span in
      var outgoing: [String: String] = [:]
      tracer.inject(ServiceContext.current ?? .topLevel, into: &outgoing, using: Headers())
      #expect(outgoing == ["traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-\(span.spanContext.spanID)-03", "tracestate": "vendor=1", "baggage": "tenant=acme"])
      // SX sees the same, and so does who is called from there.
      sx.define("headers") { () -> [String: String] in
        var headers: [String: String] = [:]
        tracer.inject(ServiceContext.current ?? .topLevel, into: &headers, using: Headers())
        return headers
      }
      #expect(try sx.evaluate("(get (otel/baggage) :tenant)").string == "acme")
      #expect(try sx.evaluate("(otel/current-traceparent)").string == outgoing["traceparent"])
      let own = try sx.evaluate("(otel/with-span \"x\" {} (fn () (otel/with-baggage {:user \"u\"} (fn () (list (headers) (otel/current-traceparent))))))")
      #expect(own.elements?[0]["traceparent"]?.string == own.elements?[1].string)
      #expect(own.elements?[0]["baggage"]?.string == "tenant=acme,user=u")
    }
    #expect(try recent(sx)["server"]?.parent == "00f067aa0ba902b7")
    #expect(try sx.evaluate("(get (find (fn (s) (= (get s :name) \"server\")) (otel/recent)) :remote-parent)").isTrue)
  }

  @Test(arguments: ["", "00-0-0-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"])
  func anInvalidTraceparentBeginsATrace(header: String) {
    let tracer = SXTracer(recordingInto: interpreter())
    var context = ServiceContext.topLevel
    tracer.extract(["traceparent": header, "tracestate": "a=1"], into: &context, using: Headers())
    #expect(context.spanContext == nil)
  }

  @Test func aLaterVersionIsUnderstood() {
    let tracer = SXTracer(recordingInto: interpreter())
    var context = ServiceContext.topLevel
    tracer.extract(["traceparent": "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-more"], into: &context, using: Headers())
    #expect(context.spanContext?.flags == 1)
  }

  @Test func whatIsNotSampledIsNotRecordedButPassedOn() throws {
    let sx = interpreter(), tracer = SXTracer(recordingInto: sx)
    var context = ServiceContext.topLevel
    tracer.extract(["traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"], into: &context, using: Headers())
    try tracer.withSpan("unseen", context: context) { span in
      #expect(!span.isRecording)
      #expect(span.spanContext.traceID == "4bf92f3577b34da6a3ce929d0e0e4736" && !span.spanContext.isSampled)
      try sx.evaluate("(otel/with-span \"unseen too\" {} (fn () 1))")
    }
    #expect(try recent(sx).isEmpty)
  }

  // MARK: Semantics, against a tracer that is made for tests

  struct Failure: Error, CustomStringConvertible { let description = "it failed" }

  /// Does whatever a span can do.
  private func scenario<T: Tracer>(_ tracer: T) {
    tracer.withSpan("root", ofKind: .consumer) { root in
      root.attributes["a"] = 1
      root.attributes["b"] = ["x", "y"]
      root.attributes["c"] = true
      root.attributes["d"] = 1.5
      root.addEvent(SpanEvent(name: "event", attributes: ["k": "v"]))
      root.operationName = "renamed"
      let linked = tracer.startSpan("linked", context: .topLevel)
      root.addLink(linked, attributes: ["why": "because"])
      linked.end()
      try? tracer.withSpan("failing") { _ in throw Failure() }
      tracer.withSpan("fine", ofKind: .client) { $0.setStatus(SpanStatus(code: .ok)) }
      let late = tracer.startSpan("late")
      late.end()
      late.end()
      late.attributes["too"] = "late"
      late.setStatus(SpanStatus(code: .error))
      late.addEvent("too late")
      late.operationName = "too late"
      #expect(!late.isRecording && root.isRecording)
      _ = tracer.startSpan("never ended")
    }
  }

  @Test func itsSpansAreThoseOfTheInMemoryTracer() throws {
    let memory = InMemoryTracer()
    scenario(memory)
    let sx = interpreter()
    scenario(SXTracer(recordingInto: sx))
    let ours = try recent(sx), theirs = Dictionary(memory.finishedSpans.map { ($0.operationName, $0) }) { _, new in new }
    #expect(Set(ours.keys) == Set(theirs.keys))
    #expect(ours.count == 5)
    for (name, expected) in theirs {
      let span = try #require(ours[name])
      func ourName(of id: String?) -> String? { ours.values.first { $0.span == id }?.name }
      func theirName(of id: String?) -> String? { theirs.values.first { $0.spanID == id }?.operationName }
      #expect(ourName(of: span.parent) == theirName(of: expected.parentSpanID))
      #expect(span.kind == "\(expected.kind)")
      #expect(span.status == (expected.status.map { $0.code == .error ? "error" : "ok" } ?? "unset"))
      var attributes = 0
      expected.attributes.forEach { _, _ in attributes += 1 }
      #expect(span.attrs.dict?.count == attributes)
      #expect(span.events.filter { $0.name != "exception" }.map(\.name) == expected.events.map(\.name))
      #expect(span.events.filter { $0.name == "exception" }.map { $0.attrs["exception.message"] } == expected.errors.map { .string("\($0.error)") })
      #expect(span.links.map { ourName(of: $0.span) } == expected.links.map { theirName(of: $0.context.inMemorySpanContext?.spanID) })
    }
    #expect(ours["renamed"]?.attrs == ["a": 1, "b": ["x", "y"], "c": true, "d": 1.5])
    #expect(ours["renamed"]?.events.first?.attrs == ["k": "v"])
    #expect(ours["renamed"]?.links.first?.attrs == ["why": "because"])
    #expect(ours["linked"]?.trace != ours["renamed"]?.trace)
  }

  // MARK: Metrics

  @Test func metersAppearInTheMetrics() throws {
    let sx = interpreter(), factory = SXMetricsFactory()
    factory.publish(in: sx)
    let norway = Counter(label: "orders.placed", dimensions: [("country", "no")], factory: factory)
    norway.increment(by: 2)
    Counter(label: "orders.placed", dimensions: [("country", "no")], factory: factory).increment()
    Counter(label: "orders.placed", dimensions: [("country", "se")], factory: factory).increment()
    FloatingPointCounter(label: "weight", factory: factory).increment(by: 1.5)
    Gauge(label: "queue", factory: factory).record(7)
    let meter = Metrics.meter(factory)
    meter.set(5)
    meter.decrement(by: 1.5)
    let timer = Timer(label: "job", factory: factory)
    timer.recordMilliseconds(20)
    timer.recordSeconds(30)
    Recorder(label: "size", factory: factory).record(60)
    let text = try sx.evaluate("(otel/prometheus)").as(String.self)
    for line in [
      "# TYPE orders_placed_total counter", "orders_placed_total{country=\"no\"} 3", "orders_placed_total{country=\"se\"} 1", "weight_total 1.5", "# TYPE queue gauge", "queue 7", "level 3.5",
      "# TYPE job_seconds histogram", "job_seconds_bucket{le=\"0.01\"} 0", "job_seconds_bucket{le=\"0.025\"} 1", "job_seconds_bucket{le=\"10.0\"} 1", "job_seconds_bucket{le=\"+Inf\"} 2", "job_seconds_sum 30.02",
      "job_seconds_count 2", "size_bucket{le=\"50.0\"} 0", "size_bucket{le=\"75.0\"} 1",
    ] { #expect(text.contains("\n" + line + "\n"), "\(line) in \(text.suffix(2500))") }
    // A family is one, with all its series.
    #expect(text.components("# TYPE orders_placed_total") == 2)
    #expect(try sx.evaluate("(otel/openmetrics)").as(String.self).contains("# UNIT job_seconds seconds\n"))
    #expect(try sx.evaluate("(map (fn (family) (get family :name)) (get (otel/metrics (otel/recent)) :meters))").as([String].self) == ["job_seconds", "level", "orders_placed", "queue", "size", "weight"])
    #expect(try interpreter().evaluate("(get (otel/metrics (otel/recent)) :meters)").isNil)
    norway.destroy()
    #expect(try !sx.evaluate("(otel/prometheus)").as(String.self).contains("country=\"no\""))
  }

  private enum Metrics {
    static func meter(_ factory: SXMetricsFactory) -> CoreMetrics.Meter { CoreMetrics.Meter(label: "level", factory: factory) }
  }

  /// The metrics of a new exporter, by name.
  private func exported(_ sx: Interpreter) throws -> [String: Datum] {
    let metrics = try sx.evaluate("""
      (let ((sent (list)))
        (otel/metric-exporter-flush! (otel/make-metric-exporter {:url "http://c" :transport (fn (request) (append! sent request) {:status 200})}))
        (if (empty? sent) (list) (get-in (json-decode (get (first sent) :body)) (list "resourceMetrics" 0 "scopeMetrics" 0 "metrics"))))
      """).as([Datum].self)
    return Dictionary(metrics.map { ($0["name"]?.string ?? "", $0) }) { first, _ in first }
  }

  @Test func metersAreExported() throws {
    let sx = interpreter(), factory = SXMetricsFactory()
    #expect(try exported(sx).isEmpty)
    factory.publish(in: sx)
    let norway = Counter(label: "orders.placed", dimensions: [("country", "no"), ("size", "s")], factory: factory)
    norway.increment(by: 2)
    Counter(label: "orders.placed", dimensions: [("size", "l"), ("country", "no"), ("size", "s")], factory: factory).increment()
    norway.increment(by: -5)
    Counter(label: "orders.placed", dimensions: [("country", "se")], factory: factory).increment()
    FloatingPointCounter(label: "weight", factory: factory).increment(by: 2)
    Gauge(label: "queue", factory: factory).record(7)
    Metrics.meter(factory).set(5)
    let timer = Timer(label: "job", factory: factory)
    timer.recordMilliseconds(20)
    timer.recordSeconds(30)
    Recorder(label: "size", factory: factory).record(60)
    Recorder(label: "change", factory: factory).record(-1)
    let metrics = try exported(sx)
    #expect(Set(metrics.keys) == ["orders.placed", "weight", "queue", "level", "job", "size", "change"])
    func points(_ name: String, _ kind: String) -> [Datum] { metrics[name]?[kind]?["dataPoints"]?.list ?? [] }
    let orders = points("orders.placed", "sum")
    #expect(orders.map { $0["asInt"] } == ["3", "1"])
    #expect(orders.map { $0["attributes"]?.list?.map { $0["key"] } } == [["country", "size"], ["country"]])
    #expect(metrics["orders.placed"]?["sum"]?["isMonotonic"] == true && metrics["orders.placed"]?["sum"]?["aggregationTemporality"] == 2)
    for point in orders {
      let times = ["startTimeUnixNano", "timeUnixNano"].map { point[$0]?.string.flatMap { UInt64($0) } ?? 0 }
      #expect(times[0] > 1_600_000_000_000_000_000 && times[1] >= times[0])
    }
    #expect(points("weight", "sum").map { $0["asDouble"] } == [2.0])
    #expect(points("queue", "gauge").map { $0["asDouble"] } == [7.0] && points("level", "gauge").map { $0["asDouble"] } == [5.0])
    let job = points("job", "histogram")
    #expect(metrics["job"]?["unit"] == "s" && job.map { $0["count"] } == ["2"] && job.map { $0["sum"] } == [30.02])
    #expect(job.first?["explicitBounds"]?.list?.count == 14 && job.first?["bucketCounts"]?.list?.map(\.string) == ["0", "0", "1"] + Array(repeating: "0", count: 11) + ["1"])
    #expect(points("size", "histogram").map { $0["sum"] } == [60.0])
    // A sum that may have gone back is none.
    #expect(points("change", "histogram").map { $0["sum"] } == [nil])
  }

  @Test func aCounterThatIsResetBeginsAnew() throws {
    let sx = interpreter(), factory = SXMetricsFactory()
    factory.publish(in: sx)
    let counter = Counter(label: "orders", factory: factory)
    func point() throws -> Datum? { try exported(sx)["orders"]?["sum"]?["dataPoints"]?.list?.first }
    counter.increment(by: 2)
    let before = try point()
    counter.reset()
    counter.increment()
    let after = try point()
    #expect(before?["asInt"] == "2" && after?["asInt"] == "1")
    #expect(UInt64(before?["startTimeUnixNano"]?.string ?? "").map { $0 < UInt64(after?["startTimeUnixNano"]?.string ?? "") ?? 0 } == true)
  }

  @Test func manyThreadsCountTogether() async throws {
    let sx = interpreter(), factory = SXMetricsFactory()
    factory.publish(in: sx)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask { for _ in 0..<1000 { Counter(label: "hits", factory: factory).increment() } }
      }
    }
    #expect(try sx.evaluate("(otel/prometheus)").as(String.self).contains("\nhits_total 8000\n"))
  }

  // MARK: Logs

  @Test func aLogLineNamesItsTrace() throws {
    let sx = interpreter(), tracer = SXTracer(recordingInto: sx)
    #expect(Logger.MetadataProvider.sx.get() == [:])
    tracer.withSpan("a") { span in
      #expect(Logger.MetadataProvider.sx.get() == ["trace_id": "\(span.spanContext.traceID)", "span_id": "\(span.spanContext.spanID)"])
    }
    sx.define("log-context") { () -> [String: String] in Logger.MetadataProvider.sx.get().mapValues { "\($0)" } }
    #expect(try sx.evaluate("(otel/with-span \"b\" {} (fn () (= (get (log-context) :span_id) (otel/current-span))))").isTrue)
  }
}

extension String {
  /// Number of parts between the occurrences of a text.
  fileprivate func components(_ separator: String) -> Int { split(separator: separator, omittingEmptySubsequences: false).count }
}
