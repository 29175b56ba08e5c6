import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import SX
import SXHost
import SXLifecycle
import ServiceLifecycle
import Testing

/// Programs in groups of services: how they end, and that they do.
@Suite struct InterpreterServiceTests {
  /// What a program notes, in order, and a way to wait for it.
  private final class Notes: Sendable {
    let stream: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation
    init() { (stream, continuation) = AsyncStream.makeStream() }

    func add(_ text: String) { continuation.yield(text) }
    func next() async -> String? { await stream.first { _ in true } }
    func rest() async -> [String] {
      continuation.finish()
      return await stream.reduce(into: []) { $0.append($1) }
    }
  }

  private static func service(_ source: String, _ notes: Notes) throws -> InterpreterService {
    InterpreterService(try Program(source, file: "service.sx"), SystemHost.Configuration(output: .captured, capabilities: .all)) { interpreter, host in
      interpreter.define("note") { (text: String) in notes.add(text) }
      host.onListening = { notes.add($0.url) }
    }
  }
  private static func group(_ service: InterpreterService) -> ServiceGroup {
    ServiceGroup(configuration: ServiceGroupConfiguration(services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
  }

  @Test func requestsInFlightFinishWhenTheGroupShutsDown() async throws {
    let notes = Notes()
    let group = Self.group(try Self.service("""
      (define (slow request) (note "asked") (sleep 200) (host/ok "done"))
      (at-exit (fn () (note "at exit")))
      (host/serve (host/make-app (list (dream-get "/slow" slow))) 0)
      (note "served")
      """, notes))
    async let running: Void = group.run()
    let url = try #require(await notes.next())
    async let answer = HTTPClient.shared.get(url: url + "/slow").get()
    #expect(await notes.next() == "asked")
    await group.triggerGracefulShutdown()
    let response = try await answer
    #expect(response.status == .ok)
    #expect(response.body.map { String(buffer: $0) } == "{\"ok\":true,\"data\":\"done\"}")
    try await running
    #expect(await notes.rest() == ["served", "at exit"])
  }

  @Test func aProgramWithoutAServerExitsInOrder() async throws {
    let notes = Notes()
    let group = Self.group(try Self.service("""
      (at-exit (fn () (note "at exit")))
      (dynamic-wind (fn () nil) (fn () (note "begun") (let wait () (sleep 10) (wait))) (fn () (note "left")))
      """, notes))
    async let running: Void = group.run()
    #expect(await notes.next() == "begun")
    await group.triggerGracefulShutdown()
    try await running
    #expect(await notes.rest() == ["left", "at exit"])
  }

  @Test func aProgramThatComputesHearsOfItToo() async throws {
    let notes = Notes()
    let group = Self.group(try Self.service("(note \"begun\") (let loop () (guard (e (true nil)) (loop)))", notes))
    async let running: Void = group.run()
    #expect(await notes.next() == "begun")
    await group.triggerGracefulShutdown()
    try await running
  }

  @Test func aCancelledServiceEndsWithAnError() async throws {
    let notes = Notes(), service = try Self.service("(at-exit (fn () (note \"at exit\"))) (dynamic-wind (fn () nil) (fn () (note \"begun\") (let loop () (loop))) (fn () (note \"left\")))", notes)
    let task = Task { try await service.run() }
    #expect(await notes.next() == "begun")
    task.cancel()
    let error = await #expect(throws: Diagnostic.self) { try await task.value }
    #expect(error?.interruption == .cancelled(reason: "the service was cancelled"))
    #expect(await notes.rest() == ["left"])
  }

  /// Whoever has its turn when it comes.
  @Test(arguments: ["(spawn (fn () (let loop () (loop)))) (note \"begun\") (sleep 1000000)", "(spawn (fn () (let loop () (loop)))) (note \"begun\") (let loop () (loop))"])
  func aServiceEndsWhateverItsOtherFibersDo(source: String) async throws {
    let notes = Notes(), service = try Self.service(source, notes)
    let task = Task { try await service.run() }
    #expect(await notes.next() == "begun")
    task.cancel()
    let error = await #expect(throws: Diagnostic.self) { try await task.value }
    #expect(error?.interruption == .cancelled(reason: "the service was cancelled"))
  }

  @Test func anExitOfAnyFiberEndsTheService() async throws {
    let notes = Notes()
    let service = try Self.service("(at-exit (fn () (note \"at exit\"))) (spawn (fn () (sleep 10) (exit 4))) (sleep 1000000)", notes)
    let error = await #expect(throws: HostError.self) { try await service.run() }
    #expect(error?.message == "service.sx has exited with status 4")
    #expect(await notes.rest() == ["at exit"])
  }

  /// Before there is an interpreter.
  @Test func aServiceThatIsCancelledAtOnceEndsAtOnce() async throws {
    let service = try Self.service("(let loop () (loop))", Notes())
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try await service.run()
    }
    let error = await #expect(throws: Diagnostic.self) { try await task.value }
    #expect(error?.interruption == .cancelled(reason: "the service was cancelled"))
  }

  @Test func itsOwnEndIsThatOfTheService() async throws {
    let notes = Notes()
    try await Self.service("(at-exit (fn () (note \"at exit\"))) (note \"done\")", notes).run()
    try await Self.service("(at-exit (fn () (note \"at exit\"))) (exit 0) (note \"too much\")", notes).run()
    let status = await #expect(throws: HostError.self) { try await Self.service("(at-exit (fn () (note \"at exit\"))) (exit 3)", notes).run() }
    #expect(status?.message == "service.sx has exited with status 3")
    let failure = await #expect(throws: Diagnostic.self) { try await Self.service("(at-exit (fn () (note \"at exit\")))\n(error \"no\")", notes).run() }
    #expect(failure?.message == "no")
    #expect(failure?.location?.line == 2)
    #expect(await notes.rest() == ["done", "at exit", "at exit", "at exit", "at exit"])
  }

  @Test func aGroupEndsWithTheErrorOfItsProgram() async throws {
    let error = await #expect(throws: Diagnostic.self) { try await Self.group(Self.service("(nothing-of-that-name)", Notes())).run() }
    #expect(error?.message.hasPrefix("Undefined symbol: nothing-of-that-name") == true)
  }

  /// Each has an interpreter of its own, and one program.
  @Test func aServiceMayRunTwiceAtOnce() async throws {
    let notes = Notes(), service = try Self.service("(define n 0) (let loop () (set! n (+ n 1)) (if (< n 1000) (loop) (note (str n))))", notes)
    async let first: Void = service.run()
    async let second: Void = service.run()
    _ = try await (first, second)
    #expect(await notes.rest() == ["1000", "1000"])
  }
}
