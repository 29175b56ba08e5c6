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
    main(Eval.withExpressionLast(Array(CommandLine.arguments.dropFirst())))
  }
}
