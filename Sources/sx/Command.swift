import ArgumentParser

/// The command `sx`.
@main
struct Command: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sx",
    abstract: "SX: a small Lisp with a traced web server.",
    version: "0.1.0",
    subcommands: [Eval.self, Run.self, Test.self, Repl.self, Check.self, Serve.self])
}
