/// A piece of advice for a mistake, found by the text of its message.
///
/// Rows are data: each has a test of its own, and may be removed without a change elsewhere. The first row that fits decides.
struct Hint {
  enum Pattern {
    /// The whole message; `*` stands for any text.
    case message(String)
    /// An undefined symbol that is called like this: words of other languages.
    case undefined([String])
    /// `ErrorObject.kind`.
    case kind(String)
  }
  let pattern: Pattern
  /// `$1` is what the first `*` stands for, `$usage` how the special form is written that `$1` names.
  let advice: String

  private init(_ message: String, _ advice: String) {
    pattern = .message(message)
    self.advice = advice
  }
  private init(undefined names: String..., advice: String) {
    pattern = .undefined(names)
    self.advice = advice
  }
  private init(kind: String, _ advice: String) {
    pattern = .kind(kind)
    self.advice = advice
  }

  /// Advice for a message, when there is any.
  static func text(for message: String, _ kind: String = "") -> String? {
    for row in table {
      switch row.pattern {
      case .message(let pattern):
        if let captures = match(pattern, message), let advice = row.filled(captures) { return advice }
      case .undefined(let names):
        guard message.hasPrefix("Undefined symbol: ") else { continue }
        let name = message.dropFirst(18).prefix { $0 != "," }
        if names.contains(String(name)) { return row.advice }
      case .kind(let wanted):
        if wanted == kind { return row.advice }
      }
    }
    return nil
  }

  private func filled(_ captures: [String]) -> String? {
    var out = "", rest = Substring(advice)
    while let mark = rest.firstIndex(of: "$") {
      out += rest[..<mark]
      rest = rest[rest.index(after: mark)...]
      if rest.hasPrefix("usage") {
        // Macros are no special forms, and their usage is found in their documentation.
        guard let usage = captures.first.flatMap({ SpecialForm(rawValue: $0)?.description?.usage.joined(separator: " or ") }) else { return nil }
        out += usage
        rest = rest.dropFirst(5)
      } else if let digit = rest.first?.wholeNumberValue, digit >= 1, digit <= captures.count {
        out += captures[digit - 1]
        rest = rest.dropFirst()
      } else {
        out += "$"
      }
    }
    return out + rest
  }

  /// What the stars of a pattern stand for; each stands for as little as possible.
  static func match(_ pattern: String, _ text: String) -> [String]? {
    let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
    guard let first = parts.first, let last = parts.last, text.hasPrefix(first) else { return nil }
    if parts.count == 1 { return text == pattern ? [] : nil }
    var captures: [String] = [], rest = text.dropFirst(first.count)
    for part in parts.dropFirst().dropLast() {
      guard let found = index(of: part, in: rest) else { return nil }
      captures.append(String(rest[..<found]))
      rest = rest[found...].dropFirst(part.count)
    }
    guard rest.hasSuffix(last), rest.count >= last.count else { return nil }
    return captures + [String(rest.dropLast(last.count))]
  }
  private static func index(of part: Substring, in text: Substring) -> Substring.Index? {
    var at = text.startIndex
    while at < text.endIndex {
      if text[at...].hasPrefix(part) { return at }
      at = text.index(after: at)
    }
    return part.isEmpty ? at : nil
  }

  // MARK: The table

