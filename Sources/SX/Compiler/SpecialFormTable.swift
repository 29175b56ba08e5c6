/// What `doc` and the manual say about a special form. Examples are written like those of primitives: `expression → value`, one a line.
struct SpecialFormDescription: Sendable {
  let form: SpecialForm
  /// The ways to write it.
  let usage: [String]
  let text: String
  let examples: String
  init(_ form: SpecialForm, _ usage: String..., text: String, examples: String) {
    self.form = form
    self.usage = usage
    self.text = text
    self.examples = examples
  }
}

extension SpecialForm {
  /// The description of this form. A test sees to it that there is one for each.
  var description: SpecialFormDescription? { SpecialForm.table.first { $0.form == self } }

  /// In the order of the manual.
  static let table: [SpecialFormDescription] = [
    SpecialFormDescription(
      .define, "(define name value)", "(define (name parameter…) body…)",
      text: """
        Gives a name a value, at top level globally, inside a body for that body. Answers the value.
        The second way defines a function. A name may be defined again. `:effects […]` in front of the value is ignored.
        """,
      examples: "(begin (define (double n) (* 2 n)) (double 21)) → 42"),
    SpecialFormDescription(
      .set, "(set! name value)",
      text: "Changes a variable that exists, and answers the value. An unknown name is an error.",
      examples: "(let ((n 1)) (set! n (+ n 1)) n) → 2"),
    SpecialFormDescription(
      .fn, "(fn (parameter…) body…)",
      text: """
        A function. `&rest name` takes all further arguments as a list, and a name alone in place of the parameters takes all of them.
        Missing arguments are nil, too many are an error. `(name :as type)` is a parameter whose type is ignored.
        """,
      examples: "((fn (a &rest more) (list a more)) 1 2 3) → (1 (2 3))\n((fn (a b) (list a b)) 1) → (1 nil)"),
    SpecialFormDescription(.lambda, "(lambda (parameter…) body…)", text: "The same as `fn`.", examples: "((lambda (n) (* n n)) 7) → 49"),
    SpecialFormDescription(
      .if, "(if test then)", "(if test then else)",
      text: "Evaluates `then` when the test is true, else `else`, or answers nil. Only false and nil are false.",
      examples: "(if (> 2 1) \"yes\" \"no\") → \"yes\"\n(if 0 \"zero is true\") → \"zero is true\""),
    SpecialFormDescription(
      .when, "(when test body…)", text: "Evaluates the body when the test is true; else answers nil.", examples: "(when (> 2 1) 1 2) → 2\n(when nil 1) → nil"),
    SpecialFormDescription(.unless, "(unless test body…)", text: "Evaluates the body when the test is false; else answers nil.", examples: "(unless false 1 2) → 2"),
    SpecialFormDescription(
      .cond, "(cond (test body…) … (else body…))", "(cond test expression … :else expression)",
      text: """
        Evaluates the body of the first clause whose test is true. A clause `(test => function)` calls the function with the test's value.
        The second way, without parentheses around the clauses, is taken unless every clause is a list of two forms or the last one is an `else` clause.
        """,
      examples: """
        (cond ((> 1 2) "more") ((= 1 2) "same") (else "less")) → "less"
        (cond (= 1 2) "same" :else "other") → "other"
        (cond ((get {:n 4} :n) => inc) (else 0)) → 5
        """),
    SpecialFormDescription(
      .case, "(case value datum expression … else expression)", "(case value ((datum…) body…) … (else body…))",
      text: "Compares a value by `=` with one datum after the other and evaluates what belongs to the first equal one; nil when there is none and no `else`. A body `=> function` calls the function with the value.",
      examples: "(case 2 1 \"one\" 2 \"two\" else \"many\") → \"two\"\n(case 3 ((1 3 5) \"odd\") ((2 4) \"even\")) → \"odd\"\n(case 9 ((1 2) \"small\") (else => inc)) → 10"),
    SpecialFormDescription(.and, "(and expression…)", text: "The first false value, or the last one; the rest is not evaluated. `(and)` is true.", examples: "(and 1 nil 2) → nil\n(and 1 2) → 2"),
    SpecialFormDescription(.or, "(or expression…)", text: "The first true value, or the last one; the rest is not evaluated. `(or)` is nil.", examples: "(or nil 2 3) → 2"),
    SpecialFormDescription(.begin, "(begin expression…)", text: "Evaluates one expression after the other; the value is that of the last one.", examples: "(begin 1 2 3) → 3"),
    SpecialFormDescription(
      .do, "(do expression…)", "(do ((name start step)…) (test result…) body…)",
      text: "A sequence like `begin`. When it begins with a list of bindings and a list that has a test, it is the loop of Scheme: each turn gives the names their next values, until the test is true.",
      examples: "(do 1 2) → 2\n(do ((i 0 (+ i 1)) (sum 0 (+ sum i))) ((= i 5) sum)) → 10"),
    SpecialFormDescription(
      .let, "(let ((name value)…) body…)", "(let (name value …) body…)", "(let name ((variable start)…) body…)",
      text: """
        Binds names for the body, one after the other: a value sees the names before it.
        With a name in front it is a loop: the body may call that name with the next values of the variables.
        """,
      examples: """
        (let ((a 1) (b 2)) (+ a b)) → 3
        (let [a 1 b (+ a 1)] b) → 2
        (let loop ((n 5) (product 1)) (if (= n 0) product (loop (- n 1) (* n product)))) → 120
        """),
    SpecialFormDescription(.letStar, "(let* ((name value)…) body…)", text: "The same as `let`.", examples: "(let* ((a 1) (b (+ a 1))) b) → 2"),
    SpecialFormDescription(
      .letrec, "(letrec ((name value)…) body…)",
      text: "Binds names that all values see, so that functions can call each other. The names start as nil.",
      examples: "(letrec ((even? (fn (n) (if (= n 0) true (odd? (- n 1))))) (odd? (fn (n) (if (= n 0) false (even? (- n 1)))))) (even? 10)) → true"),
    SpecialFormDescription(.letrecStar, "(letrec* ((name value)…) body…)", text: "The same as `letrec`.", examples: "(letrec* ((f (fn (n) (if (= n 0) 1 (* n (f (- n 1))))))) (f 5)) → 120"),
    SpecialFormDescription(
      .quote, "(quote datum)", "'datum", text: "The datum itself, not evaluated.", examples: "'(a b 1) → (a b 1)\n(quote :key) → :key"),
    SpecialFormDescription(
      .quasiquote, "(quasiquote template)", "`template",
      text: "The template as data, in which `,expression` stands for a value and `,@expression` for the elements of a list. Quasiquotes nest.",
      examples: "`(1 ,(+ 1 1) ,@(list 3 4)) → (1 2 3 4)"),
    SpecialFormDescription(
      .defineSyntax, "(define-syntax name (syntax-rules (literal…) (pattern template)…))",
      text: """
        Defines a macro by patterns: globally at top level, inside a body for that body. Names that a template binds are
        variables of their own, and names that it does not bind mean what they mean where the macro is defined.
        """,
      examples: "(begin (define-syntax swap! (syntax-rules () ((_ a b) (let ((tmp a)) (set! a b) (set! b tmp))))) (let ((tmp 1) (x 2)) (swap! tmp x) (list tmp x))) → (2 1)"),
    SpecialFormDescription(
      .syntaxRules, "(syntax-rules (literal…) (pattern template)…)", "(syntax-rules ellipsis (literal…) (pattern template)…)",
      text: """
        The macro of the first pattern that fits a use of it. In a pattern `_` fits anything, a name is a variable, a literal fits itself, `x …`
        (three dots) fits any number of `x`, with more patterns behind it perhaps, and `. rest` fits the rest of a list. In a template `(... ...)` stands for three dots.
        """,
      examples: "(let-syntax ((backwards (syntax-rules () ((_ a ... b) '(b a ...))))) (backwards 1 2 3)) → (3 1 2)"),
    SpecialFormDescription(
      .letSyntax, "(let-syntax ((name macro)…) body…)", text: "Macros for the body alone. They do not see each other.",
      examples: "(let-syntax ((twice (syntax-rules () ((_ x) (* 2 x))))) (twice 21)) → 42"),
    SpecialFormDescription(
      .letrecSyntax, "(letrec-syntax ((name macro)…) body…)", text: "Macros for the body alone, which may use each other.",
      examples: "(letrec-syntax ((count (syntax-rules () ((_) 0) ((_ x y ...) (+ 1 (count y ...)))))) (count a b c)) → 3"),
    SpecialFormDescription(
      .defmacro, "(defmacro name (parameter…) body…)",
      text: "Defines a macro: a function from unevaluated forms to the form that takes the place of the call. `gensym` makes names that nobody else uses; `macroexpand` shows what becomes of a form.",
      examples: "(begin (defmacro twice (form) `(begin ,form ,form)) (let ((n 0)) (twice (set! n (+ n 1))) n)) → 2"),
    SpecialFormDescription(
      .thread, "(-> value form…)", text: "Puts the value into the first form as its first argument, the result into the next one, and so on. A form that is a name is called with the value.",
      examples: "(-> 5 (- 1) (* 10) str) → \"40\""),
    SpecialFormDescription(.threadLast, "(->> value form…)", text: "Like `->`, with the value as the last argument.", examples: "(->> (list 1 2 3) (map inc) (filter even?)) → (2 4)"),
    SpecialFormDescription(.threadAs, "(as-> value name form…)", text: "Like `->`, with the value under a name, wherever it stands in a form.", examples: "(as-> 5 x (- 10 x) (list x x)) → (5 5)"),
    SpecialFormDescription(
      .guard, "(guard (name clause…) body…)",
      text: """
        Evaluates the body. When it raises a condition, the condition gets the name and the first clause whose test is true decides the value, as in `cond`.
        When no clause fits, the condition goes on to the outer handler.
        """,
      examples: "(guard (e ((string? e) (str \"caught \" e))) (raise \"boom\")) → \"caught boom\"\n(guard (e ((error? e) (error-message e))) (error \"no such thing\")) → \"no such thing\""),
    SpecialFormDescription(
      .handlerBind, "(handler-bind ((predicate handler)…) body…)",
      text: "Evaluates the body with handlers for conditions. The handler of the first predicate that holds runs where the condition was raised, with the handlers outside of its own.",
      examples: "(handler-bind ((string? len)) (+ 1 (raise-continuable \"four\"))) → 5"),
    SpecialFormDescription(
      .parameterize, "(parameterize ((parameter value)…) body…)",
      text: "Evaluates the body with other values of parameters, in the running fiber alone. A parameter is made by `make-parameter`.",
      examples: "(let ((depth (make-parameter 0))) (list (parameterize ((depth 1)) (depth)) (depth))) → (1 0)"),
  ]
}
