import Testing

@testable import SX

/// A mistake for every row of the table of hints, and the advice as it must be shown.
@Suite struct HintTests {
  /// Sources whose error has this hint.
  static let golden: [(source: String, hint: String)] = [
    // Special forms.
    ("(set! x)", "usage: (set! name value)"),
    ("(if 1 2 3 4)", "each branch is one form: wrap several in (begin …), or use `cond`"),
    ("(if)", "usage: (if test then) or (if test then else)"),
    ("(quote)", "usage: (quote datum) or 'datum"),
    ("(define f (x) (+ x 1))", "the name of a function stands in parentheses with its parameters: (define (name parameter…) body…)"),
    ("(define () 1)", "the name of a function is a symbol: (define (name parameter…) body…)"),
    ("(define \"x\" 1)", "usage: (define name value)"),
    ("(defmacro (m x) x)", "the parameters follow the name: (defmacro name (parameter…) body…)"),
    ("(defmacro 5 (x) x)", "usage: (defmacro name (parameter…) body…)"),
    ("(set! (first l) 1)", "an element of a list is changed by `set-nth!`, an entry of a dict by `dict-set!`"),
    ("(set! 5 1)", "usage: (set! name value)"),
    ("(fn 5 1)", "parameters stand in parentheses, even when there are none: ()"),
    ("(fn (a a) 1)", "each parameter needs a name of its own"),
    ("(letrec ((a 1) (a 2)) a)", "each variable needs a name of its own"),
    ("(fn (a &rest) 1)", "all further arguments arrive in one list, as in (fn (a &rest more) …)"),
    ("(fn (a &optional b) 1)", "every parameter is optional: a missing argument is nil"),
    ("(defmacro m (a &body b) 1)", "further forms are taken by `&rest`, as in (defmacro name (a &rest body) …)"),
    ("(fn ((a 1)) a)", "there are no default values and no patterns here: a missing argument is nil"),
    ("(fn (:a) a)", "a name has no colon: `:name` is a string"),
    ("(fn (5) 1)", "only a symbol can be bound to a value"),
    ("(let (x 1 y) x)", "bindings are written (let ((name value) …) body…) or (let (name value …) body…)"),
    ("(parameterize 5 1)", "usage: (parameterize ((parameter value)…) body…)"),
    ("(let ((x 1 2)) x)", "bindings are written ((name value) (name value) …)"),
    ("(cond 1)", "clauses are written (cond (test body…) …), or without parentheses (cond test expression …)"),
    ("(case 1 2)", "usage: (case value datum expression … else expression)"),
    ("(cond (else 1) (true 2))", "the clauses after it can never be reached"),
    ("(cond (1 =>) (else 2))", "the function gets the value of the test: (test => function)"),
    ("(guard e 1)", "usage: (guard (name (test body…) … (else body…)) body…)"),
    ("(guard (e 5) 1)", "usage: (guard (name (test body…) … (else body…)) body…)"),
    ("(parameterize (5) 1)", "usage: (parameterize ((parameter value)…) body…)"),
    ("(handler-bind 5 1)", "usage: (handler-bind ((predicate handler)…) body…)"),
    ("(handler-bind (5) 1)", "usage: (handler-bind ((predicate handler)…) body…)"),
    ("(as-> 1 2 3)", "usage: (as-> value name form…)"),
    ("(reduce and true (list 1))", "(every? identity list) tells whether all are true; a function of two is (fn (a b) (and a b))"),
    ("(reduce or false (list 1))", "(some identity list) finds the first that is true; a function of two is (fn (a b) (or a b))"),
    ("(map if (list 1))", "a function that does the same is written around it: (fn (parameter…) (if …))"),
    ("(list 1, 2)", "a comma puts a value into a form after a backquote; it does not separate arguments"),
    ("(list ,@(list 1))", "`,@` puts the elements of a list into a form after a backquote"),
    ("`,@(list 1)", "`,@` puts its elements into the list that it stands in: `(1 ,@more)"),
    ("(if true (list 1) (else 2))", "`if` takes its alternative as a third form: (if test then else)"),
    ("(=> x (+ x 1))", "a function is written (fn (parameter…) body…)"),

    // Macros of the prelude: the usage comes from their documentation.
    ("(let-match x)", "usage: (let-match pattern value body…)"),
    ("(match 5)", "usage: (match value (pattern body…) …)"),
    ("(define-record-type point)", "usage: (define-record-type name (constructor field …) predicate (field accessor modifier) …)"),
    ("(defcomp ~x)", "usage: (defcomp ~name (&key a b &rest children) body…)"),
    ("(define-values 4 5)", "usage: (define-values formals expression)"),
    ("(receive)", "usage: (receive formals expression body…)"),
    ("(shift 3 4)", "usage: (shift k body…)"),
    ("(case-lambda 3)", "usage: (case-lambda (formals body…) …)"),
    ("(scope)", "usage: (scope name body…)"),
    ("(delay)", "usage: (delay expression)"),

    // The reader.
    ("(+ 1 2))", "there is a closing bracket too many, or the opening one is missing before it"),
    ("{\"a\": 1}", "a colon stands in front of a name: {:key value}, not {key: value}"),
    ("{a: 1}", "the colon comes first: :a"),
    ("{a 1}", "a keyword begins with a colon: :a"),
    ("{1 2}", "a hash table takes any key: see `make-hash-table`"),
    ("{:a 1 :b}", "a dict is written {key value …}"),
    ("1_000", "digits are written without separators"),
    ("12abc", "a name cannot begin with a digit"),
    ("#{1 2}", "a set is made by (make-set (list 1 2 3))"),
    ("#_(1 2)", "`#;` drops the datum that follows it"),
    ("1 #!x", "a line `#!…` may be the first of a file only"),
    ("# a comment", "a comment begins with `;`"),
    ("@x", "the value of a signal is (deref signal); `,@` belongs into a quasiquote"),
    ("\\a", "a character is written #\\a"),
    ("(a || b)", "a raw string is written #|…|, `or` is (or a b)"),
    ("(+ 1\u{A0}2)", "it was probably pasted from a formatted page: write an ordinary blank"),
    ("(str “hello”)", "strings stand in straight quotes: \"…\""),
    ("(str ‘hello’)", "strings stand in straight double quotes: \"…\""),

    // Words of other languages.
    ("(list null)", "nothing is written `nil`"),
    ("(list None)", "nothing is written `nil`"),
    ("(list True)", "truth is written `true`"),
    ("(list False)", "untruth is written `false`"),
    ("(setq 1 2)", "a variable is made by (define name value), and changed by (set! name value)"),
    ("(defun 1)", "a function is made by (define (name parameter…) body…), or without a name by (fn (parameter…) body…)"),
    ("(defn foo [a b] (+ a b))", "`defn` is not known here: a function is made by (define (name parameter…) body…), or without a name by (fn (parameter…) body…)"),
    ("(define-macro 1)", "a macro is made by (defmacro name (parameter…) body…)"),
    ("(while true 1)", "a loop is a named let: (let loop ((i 0)) (when (< i 10) … (loop (+ i 1)))); `for-each` walks along a list"),
    ("(return 1)", "the last form of a body is its value; (call/cc (fn (leave) …)) gives a way out"),
    ("(try 1)", "errors are caught by (guard (e (true …)) body…); `dynamic-wind` cleans up"),
    ("(throw 1)", "a condition is raised by (raise value) or (error \"message\" value…)"),
    ("(elif 1)", "several tests are written (cond (test body…) … (else body…))"),
    ("(progn 1 2)", "a sequence is written (begin form…)"),
    ("(printf 1)", "a line is printed by (println value…), texts are joined by `str`"),
    ("(== 1 2)", "values are compared by `=`"),
    ("(not= 1 2)", "(!= a b) is true when two values differ"),
    ("(&& 1 2)", "(and a b …)"),
    ("(! 1)", "(not value)"),
    ("(% 5 3)", "the remainder is (mod a b)"),
    ("(** 5 3)", "a power is (expt base exponent)"),
    ("(++ 5)", "(set! n (+ n 1)) adds to a variable; texts are joined by `str`, lists by `append`"),
    ("// 1", "a comment begins with `;`"),
    ("(<- 1 2)", "a variable is made by (define name value), and changed by (set! name value)"),
    ("(hash-map 1 2)", "a dict is written {:key value …}, or made by (dict :key value …)"),
    ("(gethash 1 2)", "a value is looked up by (get dict :key default)"),
    ("(foldl + 0 (list 1))", "a list is folded by (reduce function start list)"),
    ("(elt (list 1) 0)", "an element is (nth list index); its place is (index-of list value)"),
    ("(conj (list 1) 2)", "(cons value list) puts a value in front, (append list value) at the end, (append! list value) changes the list"),
    ("(concatenate 1)", "texts are joined by (str value…), a list of them by (join separator list)"),
    ("(toString 1)", "(str value) is the value as text"),
    ("(parseInt \"1\")", "(parse-int text) reads an integer, (truncate number) makes one of a float"),
    ("(require 1)", "another file is evaluated by (load \"path.sx\")"),
    ("(list this)", "there are no objects: data is in dicts, a function gets it as an argument"),

    // Calls.
    ("(:name {:name 1})", "a string stands in the place of a function; a keyword evaluates to a string, so (:key dict) is written (get dict :key)"),
    ("((1 2))", "a list in parentheses is a call; data is written '(1 2) or (list 1 2)"),
    ("(nil 1)", "the form in front gives nil: a name without a value yet, or a search without result"),
    ("(true false)", "a list in parentheses is a call; data is written '(true false) or (list true false)"),
    ("((list + 1 2))", "the form in front gives a list: there may be a pair of parentheses too many"),
    ("({:a 1} :a)", "a dict is no function: (get dict :key) looks something up"),
    ("('first (list 1))", "a symbol is no function: leave out the quote in front of it"),
    ("(map 5 (list 1))", "a function is given by its name, or made by (fn (parameter…) body…)"),
    ("(repeatedly 2 5)", "a function is given by its name, or made by (fn (parameter…) body…)"),
    ("(map (list 1) inc)", "the function comes first: (map function list)"),
    ("(abs \"5\")", "`parse-int` and `parse-float` read numbers from a text"),
    ("(defmacro m (x) x) ((global-value \"m\"))", "a macro is no value: call it by its name, or wrap it in a function"),
    ("(defmacro m (x) x) (map m (list 1))", "a macro is no value: call it by its name, or wrap it in a function"),
    ("(map (list 1 2) (fn (x) x))", "the function comes first: (map function list)"),
    ("(filter (list 1 2) even?)", "the function comes first: (filter function list)"),
    ("(first {:a 1})", "`keys`, `vals` and `entries` give the parts of a dict as a list"),
    ("(rest (vector 1))", "(vector->list vector) is a list"),
    ("(rest \"abc\")", "`split` and `string->list` make a list of a string"),
    ("(+ \"a\" \"b\")", "texts are joined by `str`; `parse-int` and `parse-float` read numbers"),
    ("(* 2 \"3\")", "`parse-int` and `parse-float` read numbers from a text"),
    ("(upper 5)", "(str value) is any value as text"),
    ("(+ 1 nil)", "nil is what a missing argument, a missing key or a search without result gives"),
    ("(upper nil)", "nil is what a missing argument, a missing key or a search without result gives"),
    ("(vector-ref (vector 1) 5)", "the first index is 0"),
    ("(define (f n) (+ 1 (f n))) (f 1)", "a recursion that does not end, or one so deep that it should be a loop"),
    ("(parameterize ((5 1)) 1)", "a parameter is made by (make-parameter value)"),
  ]

