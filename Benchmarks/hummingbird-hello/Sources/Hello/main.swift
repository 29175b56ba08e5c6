import Hummingbird
import Logging
import Tracing

// The route of server/hello.sx in Hummingbird, with Hummingbird's own tracing middleware.
// usage: Hello PORT [untraced]

let port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 8080
let traced = !CommandLine.arguments.contains("untraced")
let tracer = RingTracer(capacity: 1000)
if traced { InstrumentationSystem.bootstrap(tracer) }

let router = Router()
if traced { router.add(middleware: TracingMiddleware()) }
router.get("/hello/:name") { _, context -> Response in
  let name = try context.parameters.require("name")
  return Response(
    status: .ok,
    headers: [.contentType: "application/json"],
    body: ResponseBody(byteBuffer: ByteBuffer(string: "{\"ok\":true,\"data\":\"Hello, \(name)!\"}"))
  )
}
// How many spans were recorded, so that the benchmark can tell that tracing was on.
router.get("/spans") { _, _ in "\(tracer.finished)" }

var logger = Logger(label: "hello")
logger.logLevel = .error
let application = Application(
  router: router,
  configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
  logger: logger
)
try await application.runService()
