import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import SX
import SXHost
import Synchronization
import Testing

/// A server in SX on a free port, inside the test process.
final class TestServer: Sendable {
  let address: ListeningAddress
  private let thread: InterpreterThread
  private let outcome: OneShot<Result<String, Diagnostic>>

  /// Starts `source`, which ends up in `http-serve`, and waits until it listens.
  ///
  /// - Throws: the diagnostic when it does not get that far.
  init(_ source: String) async throws {
    let listening = OneShot<Result<ListeningAddress, Diagnostic>>()
    let outcome = OneShot<Result<String, Diagnostic>>()
    thread = try InterpreterThread(SystemHost.Configuration(output: .captured, capabilities: .all)) { interpreter, host in
      host.onListening = { listening.give(.success($0)) }
      interpreter.spawn(source: source, file: "server.sx") { result in
        if case .failure(let diagnostic) = result { listening.give(.failure(diagnostic)) }
        outcome.give(result.map(\.description))
      }
    }
    self.outcome = outcome
    address = try await listening.value.get()
  }

  /// A server whose handler is this function of an exchange and a request.
  static func handling(_ handler: String, options: String = "") async throws -> TestServer {
    try await TestServer("(perform {:op \"http-serve\" :args (list \(handler) {:port 0 \(options)})})")
  }

  /// Evaluates in a fiber of the server's interpreter and gives what the printer writes.
  @discardableResult
  func evaluate(_ source: String) async throws -> String {
    let answer = OneShot<Result<String, Diagnostic>>()
    thread.post { interpreter in
      interpreter.spawn(source: source, file: "test.sx") { answer.give($0.map(\.description)) }
    }
    return try await answer.value.get()
  }

  func datum(_ source: String) async throws -> Datum {
    let answer = OneShot<Result<Datum, Diagnostic>>()
    thread.post { interpreter in
      interpreter.spawn(source: source, file: "test.sx") { result in
        answer.give(result.map { (try? $0.datum()) ?? .null })
      }
    }
    return try await answer.value.get()
  }

  /// What the program and the host have written since the last call.
  func output() async -> String {
    let answer = OneShot<String>()
    thread.post { _, host in answer.give(host.takeOutput()) }
    return await answer.value
  }

  /// Begins the graceful stop.
  func beginStop() {
    thread.post { interpreter, host in host.stopServers(interpreter) }
  }

  /// What the program's last form gave, once it has ended.
  var ending: Result<String, Diagnostic> {
    get async { await outcome.value }
  }

  /// Stops the server and its thread.
  func stop() async {
    beginStop()
    _ = await outcome.value
    thread.stop()
  }

  // MARK: Requests

  struct Answer: Sendable {
    let status: Int
    let headers: [String: String]
    let body: String
  }

  func request(
    _ path: String, method: String = "GET", headers: [(String, String)] = [], body: String? = nil
  ) async throws -> Answer {
    try await Self.request(address.url + path, method: method, headers: headers, body: body)
  }

  static func request(_ url: String, method: String = "GET", headers: [(String, String)] = [], body: String? = nil) async throws -> Answer {
    var request = HTTPClientRequest(url: url)
    request.method = .init(rawValue: method)
    for (name, value) in headers { request.headers.add(name: name, value: value) }
    if let body { request.body = .bytes(ByteBuffer(string: body)) }
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
    let bytes = try await response.body.collect(upTo: 64 << 20)
    var fields: [String: String] = [:]
    for (name, value) in response.headers { fields[name.lowercased()] = value }
    return Answer(status: Int(response.status.code), headers: fields, body: String(buffer: bytes))
  }
}

/// One value that is given once and awaited by any number of tasks. Later values are dropped.
final class OneShot<Value: Sendable>: Sendable {
  private struct State {
    var value: Value?
    var waiting: [CheckedContinuation<Value, Never>] = []
  }
  private let state = Mutex(State())

  func give(_ value: Value) {
    let waiting = state.withLock { state in
      guard state.value == nil else { return [CheckedContinuation<Value, Never>]() }
      state.value = value
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume(returning: value) }
  }

  var value: Value {
    get async {
      await withCheckedContinuation { continuation in
        let value = state.withLock { state in
          if state.value == nil { state.waiting.append(continuation) }
          return state.value
        }
        if let value { continuation.resume(returning: value) }
      }
    }
  }
}
