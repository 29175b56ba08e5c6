import SXHost
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Standard output of a run: lines that stay, and on a terminal one line below them that tells how far it is. Thread-safe.
final class Console: Sendable {
  let palette: Palette
  /// A line of progress can be drawn and removed again.
  let isTerminal: Bool
  private let status = Mutex("")

  init() {
    isTerminal = isatty(STDOUT_FILENO) == 1 && getenv("TERM").map { strcmp($0, "dumb") != 0 } ?? false
    let isUnwanted = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
    palette = Palette(isColored: isTerminal && !isUnwanted)
  }

  /// Writes text that stays; it ends with a line break.
  func write(_ text: String) {
    guard !text.isEmpty else { return }
    status.withLock { put(($0.isEmpty ? "" : Self.clearLine) + text + $0) }
  }

  /// Shows a line that the next one replaces; an empty one removes it. Nothing happens without a terminal.
  func show(status line: String) {
    guard isTerminal else { return }
    let line = String(line.unicodeScalars.prefix(max(10, width - 1)).map(Character.init))
    status.withLock { status in
      guard line != status else { return }
      status = line
      put(Self.clearLine + line)
    }
  }

  func clearScreen() {
    if isTerminal { write("\u{1B}[2J\u{1B}[H") }
  }

  var width: Int {
    var size = winsize()
    guard isTerminal, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 100 }
    return Int(size.ws_col)
  }

  private static let clearLine = "\r\u{1B}[2K"

  private func put(_ text: String) {
    var text = text
    _ = text.withUTF8 { Descriptor.writeFully(UnsafeRawBufferPointer($0), to: STDOUT_FILENO) }
  }
}
