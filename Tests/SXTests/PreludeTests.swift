import Foundation
import Testing

@testable import SX

@Suite struct PreludeTests {
  private var root: URL { URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent() }

  @Test func everyFileOfTheFolderIsEmbedded() throws {
    let folder = root.appendingPathComponent("prelude").resolvingSymlinksInPath()
    let listed = try String(contentsOf: folder.appendingPathComponent("prelude.c"), encoding: .utf8)
    let files = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String }.filter { $0.hasSuffix(".sx") } ?? []
    #expect(files.count > 10)
    for file in files { #expect(listed.contains("#embed \"\(file)\""), "\(file) is missing in prelude.c") }
  }

  @Test func noNameIsDefinedTwice() throws {
    var seen: [String: String] = [:]
    let folder = root.appendingPathComponent("prelude").resolvingSymlinksInPath()
    for file in FileManager.default.enumerator(atPath: folder.path)?.compactMap({ $0 as? String }).filter({ $0.hasSuffix(".sx") }) ?? [] {
      let bytes = Array(try Data(contentsOf: folder.appendingPathComponent(file)))
      bytes.withUnsafeBufferPointer { buffer in
        var scanner = DefinitionScanner(buffer)
        while let found = scanner.next() {
          let name = String(decoding: found.name, as: UTF8.self)
          if let other = seen.updateValue(file, forKey: name) { Issue.record("\(name) is defined in \(other) and in \(file)") }
        }
      }
    }
    #expect(seen.count > 300)
  }

  /// At the start only the beginnings of lines are looked at; the reader knows what is a definition.
  @Test func theReaderFindsTheSameDefinitions() throws {
    let sx = Interpreter()
    for file in sx.machine.preludeFiles {
      let text = try file.source(sx.machine)
      try text.bytes.withUnsafeBufferPointer { bytes in
        var reader = Reader(sx.machine, text, bytes), read: [Int] = [], found: [Int] = []
        while let form = try reader.next() {
          #expect(form.value.isPair && form.value.head.text.hasPrefix("def"), "\(file.path)")
          read.append(Int(form.span.start - text.base))
        }
        var start = Prelude.definitionStart(in: bytes, from: 0)
        while start < bytes.count {
          found.append(start)
          start = Prelude.definitionStart(in: bytes, from: start + 1)
        }
        #expect(found == read, "\(file.path)")
      }
    }
  }

  /// Names without a prefix are anybody's; the prelude keeps its own meaning of them.
  @Test(arguments: [false, true]) func aProgramMayTakeEveryNameOfThePrelude(afterUse: Bool) throws {
    let sx = Interpreter(capabilities: .all)
    let router = try sx.evaluate("dream-router"), request = try sx.evaluate("(dream-request \"GET\" \"/otel?look=dark\" {} \"\")")
    let mine = try sx.evaluate("(fn (&rest arguments) (error \"mine\"))")
    func status() throws -> Int? {
      _ = try sx.evaluate("(otel/with-span \"work\" {:a 1} (fn () (otel/add-event! \"step\" {})))")
      return try sx.call(try sx.call(router, [try sx.evaluate("(otel/dashboard-routes)")]), [request])["status"]?.integer
    }
    if afterUse { #expect(try status() == 200) }
    // A component is looked up by its name while a page is made.
    let taken = sx.machine.preludeGlobals.map { sx.machine.globalNames[$0].text }.filter { !$0.contains("/") && !$0.hasPrefix("~") }
    #expect(taken.count > 200)
    for name in taken { sx.setGlobal(name, to: mine) }
    #expect(try status() == 200)
    #expect(throws: Diagnostic.self) { try sx.evaluate("(map inc (list 1))") }
    sx.define("for-each") { (n: Int) in n + 1 }
    #expect(try sx.evaluate("(for-each 1)").integer == 2)
    #expect(try status() == 200)
  }

  /// What nobody has asked for yet is evaluated inside of the run that does, and ends with it.
  @Test func aDefinitionWhoseEvaluationWasEndedIsMadeAnew() throws {
    var ended = 0
    for steps in 1...40 {
      let sx = Interpreter(capabilities: .all)
      sx.limits.steps = steps
      do { _ = try sx.evaluate("(otel/-baggage)") } catch let diagnostic as Diagnostic {
        #expect(diagnostic.interruption == .steps)
        ended += 1
      }
      sx.limits.steps = nil
      #expect(throws: Never.self) { try sx.evaluate("(otel/-baggage)") }
    }
    #expect(ended > 0)
  }

  /// A lazy definition that cannot be evaluated would be found by its first user.
  @Test func everyDefinitionEvaluates() throws {
    let sx = Interpreter()
    for name in sx.globalNames.sorted() {
      do { _ = try sx.machine.globalValue(sx.machine.globalIndex(sx.machine.heap.symbol(name))) } catch { Issue.record("\(name): \(sx.diagnostic(error))") }
    }
    #expect(sx.machine.globalNames.indices.allSatisfy { sx.machine.pending[$0] == nil })
  }
}
