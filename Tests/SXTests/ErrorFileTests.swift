import Foundation
import Testing

@testable import SX

/// Chunks of SX in which a line says which error it must lead to.
///
/// A file is a sequence of chunks between lines `---`; each runs in an interpreter of its own. `; ERROR: pattern` at the end of a line
/// says that the chunk ends with an error on this very line, whose message fits the pattern, in which `*` stands for any text.
@Suite struct ErrorFileTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Errors")
  static let files = ((try? FileManager.default.contentsOfDirectory(atPath: folder.resolvingSymlinksInPath().path)) ?? []).filter { $0.hasSuffix(".sx") }.sorted()

  @Test func thereAreFiles() { #expect(ErrorFileTests.files.count >= 4) }

  @Test(arguments: files) func everyChunkFailsWhereItSays(_ file: String) throws {
    let text = try String(contentsOf: ErrorFileTests.folder.appendingPathComponent(file), encoding: .utf8)
    var first = 1
    for chunk in text.components(separatedBy: "\n---\n") {
      let lines = chunk.components(separatedBy: "\n")
      defer { first += lines.count + 1 }
      let expected = lines.enumerated().compactMap { i, line in line.range(of: "; ERROR: ").map { (line: i + 1, pattern: String(line[$0.upperBound...])) } }
      #expect(expected.count == 1, "\(file):\(first): a chunk expects one error")
      guard let expected = expected.first else { continue }
      do {
        let sx = Interpreter()
        sx.machine.stackLimit = 1 << 18             // so that an endless recursion takes no time
        try sx.evaluate(chunk, file: file)
        Issue.record("\(file):\(first + expected.line - 1): no error, expected \(expected.pattern)")
      } catch let error as Diagnostic {
        #expect(error.location?.line == expected.line, "\(file):\(first + expected.line - 1): \(error)")
        #expect(Hint.match(expected.pattern, error.message) != nil, "\(file):\(first + expected.line - 1): \(error.message)")
      }
    }
  }
}
