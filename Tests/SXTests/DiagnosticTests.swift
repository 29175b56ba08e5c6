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
        error: first: argument 1: expected list or string, got number 5
          at test.sx:2:10
         2 |   (first x))
           |          ^
          in head at test.sx:2:3
          in both at test.sx:3:24
          in top level at test.sx:4:1
        """)
  }

  /// Line and columns of the caret of an error on one line.
  private func caret(_ source: String) -> [Int?] {
    do { try Interpreter().evaluate(source, file: "test.sx") } catch let error as Diagnostic { return [error.location?.line, error.location?.column, error.location?.endColumn] } catch {}
    return []
  }

  @Test func aTypeErrorPointsToTheArgument() {
    #expect(caret("(nth (list 1) \"a\")") == [1, 15, 18])
    #expect(caret("(+ 1\n   (str 2) 3)") == [2, 4, 11])
    #expect(caret("(map even? 5)") == [1, 12, 13])
    // Where the argument does not stand in the call, the call is what can be shown.
    #expect(caret("(-> (list 1) (nth \"a\"))") == [1, 14, 23])
    #expect(caret("(->> 5 (first))") == [1, 8, 15])
    #expect(caret("(apply first (list 5))") == [1, 1, 23])
    #expect(caret("(let ((f first)) (f 5))") == [1, 18, 23])
    #expect(caret("(defmacro head (x) `(first ,x)) (head 5)") == [1, 33, 41])
    // In a macro's use a call is as it was written.
    #expect(caret("(when-let (x (first 5)) x)") == [1, 21, 22])
  }

  @Test func aMisshapenPartOfAMacroIsPointedAt() {
    #expect(caret("(let-match ((a 1) (b)) a)") == [1, 19, 22])
    #expect(
      rendered("(let-values\n  (((a) 1 2)) a)") == """
        error: `let-values` takes bindings of two parts each, got list ((a) 1 2)
          at test.sx:2:4
         2 |   (((a) 1 2)) a)
           |    ^^^^^^^^^
          in the expansion of `let-values` at test.sx:1:1
          hint: usage: (let-values ((formals expression) …) body…)
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

  @Test func anUndefinedNameInAMacrosUseIsPointedAt() {
    #expect(caret("(match 5 (5 unknown))") == [1, 13, 20])
    #expect(caret("(define (f v)\n  (match v\n    ((a b) unknown)))\n(f (list 1 2))") == [3, 12, 19])
    #expect(caret("(let ()\n  (when-let (x 1)\n    unknown))") == [3, 5, 12])
    #expect(caret("(define-syntax both (syntax-rules () ((_ a b) (begin a b))))\n(both 1\n  unknown)") == [3, 3, 10])
    // What the macro brings along stands nowhere in its use.
    #expect(caret("(defmacro m (x) `(list ,x unknown))\n(m 1)") == [2, 1, 6])
    let found = Interpreter().check(Array("(define (f v)\n  (match v\n    (1 first-unknown)\n    (_ second-unknown)))".utf8), file: "check.sx")
    #expect(found.map { [$0.location?.line, $0.location?.column] } == [[3, 8], [4, 8]])
  }

  @Test func aFieldThatIsNamedTwiceIsPointedAt() {
    #expect(
      rendered("(define-type Shape\n  (Circle r)\n  (Box side r side))") == """
        error: the field `side` is named twice
          at test.sx:3:15
         3 |   (Box side r side))
           |               ^^^^
          in the expansion of `define-type` at test.sx:1:1
        """)
    #expect(caret("(define-type Shape (Circle r) (Box a)\n  (Circle r))") == [2, 3, 13])
    #expect(caret("(define-record-type point (make-point x y) point? (x px) (y py) (x pz))") == [1, 65, 71])
    #expect(caret("(define-record-type point true true x y x)") == [1, 41, 42])
    #expect(caret("(define-record-type point (make-point x x) point? (x px))") == [1, 41, 42])
    #expect(Interpreter().check(Array("(define-type T (A x x))".utf8), file: "check.sx").map(\.message) == ["the field `x` is named twice"])
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

  @Test func checkGoesOnAfterAMistake() {
    let source = "(define (f a)\n  (if)\n  (let ((x 1 2)) x)\n  (first 1 2)\n  oops)\n(define (g b) [b)\n(define (h) (f 1 2) (g 1))\n"
    let found = Interpreter().check(Array(source.utf8), file: "check.sx")
    #expect(found.map { "\($0.location?.line ?? 0): \($0.message)" } == [
      "2: `if` takes 2 or 3 forms, got 0", "3: a binding is a list of a name and a value, got a list of 3 forms", "4: first: expected 1 argument, got 2", "5: Undefined symbol: oops",
      "6: found `)`, expected `]`, opened at line 6 column 15", "7: f: expected at most 1 argument, got 2",
    ])
  }

  @Test func anUnclosedFormNamesTheNextOneAndCheckGoesOnThere() {
    let found = Interpreter().check(Array("(define (f x)\n  (list x)\n(define (g y) (f (h y)))\n".utf8), file: "open.sx")
    #expect(found.map(\.message) == ["expected `)`, found the end of the text at line 4 column 1", "Undefined symbol: h"])
    #expect(found.first?.hint == "`(` was opened at line 1 column 1 and is never closed; the form at line 3 column 1 looks like the next one")
  }

  @Test func aSyntaxErrorIsFoundBeforeAnythingOfTheFormRuns() throws {
    let sx = Interpreter()
    try sx.evaluate("(define ran false)")
    #expect(throws: Diagnostic.self) { try sx.evaluate("(list (set! ran true) (if))") }
    #expect(try sx.evaluate("ran").description == "false")
  }

  @Test func aNearLocalNameIsOffered() {
    #expect(rendered("(define (f counter) (+ countre 1)) (f 1)").hasPrefix("error: Undefined symbol: countre, did you mean `counter`?"))
    #expect(rendered("(let loop ((i 0)) (lop i))").hasPrefix("error: Undefined symbol: lop, did you mean `loop`?"))
  }

  @Test func wideCharactersAndTabsKeepTheCaretInPlace() {
    #expect(
      rendered("(list \"日本語\" (first 5))") == """
        error: first: argument 1: expected list or string, got number 5
          at test.sx:1:20
         1 | (list "日本語" (first 5))
           |                       ^
        """)
    #expect(rendered("(list\n\t(first 5))").contains(" 2 | \t(first 5))\n   | \t       ^"))
    #expect(rendered("(list \"e\u{301}\" (first 5))").contains("   |                  ^"))
    #expect(rendered("(+ 1 \"日本\")").contains("   |      ^^^^^^"))
  }

  @Test func aVeryLongLineIsShownAroundTheMistake() throws {
    let blanks = String(repeating: "(list) ", count: 10_000)
    let text = rendered("(list " + blanks + "(first 5) " + blanks + ")")
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(lines.count == 4)
    #expect(lines[1] == "  at test.sx:1:70014")
    #expect(lines[2].hasPrefix(" 1 | …") && lines[2].hasSuffix("…") && lines[2].count < 140)
    let caret = lines[3].prefix { $0 != "^" }.count
    #expect(lines[2].dropFirst(caret - "(first ".count).hasPrefix("(first 5)"))
    #expect(lines[3].hasSuffix(" ^"))
  }

  @Test func controlCharactersDoNotReachTheTerminal() {
    let text = rendered("(str \"\u{1B}[31m\" (first 5) \"\0\")")
    #expect(!text.contains("\u{1B}") && !text.contains("\0"))
    #expect(text.contains("␛[31m"))
  }

  @Test func aTailCallIsMarked() {
    let text = rendered("(define (last-step x) (+ 1 (first x)))\n(define (start x) (last-step x))\n(list (start 5))")
    #expect(
      text == """
        error: first: argument 1: expected list or string, got number 5
          at test.sx:1:35
         1 | (define (last-step x) (+ 1 (first x)))
           |                                   ^
          in last-step at test.sx:1:28 (tail call)
          in top level at test.sx:3:7
        """)
  }

  @Test func equalCallsAreCountedTogether() {
    let text = rendered("(define (deep n) (if (= n 0) (error \"bottom\") (+ 1 (deep (- n 1)))))\n(deep 1000)")
    #expect(
      text == """
        error: bottom
          at test.sx:1:30
         1 | (define (deep n) (if (= n 0) (error "bottom") (+ 1 (deep (- n 1)))))
           |                              ^^^^^^^^^^^^^^^^
          in deep at test.sx:1:30
          in deep at test.sx:1:52
          … 998 more calls …
          in deep at test.sx:1:52
          in top level at test.sx:2:1
        """)
  }

  @Test func causesAreShownBelow() {
    let text = rendered("(define (inner) (first 5))\n(guard (e (true (error \"cannot start\" :port 80 e)))\n  (inner))")
    #expect(
      text == """
        error: cannot start "port" 80
          at test.sx:2:17
         2 | (guard (e (true (error "cannot start" :port 80 e)))
           |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          caused by: first: argument 1: expected list or string, got number 5
            at test.sx:1:24
           1 | (define (inner) (first 5))
             |                        ^
        """)
  }

  @Test func codeThatAMacroMadeSaysSo() {
    #expect(
      rendered("(defmacro head (x) `(first ,x))\n(list (head 5))") == """
        error: first: argument 1: expected list or string, got number 5
          at test.sx:2:7
         2 | (list (head 5))
           |       ^^^^^^^^
          in the expansion of `head`
        """)
    #expect(rendered("(defmacro broken (x) `(if))\n(list\n  (broken 5))").hasSuffix("in the expansion of `broken` at test.sx:3:3\n  hint: usage: (if test then) or (if test then else)"))
  }

  @Test func aHugeValueInAMessageIsCut() {
    #expect(rendered("(raise (range 100000))").count < 5000)
    #expect(rendered("(error \"no\" (range 100000))").count < 5000)
  }

  @Test func colorIsOnlyForThoseWhoAskForIt() {
    let error = #expect(throws: Diagnostic.self) { try Interpreter().evaluate("(first 5)") }
    #expect(error?.rendered(color: true).contains("\u{1B}[1;31merror\u{1B}[0m") == true)
    #expect(error?.description.contains("\u{1B}") == false)
  }

  @Test func aProgramMayBeginWithTheNameOfItsInterpreter() throws {
    #expect(try Interpreter().evaluate("#!/usr/bin/env sx run\n(+ 1 2)").integer == 3)
  }
}
