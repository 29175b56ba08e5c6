import ArgumentParser
import SX
import SXHost

/// `sx export`
struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write spans to a file in OTLP/JSON.",
    discussion: """
      With --connect those that a running server holds. With a program, those that it makes while it runs.
      """)

  @Argument(help: ArgumentHelp("The file to write, in gzip when its name ends in .gz; - is standard output.", valueName: "file"))
  var file: String

  @Argument(help: ArgumentHelp("A program to run.", valueName: "program"))
  var program: String?

  @Argument(help: ArgumentHelp("Arguments for the program; those that begin with a dash come behind --.", valueName: "arg"))
  var arguments: [String] = []

  @Option(help: ArgumentHelp("The probe socket of a running `sx serve`.", valueName: "path"))
  var connect: String?

  func validate() throws {
    if (connect == nil) == (program == nil) { throw ValidationError("Either --connect PATH or a program says whose spans.") }
  }

  func run() {
    Program.run(arguments: (program.map { [$0] } ?? []) + arguments, stopsServersOnSignals: true) { [file, program, connect] interpreter, host in
      if let program {
        try interpreter.evaluate("(otel/set-cap! 1000000)")
        // Spans of a program that fails are those that are wanted most.
        let outcome = Result {
          try Telemetry.startExporter(interpreter, host)
          try interpreter.evaluate(bytes: Files.contents(of: program), file: program)
        }
        try interpreter.runAtExit()
        try write("(otel/export-otlp-json (otel/recent))", "(len (otel/recent))", to: file, interpreter, host)
        try outcome.get()
      } else {
        _ = try RunningServer(path: connect).fetch(after: 0, "otel/-collect-page!", interpreter)
        try write("(otel/-collected-json)", "(otel/-collected-count)", to: file, interpreter, host)
      }
    }
  }
}

private func write(_ export: String, _ count: String, to file: String, _ interpreter: Interpreter, _ host: SystemHost) throws {
  try SpanFile.write(interpreter.evaluate(export).string ?? "", to: file, host)
  let spans = try interpreter.evaluate(count).integer ?? 0
  if file != "-" { host.write("\(spans) span\(spans == 1 ? "" : "s") written to \(file)\n", to: .standardError) }
}
