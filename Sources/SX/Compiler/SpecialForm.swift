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

  /// The form a symbol names.
  init?(_ symbol: Value, _ machine: Machine) {
    guard let form = machine.specialForms[symbol.bits] else { return nil }
    self = form
  }
}
