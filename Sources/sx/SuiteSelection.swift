import SX
import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file of tests and how to run it.
struct Suite: Sendable {
  enum Style: Sendable {
    /// `defsuite` and `deftest`.
    case deftest
    /// The file counts by itself; this function gives the counts. The modules are loaded first.
    case counter(runner: String, modules: [String])
  }

  let name: String
  let path: String
  let style: Style
}

/// Which suites the arguments of `sx test` mean.
struct SuiteSelection {
  private static let manifestPath = "conformance/manifest.sx"

  /// The rows of the manifest in the working directory; nil when there is none.
  private let manifest: [Suite]?

  init(_ interpreter: Interpreter) throws {
    manifest = try Self.readManifest(interpreter)
  }

  /// - Throws: `HostError` when a name means nothing.
  func suites(named names: [String]) throws -> [Suite] {
    if names.isEmpty {
      guard let manifest else { throw HostError("there is no \(Self.manifestPath) here; name suites, files or folders") }
      return manifest
    }
    var chosen: [Suite] = []
    for suite in try names.flatMap(suites(named:)) where !chosen.contains(where: { $0.path == suite.path }) {
      chosen.append(suite)
    }
    return chosen
  }

  private func suites(named name: String) throws -> [Suite] {
    if let known = manifest?.filter({ $0.name == name }), !known.isEmpty { return known }
    switch kind(of: name) {
    case .file: return [suite(at: normalized(name))]
    case .folder:
      // Files that the manifest does not know may be parts of those that it knows.
      let folder = normalized(name)
      let known = manifest?.filter { folder == "." || $0.path.hasPrefix(folder + "/") } ?? []
      let suites = known.isEmpty ? try sources(in: folder).map(suite(at:)) : known
      guard !suites.isEmpty else { throw HostError("no test suites in \(name)") }
      return suites
    case nil: throw HostError("no suite, file or folder is named \(name)")
    }
  }

  private func suite(at path: String) -> Suite {
    manifest?.first { $0.path == path } ?? Suite(name: path, path: path, style: .deftest)
  }

  // MARK: Files

  private enum Kind { case file, folder }

  private func kind(of path: String) -> Kind? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return status.st_mode & S_IFMT == S_IFDIR ? .folder : .file
  }

  /// Without `./` in front and slashes at the end, as the manifest writes paths.
  private func normalized(_ path: String) -> String {
    var path = path[...]
    while path.hasPrefix("./"), path.count > 2 { path = path.dropFirst(2) }
    while path.hasSuffix("/"), path.count > 1 { path = path.dropLast() }
    return path == "./" ? "." : String(path)
  }

  /// All `.sx` files below a folder, sorted.
  private func sources(in folder: String) throws -> [String] {
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

  // MARK: The manifest

  private static func readManifest(_ interpreter: Interpreter) throws -> [Suite]? {
    guard let bytes = try? Files.contents(of: manifestPath) else { return nil }
    // The manifest is data: a list of dicts, read and not evaluated.
    let reading = try interpreter.evaluate("sx-parse")
    let data = try interpreter.call(reading, [.string(String(decoding: bytes, as: UTF8.self))]).datum()
    guard let rows = data.list?.first?.list else { throw HostError("\(manifestPath) must be a list of dicts") }
    return try rows.map(suite(row:))
  }

  private static func suite(row: Datum) throws -> Suite {
    guard let name = row["suite"]?.string, let file = row["file"]?.string else {
      throw HostError("\(manifestPath): a row needs :suite and :file: \(row)")
    }
    let folder = "conformance/"
    switch row["style"]?.string {
    case "deftest": return Suite(name: name, path: folder + file, style: .deftest)
    case "counter":
      guard let runner = row["runner"]?.string else { throw HostError("\(manifestPath): the row of \(name) needs :runner") }
      let modules = row["modules"]?.list?.compactMap(\.string) ?? []
      return Suite(name: name, path: folder + file, style: .counter(runner: runner, modules: modules))
    default: throw HostError("\(manifestPath): the :style of \(name) must be \"deftest\" or \"counter\"")
    }
  }
}
