import SX
import SXHost

/// Which suites the arguments of `sx test` mean.
struct SuiteSelection {
  private static let manifestPath = "conformance/manifest.sx"

  private let interpreter: Interpreter
  /// The rows of the manifest in the working directory; nil when there is none.
  private let manifest: [Suite]?

  init(_ interpreter: Interpreter) throws {
    self.interpreter = interpreter
    manifest = try Self.readManifest(interpreter)
  }

  /// The files that decide which suites there are.
  static let files = [manifestPath]

  /// - Throws: `HostError` when a name means nothing.
  func suites(named names: [String]) throws -> [Suite] {
    if names.isEmpty {
      guard let manifest else { throw HostError("there is no \(Self.manifestPath) here; name suites, files or folders") }
      return manifest
    }
    var chosen: [Suite] = []
    for suite in try names.flatMap(suites(named:)) {
      guard let known = chosen.firstIndex(where: { $0.path == suite.path }) else {
        chosen.append(suite)
        continue
      }
      // Two lines of one file mean both cases; a whole file includes its lines.
      if let lines = suite.lines, let others = chosen[known].lines { chosen[known].lines = others + lines } else { chosen[known].lines = nil }
    }
    return chosen
  }

  private func suites(named name: String) throws -> [Suite] {
    if let known = manifest?.filter({ $0.name == name }), !known.isEmpty { return known }
    switch SourceFolder.kind(of: name) {
    case .file: return [suite(at: normalized(name))]
    case .folder:
      // Files that the manifest does not know may be parts of those that it knows.
      let folder = normalized(name)
      let known = manifest?.filter { folder == "." || $0.path.hasPrefix(folder + "/") } ?? []
      let suites = known.isEmpty ? try SourceFolder.sources(in: folder).map(suite(at:)) : known
      guard !suites.isEmpty else { throw HostError("no test suites in \(name)") }
      return suites
    case nil:
      if let suite = try suite(atPlace: name) { return [suite] }
      throw HostError("no suite, file or folder is named \(name)")
    }
  }

  /// For FILE:LINE, and FILE:LINE:COLUMN as it stands in messages: the case around that line, or the suite when there is no case.
  private func suite(atPlace place: String) throws -> Suite? {
    var parts = place.split(separator: ":", omittingEmptySubsequences: false)
    var numbers: [Int] = []
    while numbers.count < 2, parts.count > 1, let number = parts.last.flatMap({ Int($0) }), number > 0 {
      numbers.insert(number, at: 0)
      parts.removeLast()
    }
    let path = normalized(parts.joined(separator: ":"))
    guard let line = numbers.first, SourceFolder.kind(of: path) == .file else { return nil }
    var suite = suite(at: path)
    let index = try CaseIndex(suite, interpreter)
    guard let lines = index.lines(around: line) else { throw HostError("\(path):\(line): no test case stands at this line") }
    suite.lines = [lines]
    return suite
  }

  private func suite(at path: String) -> Suite {
    manifest?.first { $0.path == path } ?? Suite(name: path, path: path, style: style(of: path))
  }

  /// The style of a file that the manifest does not know, as far as its looks tell: one that defines `abc-tests-run!` and has no `defsuite` or
  /// `deftest` counts for itself. What other modules it needs, it has to load itself.
  private func style(of path: String) -> Suite.Style {
    // What is wrong with a file that cannot be read is told when it is run.
    guard let bytes = try? Files.contents(of: path), let forms = try? interpreter.outline(of: bytes, file: path),
      let runner = forms.last(where: { $0.isTopLevel && $0.head == "define" && $0.definedName?.hasSuffix("-tests-run!") ?? false })?.definedName,
      !forms.contains(where: { ["defsuite", "deftest"].contains($0.head) })
    else { return .deftest }
    return .counter(runner: runner, modules: [])
  }

  // MARK: Files

  /// Without `./` in front and slashes at the end, as the manifest writes paths.
  private func normalized(_ path: String) -> String {
    var path = path[...]
    while path.hasPrefix("./"), path.count > 2 { path = path.dropFirst(2) }
    while path.hasSuffix("/"), path.count > 1 { path = path.dropLast() }
    return path == "./" ? "." : String(path)
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
