/// Forms that the analyzer knows. Reserved in head position only, and only while no local variable has the name.
enum SpecialForm: String, CaseIterable {
  case quote, quasiquote, `if`, when, unless, cond, `case`, and, or, begin, `do`, `let`, letrec, fn, lambda, define, defmacro
  case `guard`, parameterize
  case letStar = "let*"
  case letrecStar = "letrec*"
  case set = "set!"
  case thread = "->"
  case threadLast = "->>"
  case threadAs = "as->"
  case handlerBind = "handler-bind"
  case defineSyntax = "define-syntax"
  case letSyntax = "let-syntax"
  case letrecSyntax = "letrec-syntax"
  case syntaxRules = "syntax-rules"

  /// The form a symbol names.
  init?(_ symbol: Value, _ machine: Machine) {
    guard let form = machine.specialForms[machine.stripped(symbol).bits] else { return nil }
    self = form
  }
}
