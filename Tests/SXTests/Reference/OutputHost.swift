import SX

/// Keeps what programs print, and offers no operation.
final class OutputHost: TestHost {
  private var bytes: [UInt8] = []
  override func write(_ bytes: UnsafeRawBufferPointer, to stream: OutputStream) { self.bytes += bytes }
  override func perform(_ operation: Operation, for interpreter: Interpreter) -> Bool { false }
  /// What was printed since the last time.
  func take() -> String {
    defer { bytes = [] }
    return String(decoding: bytes, as: UTF8.self)
  }
}
