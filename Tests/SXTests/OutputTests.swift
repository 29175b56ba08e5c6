import SX
import Testing

/// What a host is given to write.
@Suite struct OutputTests {
  /// Keeps every piece as it comes.
  private final class Pieces: Host {
    var written: [String] = []
    func write(_ bytes: UnsafeRawBufferPointer, to stream: OutputStream) {
      written.append("\(stream == .standardError ? "err" : "out"):" + String(decoding: bytes, as: UTF8.self))
    }
    func readFile(_ path: String) throws -> [UInt8] { throw HostError("this host has no files") }
    func perform(_ operation: Operation, for interpreter: Interpreter) -> Bool { false }
    func waitForEvents(_ interpreter: Interpreter) -> Bool { false }
    func environment(_ name: String) -> String? { nil }
    var arguments: [String] { [] }
    func nanoseconds() -> Int64 { 0 }
    func randomBytes(_ buffer: UnsafeMutableRawBufferPointer) { buffer.initializeMemory(as: UInt8.self, repeating: 7) }
    var hostName: String { "" }
    var processIdentifier: Int { 0 }
    func exit(_ status: Int32) {}
  }

  private func pieces(_ source: String) throws -> [String] {
    let host = Pieces()
    try Interpreter(host: host).evaluate(source)
    return host.written
  }

  @Test func lineComesInOnePiece() throws {
    #expect(try pieces("(println 1 \"two\" '(3 \"four\"))") == ["out:1 two (3 four)\n"])
    #expect(try pieces("(eprintln \"bye from\" 7)") == ["err:bye from 7\n"])
    #expect(try pieces("(print 1 2)") == ["out:1 2"])
    #expect(try pieces("(println) (print)") == ["out:\n"])
  }

  @Test func longTextGoesByItselfBetweenWhatStandsAroundIt() throws {
    let written = try pieces("(println 1 (make-string 100000 #\\x) 2 \"y\")")
    #expect(written == ["out:1 ", "out:" + String(repeating: "x", count: 100_000), "out: 2 y\n"])
  }
}
