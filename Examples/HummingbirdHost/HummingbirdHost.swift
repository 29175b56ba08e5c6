import CoreMetrics
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import SX
import SXHost
import SXTracing
import ServiceLifecycle
import Tracing

/// A Hummingbird application with routes in Swift and routes in SX, and one dashboard for both.
///
///     swift run HummingbirdHost [PORT]
///     curl http://127.0.0.1:8080/greetings/world      # Swift
///     curl http://127.0.0.1:8080/articles/cup         # SX, which asks Swift
///     open http://127.0.0.1:8080/otel
@main
enum HummingbirdHost {
  static func main() async throws {
    let metrics = SXMetricsFactory()
    let host = try ScriptHost(script, metrics: metrics) { article in
      // What a database would do.
      try await withSpan("warehouse", ofKind: .client) { span in
        span.attributes["article"] = article
        try await Task.sleep(for: .milliseconds(5))
        return ["cup": 12, "pot": 3][article]
      }
    }
    InstrumentationSystem.bootstrap(host.tracer)
    MetricsSystem.bootstrap(metrics)
    LoggingSystem.bootstrap(StreamLogHandler.standardError, metadataProvider: .sx)

    let router = Router()
    router.group()
      .add(middleware: TracingMiddleware())
      .get("/greetings/:name") { request, context -> String in
        let name = try context.parameters.require("name")
        Counter(label: "greetings").increment()
        context.logger.info("a greeting")
        return "Hello, \(name)!\n"
      }
    // Whatever Swift has no route for, the telemetry included, is for the script.
    for method in [HTTPRequest.Method.get, .head, .post, .put, .patch, .delete, .options] {
      router.on("/", method: method) { request, context in try await respond(to: request, host) }
      router.on("**", method: method) { request, context in try await respond(to: request, host) }
    }

    let port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 8080
    var application = Application(router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port))) { channel in
      // At once, also where nobody reads lines.
      let line = "http://127.0.0.1:\(channel.localAddress?.port ?? port)/otel\n"
      Array(line.utf8).withUnsafeBytes { _ = Descriptor.writeFully($0, to: 1) }
    }
    application.addServices(host)
    do { try await application.runService() } catch {
      Array("HummingbirdHost: \(error)\n".utf8).withUnsafeBytes { _ = Descriptor.writeFully($0, to: 2) }
      SystemHost.endProcess(1)
    }
  }

  /// A request as data for the script, and its answer as a response.
  private static func respond(to request: Request, _ host: ScriptHost) async throws -> Response {
    var headers: DatumDictionary = ["host": .string(request.head.authority ?? "")]
    for field in request.headers { headers[field.name.canonicalName] = .string(field.value) }
    var query = DatumDictionary()
    for (name, value) in request.uri.queryParameters { query[String(name)] = .string(String(value)) }
    let body = try await request.body.collect(upTo: 1 << 20)
    let answer = try await host.respond(
      to: [
        "method": .string(request.method.rawValue), "path": .string(request.uri.path), "target": .string(request.uri.string), "headers": .dict(headers), "query": .dict(query), "params": [:],
        "body": .string(String(buffer: body)), "scheme": "http",
      ])
    var fields = HTTPFields()
    for (name, value) in answer.headers {
      if let name = HTTPField.Name(name) { fields.append(HTTPField(name: name, value: value)) }
    }
    return Response(status: HTTPResponse.Status(code: answer.status), headers: fields, body: self.body(answer.body, host))
  }

  private static func body(_ body: ScriptHost.Response.Body, _ host: ScriptHost) -> ResponseBody {
    switch body {
    case .bytes(let bytes): return ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
    case .stream(let number):
      return ResponseBody { writer in
        // One piece at a time: what the script writes next waits until this one has been taken.
        let (pieces, continuation) = AsyncStream.makeStream(of: (ByteBuffer, CheckedContinuation<Void, any Error>).self)
        let script = Task {
          defer { continuation.finish() }
          let stream = ChunkStream { piece in
            try await withCheckedThrowingContinuation { taken in
              if case .terminated = continuation.yield((piece, taken)) { taken.resume(throwing: CancellationError()) }
            }
          }
          // A stream that waits for news would never end by itself.
          try await cancelWhenGracefulShutdown { try await host.write(number, to: stream) }
        }
        try await withTaskCancellationHandler {
          var failure: (any Error)?
          for await (piece, taken) in pieces {
            do {
              if let failure { throw failure }
              try await writer.write(piece)
              taken.resume()
            } catch {
              failure = error
              taken.resume(throwing: error)
            }
          }
          if let failure { throw failure }
          try await script.value
        } onCancel: {
          script.cancel()
        }
        try await writer.finish(nil)
      }
    }
  }
}
