/// A file of tests and how to run it.
struct Suite: Sendable {
  enum Style: Sendable {
    /// `defsuite` and `deftest`.
    case deftest
    /// The file counts by itself; this function gives the counts. The modules are loaded first.
    case counter(runner: String, modules: [String])
  }

  let name: String
  let path: String
  let style: Style
  /// Only the cases that begin in these lines are to run; nil means all.
  var lines: [ClosedRange<Int>]?
}
