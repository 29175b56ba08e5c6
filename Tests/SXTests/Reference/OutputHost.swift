import SX

/// Keeps what programs print.
final class OutputHost: Host {
  private var bytes: [UInt8] = []
  func write(_ bytes: UnsafeRawBufferPointer, to stream: OutputStream) { self.bytes += bytes }
  func readFile(_ path: String) throws -> [UInt8] { throw HostError("this host has no files") }
  func perform(_ operation: Operation, for interpreter: Interpreter) -> Bool { false }
  func waitForEvents(_ interpreter: Interpreter) -> Bool { false }
  func environment(_ name: String) -> String? { nil }
  var arguments: [String] { [] }
  func nanoseconds() -> Int64 { 0 }
  func randomBytes(_ buffer: UnsafeMutableRawBufferPointer) { for i in buffer.indices { buffer[i] = UInt8(truncatingIfNeeded: i) } }
  var hostName: String { "" }
  var processIdentifier: Int { 0 }
  func exit(_ status: Int32) {}
  /// What was printed since the last time.
  func take() -> String {
    defer { bytes = [] }
    return String(decoding: bytes, as: UTF8.self)
  }
}