  private func diagnostic(_ source: String) -> Diagnostic? {
    do {
      let sx = Interpreter()
      sx.machine.stackLimit = 1 << 18               // so that an endless recursion takes no time
      try sx.evaluate(source, file: "test.sx")
      return nil
    } catch { return error as? Diagnostic }
  }

  @Test(arguments: golden.indices) func everyMistakeHasItsHint(_ i: Int) {
    let (source, hint) = HintTests.golden[i]
    let found = diagnostic(source)
    #expect(found?.hint == hint, "\(source): \(found?.message ?? "no error")")
  }

  @Test func aHeapLimitHasAHint() {
    let sx = Interpreter()
    sx.heapLimit = 20_000_000
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(let loop ((l (list))) (loop (cons 1 l)))") }
    #expect(error?.hint == "something grows without end, or the host allows too little")
  }

  /// A row that no mistake of this suite brings up is unproven.
  @Test func everyRowIsProven() {
    let advices = HintTests.golden.map(\.hint) + ["something grows without end, or the host allows too little"]
    for row in Hint.table {
      let fixed = row.advice.split(separator: "$").first.map(String.init) ?? ""
      #expect(advices.contains { $0.contains(fixed) }, "no mistake leads to: \(row.advice)")
    }
  }

  /// A hint must not send anybody to a name that does not exist.
  @Test func hintsNameWhatExists() {
    let sx = Interpreter()
    let placeholders: Set<String> = ["nil", "true", "false", "&rest", "`", ",", ",@", "#;", "#!…", ";", ":name"]
    for row in Hint.table {
      let quoted = row.advice.split(separator: "`", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
      for name in quoted where !placeholders.contains(name) && !name.hasPrefix("(") && !name.contains("$") {
        #expect(sx.documentation(of: name) != nil, "\(name) in: \(row.advice)")
      }
    }
  }

  @Test func patternsMatch() {
    #expect(Hint.match("a*c", "abc") == ["b"])
    #expect(Hint.match("*: x *", "f: x 1: x 2") == ["f", "1: x 2"])
    #expect(Hint.match("abc", "abc") == [])
    #expect(Hint.match("abc", "abcd") == nil)
    #expect(Hint.match("*", "") == [""])
    #expect(Hint.match("a*a", "a") == nil)
  }
}
