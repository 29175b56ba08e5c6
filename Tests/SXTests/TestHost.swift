import SX

/// Offers nothing, takes every operation and answers none. What a test looks at it overrides.
class TestHost: Host {
  func write(_ bytes: UnsafeRawBufferPointer, to stream: OutputStream) {}
  func readFile(_ path: String) throws -> [UInt8] { throw HostError("this host has no files") }
  func perform(_ operation: Operation, for interpreter: Interpreter) -> Bool { true }
  func waitForEvents(_ interpreter: Interpreter) -> Bool { false }
  func environment(_ name: String) -> String? { nil }
  var arguments: [String] { [] }
  func nanoseconds() -> Int64 { 0 }
  func randomBytes(_ buffer: UnsafeMutableRawBufferPointer) { for i in buffer.indices { buffer[i] = UInt8(truncatingIfNeeded: i) } }
  var hostName: String { "" }
  var processIdentifier: Int { 0 }
  func exit(_ status: Int32) {}
}
