import SX
import Testing

@Suite struct DiagnosticTests {
  private func rendered(_ source: String) -> String {
    do {
      try Interpreter().evaluate(source, file: "test.sx")
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test func aTypeErrorHasPlaceExcerptAndTrace() {
    #expect(
      rendered("(define (head x)\n  (first x))\n(define (both x) (list (head x) 1))\n(both 5)") == """
        error: first: argument 1: expected list, got number 5
          at test.sx:2:3
         2 |   (first x))
           |   ^^^^^^^^^
          in head at test.sx:2:3
          in both at test.sx:3:24
          in top level at test.sx:4:1
        """)
  }

  @Test func anUndefinedSymbolIsPointedAtAndANearNameOffered() {
    #expect(
      rendered("(+ 1 (lenght ()))") == """
        error: Undefined symbol: lenght, did you mean `length`?
          at test.sx:1:7
         1 | (+ 1 (lenght ()))
           |       ^^^^^^
        """)
  }

  @Test func bracketsThatDoNotMatchNameBothPlaces() {
    #expect(
      rendered("(let ((x 1))\n  [x)") == """
        error: found `)`, expected `]`, opened at line 2 column 3
          at test.sx:2:5
         2 |   [x)
           |     ^
        """)
  }

  @Test func aMisshapenFormSaysWhatItTakes() {
    #expect(rendered("(if)").hasPrefix("error: `if` takes 2 or 3 forms, got 0\n  at test.sx:1:1"))
  }

  @Test func columnsCountScalars() {
    #expect(rendered("(str \"é🌍\" oops)").contains("at test.sx:1:11\n"))
  }

  @Test func aDeepTraceLeavesOutItsMiddle() {
    let text = rendered("(define (deep n) (if (= n 0) (error \"bottom\") (+ 1 (deep (- n 1)))))\n(deep 1000)")
    #expect(text.contains("more calls …"))
    #expect(text.split(separator: "\n").count < 45)
  }

  @Test func anUncaughtValueIsShown() {
    #expect(rendered("(raise {:code 7})").hasPrefix("error: uncaught condition: {:code 7}"))
  }

  @Test func aMistakeInAMacroPointsToItsUse() {
    let text = rendered("(defmacro boom (x) (first 5))\n(list\n  (boom 1))")
    #expect(text.contains("in the expansion of `boom`"))
  }

  @Test func invalidUTF8IsLocated() {
    let error = #expect(throws: Diagnostic.self) { try Interpreter().evaluate(bytes: [0x28, 0x31, 0x0A, 0xFF, 0x29], file: "bad.sx") }
    #expect(error?.message == "invalid UTF-8")
    #expect(error?.location?.line == 2)
  }

  @Test func checkFindsMistakesWithoutRunning() {
    let sx = Interpreter()
    let found = sx.check(Array("(define (f a) (g a))\n(first 1 2)\n(display (undefined-thing))\n(f 1 2)\n(if)".utf8), file: "check.sx")
    #expect(found.map { "\($0.location?.line ?? 0): \($0.message)" } == [
      "1: Undefined symbol: g", "2: first: expected 1 argument, got 2", "3: Undefined symbol: undefined-thing", "4: f: expected at most 1 argument, got 2",
      "5: `if` takes 2 or 3 forms, got 0",
    ])
  }
}
