/// The comment above a definition, taken apart: prose, and example lines, which are indented by two blanks or more.
///
/// An example is `expression → value`, where the value is what the printer writes; `→ error: MESSAGE` for one that raises, and `→ …` for one that
/// waits or whose value nobody can foretell. An expression may span several lines: the one with the arrow ends it.
struct DocComment {
  private(set) var usage: String?
  private(set) var text = ""
  private(set) var examples: [Documentation.Example] = []

  /// - Parameter lines: without the comment marks and the blank behind them.
  init(lines: [String], name: String) {
    var prose: [String] = [], code: [String] = []
    for line in lines {
      if line.hasPrefix("  ") { code.append(line) } else { prose.append(line) }
    }
    examples = DocComment.examples(in: code)
    text = prose.joined(separator: "\n")
    takeUsage(name)
  }

  /// Examples of a declaration, one a line.
  static func examples(in lines: [String]) -> [Documentation.Example] {
    var found: [Documentation.Example] = [], pending: [String] = []
    for line in lines {
      guard let arrow = line.unicodeScalars.lastIndex(of: "→") else {
        pending.append(trimmed(line))
        continue
      }
      let scalars = line.unicodeScalars
      pending.append(trimmed(String(scalars[..<arrow])))
      let value = trimmed(String(scalars[scalars.index(after: arrow)...]))
      found.append(Documentation.Example(expression: pending.joined(separator: "\n"), outcome: value == "…" ? .notRun : value.hasPrefix("error: ") ? .error(String(value.dropFirst(7))) : .value(value)))
      pending = []
    }
    if !pending.isEmpty { found.append(Documentation.Example(expression: pending.joined(separator: "\n"), outcome: .notRun)) }
    return found
  }

  private static func trimmed(_ s: String) -> String {
    var view = Substring(s)
    while view.first == " " { view.removeFirst() }
    while view.last == " " { view.removeLast() }
    return String(view)
  }

  /// A comment may begin with how a call is written: `(deftest "name" body…): one case.`
  private mutating func takeUsage(_ name: String) {
    guard text.hasPrefix("(\(name) ") || text.hasPrefix("(\(name))") else { return }
    var depth = 0, end = text.startIndex
    for i in text.indices {
      if text[i] == "(" { depth += 1 }
      if text[i] == ")" { depth -= 1 }
      if depth == 0 {
        end = text.index(after: i)
        break
      }
    }
    guard text[end...].hasPrefix(": ") else { return }
    usage = String(text[..<end])
    let rest = text[end...].dropFirst(2)
    text = (rest.first.map { String($0).uppercased() } ?? "") + rest.dropFirst()
  }
}
