import ArgumentParser

/// The command `sx`.
///
/// Every subcommand states its name although the library could derive it: deriving takes a search through the protocol
/// conformances of the whole program, a sixth of the time in which `sx eval 1` starts and ends.
@main
struct Command: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "sx",
    abstract: "SX: a small Lisp with a traced web server.",
    version: version,
    subcommands: [Eval.self, Run.self, Test.self, Repl.self, Check.self, Doc.self, Serve.self, Spans.self, Export.self, Import.self, Server.self],
    defaultSubcommand: Repl.self)

  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    runPlainly(arguments)
    main(Eval.withExpressionLast(arguments))
  }

  /// `sx eval EXPR` and `sx run FILE [ARG…]` without any option need no parser, and setting one up is half of the time in which
  /// a small program starts and ends. Returns where there is anything to parse.
  private static func runPlainly(_ arguments: [String]) {
    guard arguments.count >= 2, !arguments.contains(where: { $0.hasPrefix("-") || $0.isEmpty }) else { return }
    switch arguments[0] {
    case "eval" where arguments.count == 2: Eval.run(arguments[1])
    case "run": Run.run(arguments[1], Array(arguments.dropFirst(2)))
    default: return
    }
  }
}
