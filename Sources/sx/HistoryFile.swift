@preconcurrency import CReadline

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What was typed in earlier sessions: `$XDG_STATE_HOME/sx/history`, or `~/.local/state/sx/history`.
///
/// A session goes on without history when there is no home or the file cannot be written.
struct HistoryFile {
  private static let limit: Int32 = 2000
  private let path: String?

  init() {
    func variable(_ name: String) -> String? {
      getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
    // A relative path in the variable is to be ignored, says the specification.
    let state = variable("XDG_STATE_HOME").flatMap { $0.hasPrefix("/") ? $0 : nil } ?? variable("HOME").map { $0 + "/.local/state" }
    path = state.map { $0 + "/sx/history" }
  }

  func load() {
    using_history()
    stifle_history(Self.limit)
    guard let path else { return }
    read_history(path)
  }

  /// Adds an input and saves it at once, so that nothing is lost however the session ends.
  func add(_ input: String) {
    // One line can be edited as a whole; but a comment must not swallow what stood on the next line.
    add_history(input.contains(";") ? input : input.split(separator: "\n").joined(separator: " "))
    guard let path else { return }
    makeFolders(above: path)
    if append_history(1, path) != 0 {
      // The file does not exist yet. What people type may be private.
      close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600))
      append_history(1, path)
    }
    history_truncate_file(path, Self.limit)
  }

  private func makeFolders(above path: String) {
    var position = path.startIndex
    while let slash = path[path.index(after: position)...].firstIndex(of: "/") {
      mkdir(String(path[..<slash]), 0o700)
      position = slash
    }
  }
}
