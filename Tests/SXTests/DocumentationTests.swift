import Foundation
import Testing

@testable import SX

@Suite struct DocumentationTests {
  private var root: URL { URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent() }

  /// Every example runs in an interpreter of its own and gives what it says.
  @Test func everyExampleHolds() throws {
    var checked = 0
    for entry in Interpreter().documentation {
      for example in entry.examples {
        let sx = Interpreter()
        switch example.outcome {
        case .notRun: continue
        case .value(let expected):
          do {
            let got = try sx.evaluate(example.expression, file: entry.name)
            #expect(got.description == expected, "\(entry.name): \(example.expression)")
          } catch {
            Issue.record("\(entry.name): \(example.expression): \(error)")
          }
        case .error(let message):
          let error = #expect(throws: Diagnostic.self, "\(entry.name): \(example.expression)") { try sx.evaluate(example.expression) }
          #expect(error?.message == message, "\(entry.name): \(example.expression)")
        }
        checked += 1
      }
    }
    #expect(checked > 200)
  }

  /// `→` is what makes a line an example that is checked; one that cannot be says so with `→ …`.
  @Test func noExampleOfThePreludeIsWithoutAnArrow() throws {
    let folder = root.appendingPathComponent("prelude").resolvingSymlinksInPath()
    for file in FileManager.default.enumerator(atPath: folder.path)?.compactMap({ $0 as? String }).filter({ $0.hasSuffix(".sx") }) ?? [] {
      let lines = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
      for (line, next) in zip(lines, lines.dropFirst()) where line.hasPrefix(";;;   ") && !next.hasPrefix(";;;   ") {
        #expect(line.contains("→"), "\(file): \(line)")
      }
    }
  }

  @Test func everySpecialFormIsDescribed() {
    for form in SpecialForm.allCases {
      let found = SpecialForm.table.filter { $0.form == form }
      #expect(found.count == 1, "\(form.rawValue)")
      #expect(found.allSatisfy { !$0.usage.isEmpty && !$0.text.isEmpty && !$0.examples.isEmpty }, "\(form.rawValue)")
    }
  }

  @Test func everyPublicNameIsDocumented() {
    for entry in Interpreter().documentation {
      #expect(!entry.text.isEmpty, "\(entry.name) (\(entry.source.map { "\($0.file):\($0.line)" } ?? ""))")
    }
  }

  @Test func aPrimitiveIsDocumentedByItsDeclaration() throws {
    let first = try #require(Interpreter().documentation(of: "first"))
    #expect(first.kind == .primitive)
    #expect(first.group == "lists")
    #expect(first.usage == ["(first list)"])
    #expect(first.summary == "The first element, or nil.")
    #expect(first.examples.first?.rendered == "(first (list 1 2)) ; => 1")
    #expect(first.source?.file == "Sources/SX/Primitives/Lists.swift")
    #expect(Interpreter().documentation(of: "car")?.aliasOf == "first")
  }

  @Test func aDefinitionOfThePreludeIsDocumentedByItsComment() throws {
    let sx = Interpreter()
    let before = try #require(sx.documentation(of: "map"))
    #expect(before.kind == .function)
    #expect(before.usage == ["(map f list lists…)"])
    #expect(sx.documentation(of: "for-each")?.usage == ["(for-each f list lists…)"])
    #expect(before.source?.file == "prelude/core.sx")
    try sx.evaluate("(map inc (list 1))")
    #expect(sx.documentation(of: "map") == before)
    let deftest = try #require(sx.documentation(of: "deftest"))
    #expect(deftest.kind == .macro)
    #expect(deftest.usage == ["(deftest \"name\" body…)"])
    #expect(deftest.summary == "One case.")
  }

  @Test func aProgramsOwnCommentIsDocumentation() throws {
    let sx = Interpreter()
    try sx.evaluate("; Twice as much.\n;   (double 2) → 4\n(define (double n)\n  (* 2 n))\n(define limit 3)", file: "own.sx")
    let double = try #require(sx.documentation(of: "double"))
    #expect(double.text == "Twice as much.")
    #expect(double.examples.first?.outcome == .value("4"))
    #expect(double.source?.file == "own.sx")
    #expect(double.source?.line == 3)
    #expect(sx.source(of: "double") == "; Twice as much.\n;   (double 2) → 4\n(define (double n)\n  (* 2 n))")
    #expect(sx.documentation(of: "limit")?.kind == .value)
    try sx.evaluate("; Other.\n(define (map a) a)", file: "later.sx")
    #expect(sx.documentation(of: "map")?.text == "Other.")
  }

  @Test func unknownNamesAreNil() {
    let sx = Interpreter()
    #expect(sx.documentation(of: "no-such-name") == nil)
    #expect(sx.source(of: "first") == nil)
    #expect(sx.documentation(matching: "zzz-nothing").isEmpty)
    #expect(sx.suggestions(for: "lenght").first == "length")
    #expect(sx.suggestions(for: "stringLength").first == "string-length")
  }

  @Test func aSearchFindsNamesBeforeTexts() {
    let found = Interpreter().documentation(matching: "json")
    #expect(found.first?.name.hasPrefix("json") == true)
    #expect(found.contains { $0.name == "host/ok-status" || !$0.name.contains("json") })
  }

  @Test func hostFunctionsAreDocumented() {
    let sx = Interpreter()
    sx.define("greet", doc: "Says hello.") { (name: String) in "Hello, \(name)" }
    #expect(sx.documentation(of: "greet")?.rendered(color: false) == "(greet <string>)\n  primitive\n  Says hello.")
  }

  @Test func theManualEscapesProseAndKeepsCode() {
    let manual = Interpreter().referenceManual
    #expect(manual.hasPrefix("# Reference\n"))
    #expect(manual.contains("### `first`"))
    #expect(manual == Interpreter().referenceManual)
  }
}
