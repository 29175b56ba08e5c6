import SX
import SXHost
import Testing

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The probe socket: who may connect, what comes back, and who cannot do harm.
@Suite struct ProbeTests {
  /// An interpreter that does nothing but answer probes.
  private final class Probed: Sendable {
    let path: String
    private let thread: InterpreterThread

    init(path: String = "/tmp/sx-test-\(getpid())-\(UInt32.random(in: 0 ... .max)).probe") async throws {
      self.path = path
      let opened = OneShot<String?>()
      thread = try InterpreterThread(SystemHost.Configuration(output: .captured, capabilities: .all)) { _, host in
        do {
          try host.openProbe(at: path)
          opened.give(nil)
        } catch {
          opened.give((error as? HostError)?.message ?? "\(error)")
        }
      }
      if let refusal = await opened.value {
        thread.stop()
        throw HostError(refusal)
      }
    }

    func stop() async {
      let closed = OneShot<Bool>()
      thread.post { _, host in
        host.close()
        closed.give(true)
      }
      _ = await closed.value
      thread.stop()
    }
  }

  @Test func valueAndDiagnosticComeBackAsText() async throws {
    let server = try await Probed()
    let client = try ProbeClient(path: server.path)
    guard case .value("(1 \"two\")") = try await client.ask("(define x 1) (list x \"two\")") else { return #expect(Bool(false)) }
    guard case .failure(let text) = try await client.ask("(+ x\n  nowhere)") else { return #expect(Bool(false)) }
    #expect(text.contains("Undefined symbol: nowhere") && text.contains("<probe>:2:3"))
    guard case .value("1") = try await ProbeClient(path: server.path).ask("x") else { return #expect(Bool(false)) }
    await server.stop()
  }

  @Test func socketIsForThisUserOnlyAndGoesAway() async throws {
    let server = try await Probed()
    var status = stat()
    #expect(stat(server.path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    await server.stop()
    #expect(stat(server.path, &status) != 0)
  }

  @Test func liveSocketIsRefusedAndStaleOneReplaced() async throws {
    let server = try await Probed()
    let failure = await #expect(throws: HostError.self) { try await Probed(path: server.path) }
    #expect(failure?.message == "probe: another server is listening on \(server.path)")
    guard case .value("1") = try await ProbeClient(path: server.path).ask("1") else { return #expect(Bool(false)) }
    await server.stop()

    // What a killed server leaves behind: a socket nobody listens on.
    let stale = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: server.path.utf8) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(stale, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    #expect(bound == 0)
    close(stale)
    let successor = try await Probed(path: server.path)
    guard case .value("2") = try await ProbeClient(path: server.path).ask("2") else { return #expect(Bool(false)) }
    await successor.stop()
  }

  @Test func somethingElseAtThePathIsLeftAlone() async throws {
    let path = "/tmp/sx-test-\(getpid()).txt"
    close(open(path, O_CREAT | O_WRONLY, 0o600))
    defer { unlink(path) }
    let failure = await #expect(throws: HostError.self) { try await Probed(path: path) }
    #expect(failure?.message == "probe: \(path) exists and is not a socket")
    let tooLong = "/tmp/" + String(repeating: "x", count: 200)
    await #expect(throws: HostError.self) { try await Probed(path: tooLong) }
  }

  @Test func silentAndConfusedClientsDoNotHurt() async throws {
    let server = try await Probed()
    let silent = try RawConnection(unix: server.path)
    let halfway = try RawConnection(unix: server.path)
    try await halfway.send([0, 0, 0, 10, 1, 40])
    let confused = try RawConnection(unix: server.path)
    try await confused.send("GET / HTTP/1.1\r\n\r\n")
    // A frame of kind 4: refusal, in words.
    #expect(try await Array(confused.readToEnd().utf8)[4] == 4)
    let unknown = try RawConnection(unix: server.path)
    try await unknown.send([0, 0, 0, 0, 99])
    #expect(try await unknown.readToEnd().contains("unknown kind of frame"))
    // A client that leaves before its answer is there.
    try await RawConnection(unix: server.path).send([0, 0, 0, 12, 1] + Array("(sleep 200) ".utf8))
    guard case .value("3") = try await ProbeClient(path: server.path).ask("3") else { return #expect(Bool(false)) }
    _ = (silent, halfway)
    await server.stop()
  }

  @Test func clientWithoutAServerSaysSo() {
    let failure = #expect(throws: ProbeFailure.self) { try ProbeClient(path: "/tmp/sx-test-nobody") }
    #expect(failure?.description.hasPrefix("cannot connect to the probe: /tmp/sx-test-nobody: ") == true)
  }
}

extension ProbeClient {
  /// `evaluate`, off the threads of the tasks.
  fileprivate func ask(_ source: String) async throws -> Answer {
    try await blocking { try evaluate(source) }
  }
}
