import ArgumentParser
import SX
import SXHost

/// `sx import`
struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Read spans from a file in OTLP/JSON.",
    discussion: "With --connect they are put into a running server, where the dashboard shows them; without, they are drawn as `sx spans` does. A file in gzip is unpacked.")

  @Argument(help: ArgumentHelp("A file in OTLP/JSON, with one export or with one a line; - reads it from standard input.", valueName: "file"))
  var file: String

  @Option(help: ArgumentHelp("The probe socket of a running `sx serve`.", valueName: "path"))
  var connect: String?

  @OptionGroup var choice: TraceChoice

  func run() {
    Program.run { [file, connect, choice] interpreter, host in
      guard let connect else {
        let display = try TraceDisplay(interpreter, host, choice)
        try display.takeFile(file)
        return try display.showAll()
      }
      let count = try SpanFile.take(file, interpreter)
      let server = RunningServer(path: connect)
      let expressions = try interpreter.evaluate("(otel/-recording-expressions \(RunningServer.longestSource - 1024))").elements ?? []
      var taken = 0
      for expression in expressions { taken += try server.evaluate(expression.string ?? "", interpreter).integer ?? 0 }
      let rejected = count - taken
      host.write("\(taken) span\(taken == 1 ? "" : "s") put into the server\(rejected > 0 ? "; \(rejected) without valid ids left out" : "")\n", to: .standardError)
    }
  }
}
