import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What was typed in earlier sessions: `$XDG_STATE_HOME/sx/history`, or `~/.local/state/sx/history`.
///
/// An entry is a line of the file, with the line breaks inside it written as `\n` and backslashes doubled, so inputs over several lines stay
/// whole. Every entry is appended at once by a single write: nothing is lost however a session ends, and sessions side by side
/// do not cut into each other's entries. A session goes on without history when there is no home or the file cannot be written.
struct HistoryFile {
  static let limit = 2000
  private let path: String?

  init() {
    func variable(_ name: String) -> String? {
      getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
    // A relative path in the variable is to be ignored, says the specification.
    let state = variable("XDG_STATE_HOME").flatMap { $0.hasPrefix("/") ? $0 : nil } ?? variable("HOME").map { $0 + "/.local/state" }
    path = state.map { $0 + "/sx/history" }
  }

  /// The entries, oldest first, each text once, where it was typed last. Shortens a file that has grown well beyond the limit.
  func load() -> [String] {
    guard let path, let bytes = try? Files.contents(of: path) else { return [] }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    var seen: Set<Substring> = []
    let kept = Array(lines.reversed().filter { seen.insert($0).inserted }.prefix(Self.limit).reversed())
    if lines.count > 2 * Self.limit { replace(path, with: kept) }
    return kept.map { Self.decode($0) }
  }

  func add(_ input: String) {
    guard let path else { return }
    makeFolders(above: path)
    // What people type may be private.
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { return }
    defer { close(file) }
    write(Self.encode(input) + "\n", to: file)
  }

  /// By way of a new file, so that a crash in between loses nothing.
  private func replace(_ path: String, with lines: [Substring]) {
    let fresh = path + ".new"
    let file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { return }
    write(lines.joined(separator: "\n") + "\n", to: file)
    close(file)
    rename(fresh, path)
  }

  private func write(_ text: String, to file: Int32) {
    _ = Array(text.utf8).withUnsafeBytes { Descriptor.writeFully($0, to: file) }
  }

  private func makeFolders(above path: String) {
    var position = path.startIndex
    while let slash = path[path.index(after: position)...].firstIndex(of: "/") {
      mkdir(String(path[..<slash]), 0o700)
      position = slash
    }
  }

  // MARK: Entries as lines

  static func encode(_ entry: String) -> String {
    String(entry.flatMap { $0 == "\\" ? "\\\\" : $0.isNewline ? "\\n" : String($0) })
  }

  static func decode(_ line: some StringProtocol) -> String {
    var entry = "", isEscaped = false
    for character in line {
      if isEscaped {
        entry.append(character == "n" ? "\n" : character)
        isEscaped = false
      } else if character == "\\" {
        isEscaped = true
      } else {
        entry.append(character)
      }
    }
    return entry
  }
}
