import SXHost
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Lines of standard input, read on a thread of their own: while none is there, the fibers of earlier commands go on.
final class LineInput: Sendable {
  enum Event {
    case piece(LineSplitter.Piece)
    case end
  }

  static let longestLine = 256 * 1024 * 1024

  private let events = Mutex<[Event]>([])

  /// Begins to read.
  ///
  /// - Parameter onEvent: is called on the other thread whenever there is something for `next`.
  func start(_ onEvent: @escaping @Sendable () -> Void) throws {
    try InterpreterThread.detach { [self] in
      readAll { event in
        events.withLock { $0.append(event) }
        onEvent()
      }
    }
  }

  func next() -> Event? {
    events.withLock { $0.isEmpty ? nil : $0.removeFirst() }
  }

  private func readAll(_ emit: (Event) -> Void) {
    var chunk = [UInt8](repeating: 0, count: 64 * 1024), splitter = LineSplitter(longestLine: Self.longestLine)
    while true {
      let count = chunk.withUnsafeMutableBytes { read(STDIN_FILENO, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      splitter.take(chunk[..<count]) { emit(.piece($0)) }
    }
    splitter.finish { emit(.piece($0)) }
    emit(.end)
  }
}
