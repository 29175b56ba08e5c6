import Foundation
import SXHost
import Testing

/// The command as a whole: what it prints, where, and how it exits.
@Suite struct CommandTests {
  struct Outcome {
    let status: Int32
    let output: String
    let errors: String
  }

  /// The program that was built together with these tests.
  static let executable: URL = {
    let argument = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "sx")
    if FileManager.default.isExecutableFile(atPath: argument.path) { return argument }
    return Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent().appending(path: "sx") }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) } ?? argument
  }()

  /// Starts the command; its standard input ends after `input`.
  static func start(_ arguments: [String], input: String = "") throws -> (process: Process, output: Pipe, errors: Pipe) {
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    let (standardInput, output, errors) = (Pipe(), Pipe(), Pipe())
    process.standardInput = standardInput
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    try standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try standardInput.fileHandleForWriting.close()
    return (process, output, errors)
  }

  static func sx(_ arguments: String..., input: String = "") async throws -> Outcome { try await sx(arguments, input: input) }

  static func sx(_ arguments: [String], input: String = "") async throws -> Outcome {
    try await blocking {
      let (process, output, errors) = try start(arguments, input: input)
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      return Outcome(status: process.terminationStatus, output: text, errors: complaint)
    }
  }

  /// A file in a folder of its own, for the time of `body`.
  static func withFile<Value>(_ text: String, _ body: (String) async throws -> Value) async throws -> Value {
    let folder = FileManager.default.temporaryDirectory.appending(path: "sx-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "program.sx")
    try Data(text.utf8).write(to: file)
    return try await body(file.path)
  }

  // MARK: eval, run, check

  @Test func evalPrintsTheLastValueAsThePrinterWritesIt() async throws {
    let outcome = try await Self.sx("eval", "(define x \"a\") (list x :k nil 1.0)")
    #expect(outcome.output == "(\"a\" \"k\" nil 1.0)\n")
    #expect(outcome.status == 0 && outcome.errors == "")
    #expect(try await Self.sx("eval", "-", input: "(+ 1\n 2)").output == "3\n")
  }

  @Test func evalLoadsFilesFirst() async throws {
    try await Self.withFile("(define (twice x) (* 2 x))") { path in
      let outcome = try await Self.sx("eval", "--load", path, "(twice 21)")
      #expect(outcome.output == "42\n")
    }
  }

  @Test func anErrorIsLocatedOnStandardErrorAndExitsWith1() async throws {
    let outcome = try await Self.sx("eval", "(println \"before\") (+ 1 nowhere)")
    #expect(outcome.status == 1)
    #expect(outcome.output == "before\n")
    #expect(outcome.errors.contains("Undefined symbol: nowhere") && outcome.errors.contains("<eval>:1:25"))
  }

  @Test func wrongUsageExitsWith64() async throws {
    for arguments in [["eval"], ["nonsense"], ["serve", "--port", "70000"], ["eval", "1", "--connect", "x", "--load", "y"]] {
      let outcome = try await Self.sx(arguments)
      #expect(outcome.status == 64, "\(arguments)")
      #expect(outcome.errors.contains("Usage: sx"), "\(arguments)")
    }
  }

  @Test func aMissingFileIsNamed() async throws {
    for command in ["run", "check", "test", "serve"] {
      let outcome = try await Self.sx(command, "/nowhere/missing.sx")
      #expect(outcome.status == 1, "\(command)")
      #expect(outcome.errors.contains("/nowhere/missing.sx"), "\(command): \(outcome.errors)")
    }
  }

  @Test func runHandsTheArgumentsOverAndExitsAsToldTo() async throws {
    try await Self.withFile("(println (rest (command-line))) (exit 7)") { path in
      let outcome = try await Self.sx("run", path, "a", "--port", "-v")
      #expect(outcome.output == "(a --port -v)\n" || outcome.output == "(\"a\" \"--port\" \"-v\")\n")
      #expect(outcome.status == 7)
    }
  }

  @Test func deadlockIsAnErrorAndNotAHang() async throws {
    let outcome = try await Self.sx("eval", "(perform {:op \"wait\" :args (list \"x\" nil)})")
    #expect(outcome.status == 1 && outcome.errors.contains("deadlock"))
  }

  @Test func unknownOperationCanBeCaught() async throws {
    #expect(try await Self.sx("eval", "(guard (e (true \"caught\")) (perform {:op \"fly\" :args ()}))").output == "\"caught\"\n")
  }

  @Test func checkReportsWithoutRunning() async throws {
    try await Self.withFile("(println \"ran\")\n(frobnicate 1)\n") { path in
      let outcome = try await Self.sx("check", path)
      #expect(outcome.status == 1 && outcome.output == "")
      #expect(outcome.errors.contains("Undefined symbol: frobnicate") && outcome.errors.contains("\(path):2:2"))
    }
    try await Self.withFile("(println \"ran\")") { path in
      let outcome = try await Self.sx("check", path)
      #expect(outcome.status == 0 && outcome.output == "" && outcome.errors == "")
    }
  }

  @Test func replWithoutATerminalEvaluatesFormByForm() async throws {
    let outcome = try await Self.sx("repl", input: "(+ 1 2)\n*1\n(list\n *1\n *1)\n(nowhere)\n4\n")
    #expect(outcome.output == "3\n3\n(3 3)\n4\n")
    #expect(outcome.errors.contains("Undefined symbol: nowhere"))
    #expect(outcome.status == 1)
    #expect(try await Self.sx("repl", input: "1").status == 0)
  }

  // MARK: test

  @Test func testShowsAFailureWithPlaceAndBothValues() async throws {
    try await Self.withFile("(defsuite \"sums\"\n  (deftest \"right\" (assert-equal 2 (+ 1 1)))\n  (deftest \"wrong\"\n    (assert-equal 3 (+ 1 1))))") { path in
      let outcome = try await Self.sx("test", path)
      #expect(outcome.status == 1)
      #expect(outcome.output.contains("sums > wrong\n     \(path):4"))
      #expect(outcome.output.contains("expected  3") && outcome.output.contains("got       2"))
      #expect(outcome.output.hasSuffix("\n1 passed, 1 failed\n"))
      let filtered = try await Self.sx("test", "--filter", "right", path)
      #expect(filtered.status == 0 && filtered.output.hasSuffix("\n1 passed, 0 failed\n"))
      #expect(try await Self.sx("test", "--filter", "no such case", path).status == 1)
    }
  }

  @Test(arguments: [
    "(defsuite \"s\" (deftest \"t\" (assert true)))\n(error \"half way\")",
    "(defsuite \"s\" (deftest \"t\" (assert true)))\n(exit 0)",
    "(defsuite \"s\")",
    "(defsuite \"s\" (deftest \"t\" (assert true))",
    "(perform {:op \"wait\" :args (list \"x\" nil)})",
    "",
  ])
  func suiteThatDoesNotGetToItsEndFails(source: String) async throws {
    try await Self.withFile(source) { path in
      let outcome = try await Self.sx("test", path)
      #expect(outcome.status == 1)
      #expect(outcome.output.hasSuffix("1 failed\n"), "\(outcome.output)")
    }
  }

  // MARK: serve

  @Test func portInUseIsSaidInOneLine() async throws {
    let server = try await TestServer.handling("(fn (exchange request) nil)")
    let outcome = try await Self.sx("serve", "--port", String(server.address.port))
    #expect(outcome.status == 1)
    #expect(outcome.errors == "sx: http-serve: port \(server.address.port) on 127.0.0.1 is already in use\n")
    await server.stop()
  }

  @Test func fileWithoutAnApplicationIsRefused() async throws {
    try await Self.withFile("(define ap 1)") { path in
      let outcome = try await Self.sx("serve", path)
      #expect(outcome.errors == "sx: \(path) does not define app, the application to serve\n")
    }
  }

  @Test(arguments: [SIGTERM, SIGINT])
  func signalLetsTheRequestInFlightFinish(signal: Int32) async throws {
    let application = """
      (define is-started false)
      (define (app request) (set! is-started true) (sleep 2000) (dream-response 200 {} "waited"))
      """
    try await Self.withFile(application) { path in try await Self.stopWhileARequestIsInFlight(application: path, signal: signal) }
  }

  private static func stopWhileARequestIsInFlight(application: String, signal: Int32) async throws {
    let socket = "/tmp/sx-test-\(getpid())-\(signal).probe"
    let (process, output, _) = try Self.start(["serve", "--port", "0", "--probe", socket, application])
    defer { process.terminate() }
    let greeting = try await blocking {
      var text = ""
      while !text.contains("--connect"), case let data = output.fileHandleForReading.availableData, !data.isEmpty {
        text += String(decoding: data, as: UTF8.self)
      }
      return text
    }
    let port = try #require(greeting.firstMatch(of: /http:\/\/127\.0\.0\.1:([0-9]+)/).flatMap { Int($0.1) })
    let connection = try RawConnection(port: port)
    try await connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    try await eventually {
      try await blocking {
        if case .value("true") = try ProbeClient(path: socket).evaluate("is-started") { true } else { false }
      }
    }
    kill(process.processIdentifier, signal)
    #expect(try await connection.readToEnd().hasSuffix("waited"))
    try await blocking { process.waitUntilExit() }
    #expect(process.terminationReason == .exit && process.terminationStatus == 0)
    #expect(!FileManager.default.fileExists(atPath: socket))
  }
}
