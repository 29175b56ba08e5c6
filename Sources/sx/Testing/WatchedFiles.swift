import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Files whose changes are waited for, by looking at them again and again: that works on every file system, those of containers
/// and networks included.
struct WatchedFiles {
  /// What tells one state of a file from another.
  private struct Stamp: Equatable {
    var seconds = 0
    var nanoseconds = 0
    var size = -1
    var inode: UInt64 = 0
  }

  private var stamps: [String: Stamp] = [:]

  /// Begins to watch files; those it knows keep the state in which they were seen.
  mutating func add(_ paths: some Sequence<String>) {
    for path in paths where stamps[path] == nil { stamps[path] = stamp(of: path) }
  }

  /// Takes the present state of files for the known one.
  mutating func renew(_ paths: some Sequence<String>) {
    for path in paths { stamps[path] = stamp(of: path) }
  }

  /// The files that have changed since they were last asked for.
  mutating func changes() -> Set<String> {
    var changed: Set<String> = []
    for (path, known) in stamps {
      let now = stamp(of: path)
      if now != known {
        changed.insert(path)
        stamps[path] = now
      }
    }
    return changed
  }

  var count: Int { stamps.count }

  private func stamp(of path: String) -> Stamp {
    var status = stat()
    guard stat(path, &status) == 0 else { return Stamp() }
    #if canImport(Darwin)
      let time = status.st_mtimespec
    #else
      let time = status.st_mtim
    #endif
    return Stamp(seconds: time.tv_sec, nanoseconds: time.tv_nsec, size: Int(status.st_size), inode: UInt64(status.st_ino))
  }
}

/// All `.sx` files of a folder of the prelude, when there is one that is read instead of the built-in one.
enum PreludeFolder {
  static var files: [String] {
    guard let folder = getenv("SX_PRELUDE").map({ String(cString: $0) }), !folder.isEmpty else { return [] }
    return (try? SourceFolder.sources(in: folder)) ?? []
  }
}
