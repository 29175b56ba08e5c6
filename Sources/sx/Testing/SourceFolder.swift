import SX
import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Folders of source files.
enum SourceFolder {
  enum Kind { case file, folder }

  static func kind(of path: String) -> Kind? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return status.st_mode & S_IFMT == S_IFDIR ? .folder : .file
  }

  /// All `.sx` files below a folder, sorted.
  ///
  /// - Throws: `HostError` when the folder cannot be read.
  static func sources(in folder: String) throws -> [String] {
    guard let directory = opendir(folder) else { throw HostError("cannot read \(folder)") }
    defer { closedir(directory) }
    var paths: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name.hasPrefix(".") { continue }
      let path = folder == "." ? name : "\(folder)/\(name)"
      switch kind(of: path) {
      case .folder: paths += try sources(in: path)
      case .file where name.hasSuffix(".sx"): paths.append(path)
      default: break
      }
    }
    return paths.sorted()
  }
}
