import Foundation
import Testing

/// What the properties in Swift begin with and what was found, once more. `Tests/System` does the same for those in SX.
struct ReplayTests {
  private static let fuzz = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

  private static func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: fuzz.appending(path: folder).path).filter { !$0.hasPrefix(".") }.sorted()
  }

  @Test(arguments: NativeProperty.all.keys.sorted())
  func thePropertyHoldsForEveryFile(_ name: String) throws {
    let check = try #require(NativeProperty.all[name]).prepare()
    let files = try Self.names(in: "Corpus/\(name)")
    #expect(!files.isEmpty)
    for file in files {
      let input = try Data(contentsOf: Self.fuzz.appending(path: "Corpus/\(name)/\(file)"))
      do { try check(Array(input)) } catch { Issue.record("\(file): \(error)") }
    }
  }

  @Test func everyFolderOfTheCorpusBelongsToAProperty() throws {
    let inSX = try Self.names(in: "Targets").map { $0.replacing(".sx", with: "") }
    #expect(try Self.names(in: "Corpus") == (inSX + NativeProperty.all.keys).sorted())
  }
}
