import ArgumentParser
import SX
import SXHost

/// `sx eval`
struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Evaluate an expression and print its value.",
    discussion: "All forms are evaluated; the value of the last one is printed as the printer writes it.")

  @Argument(help: ArgumentHelp("Source text; - reads it from standard input.", valueName: "expr"))
  var source: String

  @Option(name: .customLong("load"), help: ArgumentHelp("Load a file first. May be repeated.", valueName: "file"))
  var files: [String] = []

  @Option(help: ArgumentHelp("Evaluate inside the running `sx serve` that has this probe socket.", valueName: "path"))
  var connect: String?

  func validate() throws {
    if connect != nil && !files.isEmpty {
      throw ValidationError("--load and --connect do not go together; use (load \"file\") in the expression.")
    }
  }

  func run() {
    if let connect { ask(connect) }
    Program.run { [source, files] interpreter, host in
      for file in files { try interpreter.evaluate(bytes: Files.contents(of: file), file: file) }
      let bytes = source == "-" ? try Files.standardInput() : Array(source.utf8)
      let value = try interpreter.evaluate(bytes: bytes, file: source == "-" ? "<stdin>" : "<eval>")
      host.write(value.description + "\n", to: .standardOutput)
    }
  }

  /// No interpreter of our own: the other process has one.
  private func ask(_ path: String) -> Never {
    do {
      let text = source == "-" ? String(decoding: try Files.standardInput(), as: UTF8.self) : source
      switch try ProbeClient(path: path).evaluate(text) {
      case .value(let value):
        Program.say(value)
        SystemHost.endProcess(0)
      case .failure(let diagnostic):
        Program.complain(diagnostic)
      }
    } catch {
      Program.complain(Program.describe(error))
    }
    SystemHost.endProcess(1)
  }
}
