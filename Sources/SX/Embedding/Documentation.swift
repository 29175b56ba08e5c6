/// What is known about a name: for `doc`, completion, the session and the reference manual. A value that may cross threads.
public struct Documentation: Sendable, Equatable {
  /// What a name stands for.
  public enum Kind: String, Sendable {
    /// A form that the compiler knows, as `if`.
    case specialForm = "special form"
    /// A function that is written in Swift, by SX or by the embedding program.
    case primitive
    /// A function that is written in SX.
    case function
    /// A macro.
    case macro
    /// A component of `defcomp` or `defisland`.
    case component
    /// A type of `define-type` or `define-record-type`, or a protocol.
    case type
    /// Any other value.
    case value
  }

  /// A piece of code and what it gives.
  public struct Example: Sendable, Equatable {
    /// The code.
    public let expression: String
    /// What becomes of it.
    public let outcome: Outcome

    /// What evaluating an example leads to.
    public enum Outcome: Sendable, Equatable {
      /// The value as it is printed.
      case value(String)
      /// It raises an error with this message.
      case error(String)
      /// It waits, depends on the world or on chance: shown, not run.
      case notRun
    }

    /// `(first (list 1 2)) ; => 1`
    public var rendered: String {
      switch outcome {
      case .value(let value): "\(expression) ; => \(value)"
      case .error(let message): "\(expression) ; => error: \(message)"
      case .notRun: expression
      }
    }
  }

  /// The name that is documented.
  public let name: String
  /// What it stands for.
  public let kind: Kind
  /// The chapter of the manual: a group of primitives, a file of the prelude.
  public let group: String
  /// The ways to write a call, `(first list)`; empty for a value that is no function.
  public let usage: [String]
  /// Prose; its first line is a summary.
  public let text: String
  /// Examples, in the order of the source.
  public let examples: [Example]
  /// Where it is defined, as far as somebody can look there.
  public let source: SourceLocation?
  /// The name that was declared first, when this is another name of it.
  public let aliasOf: String?

  /// The first line of the text.
  public var summary: String { String(text.prefix { $0 != "\n" }) }

  /// Everything, for a terminal. No line break at the end.
  public func rendered(color: Bool) -> String {
    func paint(_ code: String, _ s: String) -> String { color ? "\u{1B}[\(code)m\(s)\u{1B}[0m" : s }
    var lines = usage.isEmpty ? [paint("1", name)] : usage.map { paint("1", $0) }
    lines.append(paint("2", "  \(kind.rawValue)\(aliasOf.map { ", another name of \($0)" } ?? "")\(source.map { ", \($0.file):\($0.line)" } ?? "")"))
    if !text.isEmpty { lines += text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : "  \($0)" } }
    if !examples.isEmpty { lines.append("") }
    lines += examples.flatMap { $0.rendered.split(separator: "\n").map { "    \($0)" } }
    return lines.joined(separator: "\n")
  }
}

extension Interpreter {
  /// What is known about a name: a special form, a primitive, a definition of the prelude or of a text that was evaluated here. Nil for an unknown name.
  public func documentation(of name: String) -> Documentation? { DocumentationIndex(machine).documentation(of: name) }

  /// Everything whose name or text contains all words of `text`, best matches first. O(size of the prelude).
  public func documentation(matching text: String) -> [Documentation] { DocumentationIndex(machine).matching(text) }

  /// Special forms, primitives and the prelude's public definitions in the order of the manual. O(size of the prelude).
  public var documentation: [Documentation] { DocumentationIndex(machine).all }

  /// The text of a definition in SX, the comment above it included; nil for names that no text defines.
  public func source(of name: String) -> String? { DocumentationIndex(machine).definition(of: name)?.sourceText }

  /// Known names that somebody who wrote `name` may have meant, nearest first.
  public func suggestions(for name: String) -> [String] {
    Suggestion.nearest(name, among: machine.definedNames + SpecialForm.allCases.map(\.rawValue))
  }

  /// The reference manual as Markdown.
  public var referenceManual: String { ReferenceManual(DocumentationIndex(machine)).markdown }
}