  static let table: [Hint] = [
    // Special forms.
    Hint("`set!` takes 2 forms, got *", "usage: (set! name value)"),
    Hint("`if` takes 2 or 3 forms, got 4", "each branch is one form: wrap several in (begin …), or use `cond`"),
    Hint("`*` takes * form*, got *", "usage: $usage"),
    Hint("`define` of a variable takes one value, got *", "the name of a function stands in parentheses with its parameters: (define (name parameter…) body…)"),
    Hint("`define` needs a name, got list*", "the name of a function is a symbol: (define (name parameter…) body…)"),
    Hint("`define` needs a name, got *", "usage: (define name value)"),
    Hint("`defmacro` needs a name, got list", "the parameters follow the name: (defmacro name (parameter…) body…)"),
    Hint("`defmacro` needs a name, got *", "usage: (defmacro name (parameter…) body…)"),
    Hint("`set!` needs a name, got list", "an element of a list is changed by `set-nth!`, an entry of a dict by `dict-set!`"),
    Hint("`set!` needs a name, got *", "usage: (set! name value)"),
    Hint("`*` needs a list of parameters, got *", "parameters stand in parentheses, even when there are none: ()"),
    Hint("the parameter `*` is named twice", "each parameter needs a name of its own"),
    Hint("`*` is bound twice", "each variable needs a name of its own"),
    Hint("`&rest` needs exactly one name after it", "all further arguments arrive in one list, as in (fn (a &rest more) …)"),
    Hint("`&optional` is no parameter", "every parameter is optional: a missing argument is nil"),
    Hint("`&body` is no parameter", "further forms are taken by `&rest`, as in (defmacro name (a &rest body) …)"),
    Hint("expected a name, got list", "there are no default values and no patterns here: a missing argument is nil"),
    Hint("expected a name, got keyword*", "a name has no colon: `:name` is a string"),
    Hint("expected a name, got *", "only a symbol can be bound to a value"),
    Hint("`let` binds `*` to no value", "bindings are written (let ((name value) …) body…) or (let (name value …) body…)"),
    Hint("`*` needs a list of bindings, got *", "usage: $usage"),
    Hint("a binding is a list of a name and a value, got *", "bindings are written ((name value) (name value) …)"),
    Hint("`cond` has a test without an expression", "clauses are written (cond (test body…) …), or without parentheses (cond test expression …)"),
    Hint("`case` has a datum without an expression", "usage: (case value datum expression … else expression)"),
    Hint("`else` must be the last clause of `*`", "the clauses after it can never be reached"),
    Hint("`=>` needs exactly one function after it", "the function gets the value of the test: (test => function)"),
    Hint("`guard` needs a list of a name and clauses, got *", "usage: (guard (name (test body…) … (else body…)) body…)"),
    Hint("a `guard` clause is a list of a test and expressions, got *", "usage: (guard (name (test body…) … (else body…)) body…)"),
    Hint("a `parameterize` binding is a list of a parameter and a value, got *", "usage: (parameterize ((parameter value)…) body…)"),
    Hint("`handler-bind` needs a list of clauses, got *", "usage: (handler-bind ((predicate handler)…) body…)"),
    Hint("a `handler-bind` clause is a list of a predicate and a handler, got *", "usage: (handler-bind ((predicate handler)…) body…)"),
    Hint("`as->` needs a name, got *", "usage: (as-> value name form…)"),
    Hint("`and` is a special form, *", "(every? identity list) tells whether all are true; a function of two is (fn (a b) (and a b))"),
    Hint("`or` is a special form, *", "(some identity list) finds the first that is true; a function of two is (fn (a b) (or a b))"),
    Hint("`*` is a special form, *", "a function that does the same is written around it: (fn (parameter…) ($1 …))"),
    Hint("`,` stands outside of a quasiquote", "a comma puts a value into a form after a backquote; it does not separate arguments"),
    Hint("`,@` stands outside of a quasiquote", "`,@` puts the elements of a list into a form after a backquote"),
    Hint("`,@` needs a list around it", "`,@` puts its elements into the list that it stands in: `(1 ,@more)"),
    Hint("`else` stands outside of a `cond`, `case` or `guard`", "`if` takes its alternative as a third form: (if test then else)"),
    Hint("`=>` stands outside of a `cond` or `guard` clause", "a function is written (fn (parameter…) body…)"),

    // The reader.
    Hint("found `*`, but nothing is open", "there is a closing bracket too many, or the opening one is missing before it"),
    Hint("a keyword needs a name", "a colon stands in front of a name: {:key value}, not {key: value}"),
    Hint("a dict key must be a keyword or a string, got symbol *:", "the colon comes first: :$1"),
    Hint("a dict key must be a keyword or a string, got symbol *", "a keyword begins with a colon: :$1"),
    Hint("a dict key must be a keyword or a string, got *", "a hash table takes any key: see `make-hash-table`"),
    Hint("a dict literal needs a value for every key*", "a dict is written {key value …}"),
    Hint("invalid number `*_*`", "digits are written without separators"),
    Hint("invalid number `*,*`", "digits are written without separators"),
    Hint("invalid number `*`", "a name cannot begin with a digit"),
    Hint("unknown syntax `#{`", "a set is made by (make-set (list 1 2 3))"),
    Hint("unknown syntax `#_*`", "`#;` drops the datum that follows it"),
    Hint("unknown syntax `#!*`", "a line `#!…` may be the first of a file only"),
    Hint("unknown syntax `#*`", "a comment begins with `;`"),
    Hint("unexpected `@`", "the value of a signal is (deref signal); `,@` belongs into a quasiquote"),
    Hint("unexpected `\\`", "a character is written #\\a"),
    Hint("unexpected `|`", "a raw string is written #|…|, `or` is (or a b)"),
    Hint("unexpected invisible character *", "it was probably pasted from a formatted page: write an ordinary blank"),
    Hint("Undefined symbol: “*", "strings stand in straight quotes: \"…\""),
    Hint("Undefined symbol: ‘*", "strings stand in straight double quotes: \"…\""),

    // Words of other languages.
    Hint(undefined: "null", "None", "NULL", "Nil", "NIL", "undefined", "nullptr", "void", advice: "nothing is written `nil`"),
    Hint(undefined: "True", "TRUE", "yes", advice: "truth is written `true`"),
    Hint(undefined: "False", "FALSE", "no", advice: "untruth is written `false`"),
    Hint(undefined: "def", "defvar", "var", "val", "const", "defparameter", "define!", "setq", "setf", "defonce", advice: "a variable is made by (define name value), and changed by (set! name value)"),
    Hint(undefined: "defn", "defun", "function", "func", "fun", "defn-", "proc", "sub", "define-function", advice: "a function is made by (define (name parameter…) body…), or without a name by (fn (parameter…) body…)"),
    Hint(undefined: "define-macro", "macro", "define-syntax-rule", advice: "a macro is made by (defmacro name (parameter…) body…)"),
    Hint(undefined: "while", "for", "loop", "foreach", "doseq", "dotimes", "recur", "until", advice: "a loop is a named let: (let loop ((i 0)) (when (< i 10) … (loop (+ i 1)))); `for-each` walks along a list"),
    Hint(undefined: "return", "break", "continue", advice: "the last form of a body is its value; (call/cc (fn (leave) …)) gives a way out"),
    Hint(undefined: "try", "catch", "except", "finally", "rescue", "with-handlers", advice: "errors are caught by (guard (e (true …)) body…); `dynamic-wind` cleans up"),
    Hint(undefined: "throw", "panic", advice: "a condition is raised by (raise value) or (error \"message\" value…)"),
    Hint(undefined: "elif", "elsif", "elseif", "switch", "cond->", advice: "several tests are written (cond (test body…) … (else body…))"),
    Hint(undefined: "progn", advice: "a sequence is written (begin form…)"),
    Hint(undefined: "printf", "echo", "puts", "console.log", "log/info", "format-out", advice: "a line is printed by (println value…), texts are joined by `str`"),
    Hint(undefined: "==", "===", "eql?", "eql", "equals", "string-equal", advice: "values are compared by `=`"),
    Hint(undefined: "!==", "/=", "<>", "~=", "not=", advice: "(!= a b) is true when two values differ"),
    Hint(undefined: "&&", advice: "(and a b …)"),
    Hint(undefined: "!", "~", advice: "(not value)"),
    Hint(undefined: "%", advice: "the remainder is (mod a b)"),
    Hint(undefined: "**", "^", advice: "a power is (expt base exponent)"),
    Hint(undefined: "++", "+=", advice: "(set! n (+ n 1)) adds to a variable; texts are joined by `str`, lists by `append`"),
    Hint(undefined: "//", "/*", "*/", "--", advice: "a comment begins with `;`"),
    Hint(undefined: "<-", advice: "a variable is made by (define name value), and changed by (set! name value)"),
    Hint(undefined: "hash-map", "make-dict", "dictionary", "object", "make-hash", advice: "a dict is written {:key value …}, or made by (dict :key value …)"),
    Hint(undefined: "hash-ref", "hash-get", "dict-get", "dict-ref", "assoc-ref", "gethash", "lookup", advice: "a value is looked up by (get dict :key default)"),
    Hint(undefined: "foldl", "fold", "foldr", "fold-left", "fold-right", "inject", advice: "a list is folded by (reduce function start list)"),
    Hint(undefined: "list-ref", "elt", "aref", "list-index", "at", advice: "an element is (nth list index); its place is (index-of list value)"),
    Hint(undefined: "conj", "push", "push!", "add", advice: "(cons value list) puts a value in front, (append list value) at the end, (append! list value) changes the list"),
    Hint(undefined: "string-concat", "concatenate", "string-join", "str-cat", "strcat", advice: "texts are joined by (str value…), a list of them by (join separator list)"),
    Hint(undefined: "to-string", "toString", "tostring", "string", "str!", advice: "(str value) is the value as text"),
    Hint(undefined: "int", "parseInt", "to-int", "toInt", "atoi", advice: "(parse-int text) reads an integer, (truncate number) makes one of a float"),
    Hint(undefined: "require", "include", "use", "load-file", "source", advice: "another file is evaluated by (load \"path.sx\")"),
    Hint(undefined: "self", "this", advice: "there are no objects: data is in dicts, a function gets it as an argument"),

    // Calls.
    Hint(kind: "call of string", "a string stands in the place of a function; a keyword evaluates to a string, so (:key dict) is written (get dict :key)"),
    Hint(kind: "call of number", "a list in parentheses is a call; data is written '(1 2) or (list 1 2)"),
    Hint(kind: "call of nil", "the form in front gives nil: a name without a value yet, or a search without result"),
    Hint(kind: "call of boolean", "a list in parentheses is a call; data is written '(true false) or (list true false)"),
    Hint(kind: "call of list", "the form in front gives a list: there may be a pair of parentheses too many"),
    Hint(kind: "call of dict", "a dict is no function: (get dict :key) looks something up"),
    Hint(kind: "call of symbol", "a symbol is no function: leave out the quote in front of it"),
    Hint(kind: "call for the user", "a function is given by its name, or made by (fn (parameter…) body…)"),
    Hint("*: argument *: expected function, got macro", "a macro is no value: call it by its name, or wrap it in a function"),
    Hint("*: argument 1: expected function, got list", "the function comes first: ($1 function list)"),
    Hint("*: argument *: expected function, got n*", "a function is given by its name, or made by (fn (parameter…) body…)"),
    Hint(kind: "call of macro", "a macro is no value: call it by its name, or wrap it in a function"),
    Hint("*: argument 2: expected list, got lambda", "the function comes first: ($1 function list)"),
    Hint("*: argument 2: expected list, got native-fn", "the function comes first: ($1 function list)"),
    Hint("*: argument *: expected list*, got dict", "`keys`, `vals` and `entries` give the parts of a dict as a list"),
    Hint("*: argument *: expected list, got vector", "(vector->list vector) is a list"),
    Hint("*: argument *: expected list, got string*", "`split` and `string->list` make a list of a string"),
    Hint("+: argument *: Expected number, got string*", "texts are joined by `str`; `parse-int` and `parse-float` read numbers"),
    Hint("*: argument *: Expected number, got string*", "`parse-int` and `parse-float` read numbers from a text"),
    Hint("*: argument *: expected string, got number*", "(str value) is any value as text"),
    Hint("*: argument *: *xpected *, got nil", "nil is what a missing argument, a missing key or a search without result gives"),
    Hint("*: index * is out of range for *", "the first index is 0"),
    Hint("stack overflow: *", "a recursion that does not end, or one so deep that it should be a loop"),
    Hint("parameterize: expected a parameter, got *", "a parameter is made by (make-parameter value)"),
    Hint("out of memory: *", "something grows without end, or the host allows too little"),
  ]
}
