/// How many arguments a function of Swift takes.
struct Arity: Sendable {
  let required: Int
  /// `Int.max` when the last parameter may be repeated.
  let most: Int

  @inline(__always) func accepts(_ n: Int) -> Bool { n >= required && n <= most }

  /// What is wrong with a call with `n` arguments that are too few or too many.
  func message(_ name: String, _ n: Int) -> String {
    let wanted = most == Int.max ? "at least \(required)" : required == most ? "\(required)" : "\(required) to \(most)"
    return "\(name): expected \(wanted) argument\(wanted.hasSuffix("1") && !wanted.hasSuffix("11") ? "" : "s"), got \(n)"
  }
}

/// How a parameter is to be given.
enum Presence: Sendable {
  case required, optional
  /// Any number of arguments; the last parameter only.
  case rest

  /// The parameter as it stands in a signature: `a`, `[a]` or `a…`.
  func shown(_ name: String) -> String {
    switch self {
    case .required: name
    case .optional: "[\(name)]"
    case .rest: "\(name)…"
    }
  }
}
