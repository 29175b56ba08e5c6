import ArgumentParser
import SX
import SXHost

/// `sx run`
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a program.",
    discussion: "Options stand in front of the file. (command-line) gives the file and the arguments. When OTEL_EXPORTER_OTLP_ENDPOINT is set, spans are exported.")

  @Argument(help: ArgumentHelp("The program; - reads it from standard input.", valueName: "file"))
  var file: String

  @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("Arguments for the program.", valueName: "arg"))
  var arguments: [String] = []

  @OptionGroup var heapLimit: HeapLimit
  @OptionGroup var timeLimit: TimeLimit
  @OptionGroup var sandbox: Sandbox

  func run() {
    Self.run(file, arguments, heapLimit: heapLimit.bytes(), timeout: timeLimit.timeout, sandbox: sandbox.isOn ? sandbox.capabilities : nil)
  }

  /// Runs the program and ends the process.
  ///
  /// - Parameter sandbox: what it may use; nil for everything.
  static func run(_ file: String, _ arguments: [String], heapLimit: Int = HeapLimit.standard, timeout: Double? = nil, sandbox: Capabilities? = nil) -> Never {
    Program.run(arguments: [file] + arguments, stopsServersOnSignals: true, exitsOnSignals: true, heapLimit: heapLimit, timeout: timeout, capabilities: sandbox ?? .all) { interpreter, host in
      let isStandardInput = file == "-"
      let bytes = isStandardInput ? try Files.standardInput() : try Files.contents(of: file)
      let name = isStandardInput ? "<stdin>" : file
      // The exporter uses what a script in a sandbox may not.
      if sandbox == nil { try Telemetry.startExporter(interpreter, host) }
      try interpreter.evaluate(bytes: bytes, file: name)
    }
  }
}
