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

  @OptionGroup var workerChoice: WorkerChoice
  @OptionGroup var heapLimit: HeapLimit
  @OptionGroup var timeLimit: TimeLimit
  @OptionGroup var sandbox: Sandbox

  func validate() throws {
    try workerChoice.check(connect: connect)
    if connect != nil && (heapLimit.size != nil || timeLimit.timeout != nil) {
      throw ValidationError("--connect does not go together with --max-heap and --timeout: the other process has its own limits.")
    }
    if connect != nil && sandbox.isOn { throw ValidationError("--connect does not go together with --sandbox: the other process has its own capabilities.") }
    if connect != nil && !files.isEmpty {
      throw ValidationError("--load and --connect do not go together; use (load \"file\") in the expression.")
    }
  }

  func run() {
    if let connect { ask(connect) }
    Self.run(source, after: files, heapLimit: heapLimit.bytes(), timeout: timeLimit.timeout, capabilities: sandbox.capabilities)
  }

  /// Evaluates the source behind the files, and ends the process.
  static func run(_ source: String, after files: [String] = [], heapLimit: Int = HeapLimit.standard, timeout: Double? = nil, capabilities: Capabilities = .all) -> Never {
    Program.run(exitsOnSignals: true, heapLimit: heapLimit, timeout: timeout, capabilities: capabilities) { interpreter, host in
      for file in files { try interpreter.evaluate(bytes: Files.contents(of: file), file: file) }
      let bytes = source == "-" ? try Files.standardInput() : Array(source.utf8)
      let value = try interpreter.evaluate(bytes: bytes, file: source == "-" ? "<stdin>" : "<eval>")
      host.write(value.description + "\n", to: .standardOutput)
    }
  }

  /// The arguments with an expression such as `-5` or `-2/3` behind `--`, because options begin like that. No option of any subcommand
  /// begins with a digit.
  static func withExpressionLast(_ arguments: [String]) -> [String] {
    guard arguments.first == configuration.commandName, !arguments.contains("--"),
      let place = arguments.firstIndex(where: { isNegativeNumber($0) }), !["--load", "--connect", "--worker", "--timeout", "--max-heap", "--allow-read", "--allow-load"].contains(arguments[place - 1])
    else { return arguments }
    var others = arguments
    let expression = others.remove(at: place)
    return others + ["--", expression]
  }

  private static func isNegativeNumber(_ argument: String) -> Bool {
    let bytes = Array(argument.utf8.prefix(3)), digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard bytes.count > 1, bytes[0] == UInt8(ascii: "-") else { return false }
    return digits.contains(bytes[1]) || bytes.count > 2 && bytes[1] == UInt8(ascii: ".") && digits.contains(bytes[2])
  }

  /// No interpreter of our own: the other process has one.
  private func ask(_ path: String) -> Never {
    do {
      let text = source == "-" ? String(decoding: try Files.standardInput(), as: UTF8.self) : source
      switch try ProbeClient(path: path, worker: workerChoice.number).evaluate(text) {
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
