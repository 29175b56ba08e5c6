import NIOCore
import SX
import SXHost
import SXTracing
import ServiceLifecycle

/// Owns the interpreter. Requests are fibers of it: while one waits for Swift or for time, the actor answers others.
///
/// As a service of the application it sends telemetry where the environment says, the last of it when the application has stopped.
actor ScriptHost: Service {
  private let sx: Interpreter
  private let answer: Handle
  /// What writes the bodies of the responses that are streams, until these have been sent.
  private var streams: [Int: Handle] = [:]
  private var lastStream = 0
  /// Records the spans of Swift with those of the script.
  let tracer: SXTracer

  struct Response: Sendable {
    enum Body: Sendable {
      case bytes([UInt8])
      case stream(Int)
    }
    var status: Int
    var headers: [(name: String, value: String)]
    var body: Body
  }

  /// - Throws: a `Diagnostic` when the script is no application.
  init(_ script: String, metrics: SXMetricsFactory, stock: @escaping @Sendable (String) async throws -> Int?) throws {
    var granted = Capabilities.none
    (granted.clock, granted.random) = (true, true)
    // For the exporter.
    (granted.environment, granted.networkClient) = (true, true)
    sx = Interpreter(host: SystemHost(), capabilities: granted)
    tracer = SXTracer(recordingInto: sx)
    metrics.publish(in: sx)
    sx.define("stock", doc: "How many of an article there are; nil for an unknown one.") { (article: String) async throws in try await stock(article) }
    sx.define("write-chunk") { (stream: ChunkStream, text: String) async in await stream.write(text) }
    answer = try sx.evaluate(script, file: "script.sx")
  }

  func run() async throws {
    try await sx.run("(otel/start-exporter-from-environment!)")
    // Between requests the fibers of the exporter go on because something else runs.
    try? await cancelWhenGracefulShutdown { try await self.wait() }
    try await sx.run("(otel/shutdown!)")
  }

  private func wait() async throws { try await sx.run("(let wait () (sleep 3600000) (wait))") }

  /// What the script says to a request.
  func respond(to request: Datum) async throws -> Response {
    let response = try await sx.run(answer, [request])
    let headers = response["headers"]?.entries?.flatMap { name, value in (value.list.map { $0.map(\.displayed) } ?? [value.displayed]).map { (name: name, value: $0) } } ?? []
    let body: Response.Body
    if let stream = response["stream"] {
      lastStream += 1
      streams[lastStream] = stream
      body = .stream(lastStream)
    } else {
      let datum = try response["body"]?.datum()
      body = .bytes(datum?.bytes ?? Array((datum?.string ?? "").utf8))
    }
    return Response(status: response["status"]?.integer ?? 500, headers: headers, body: body)
  }

  /// Lets the script write the body of a response. Ends when the script has, or when the task is cancelled.
  func write(_ number: Int, to stream: ChunkStream) async throws {
    guard let write = streams.removeValue(forKey: number) else { return }
    let start = try sx.evaluate("(fn (stream) (fn (text) (write-chunk stream (str text))))")
    // The function that the stream calls with each piece of its body.
    let sink = try sx.call(start, [stream.handle(in: sx)])
    try await sx.run(write, [sink])
  }
}

/// A response body that a script writes: each piece waits until the client has taken the one before.
final class ChunkStream: SXObject, Sendable {
  static let sxTypeName = "chunk-stream"
  private let send: @Sendable (ByteBuffer) async throws -> Void

  init(_ send: @escaping @Sendable (ByteBuffer) async throws -> Void) { self.send = send }

  /// False once the client has gone.
  func write(_ text: String) async -> Bool {
    do {
      try await send(ByteBuffer(string: text))
      return true
    } catch { return false }
  }
}
