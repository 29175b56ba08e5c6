import ArgumentParser
import SX
import SXHost

/// `sx spans`
struct Spans: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "spans",
    abstract: "Draw traces as trees with bars.",
    discussion: """
      Of a running `sx serve --probe PATH`, or of a file in OTLP/JSON, as `sx export` and collectors write it, also in gzip.
      """)

  @Argument(help: ArgumentHelp("A file in OTLP/JSON; - reads it from standard input.", valueName: "file"))
  var file: String?

  @Option(help: ArgumentHelp("The probe socket of the server; else what SX_PROBE names, else \(RunningServer.usualPath).", valueName: "path"))
  var connect: String?

  @Flag(help: "Go on: draw every trace when it has come to its end.")
  var follow = false

  @OptionGroup var choice: TraceChoice

  func validate() throws {
    if file != nil && (connect != nil || follow) { throw ValidationError("A file does not go together with --connect or --follow.") }
  }

  func run() {
    Program.run { [file, connect, follow, choice] interpreter, host in
      let display = try TraceDisplay(interpreter, host, choice)
      if let file {
        try display.takeFile(file)
        return try display.showAll()
      }
      let server = RunningServer(path: connect)
      if follow { try display.follow(server) }
      _ = try server.fetch(after: 0, "otel/-take-page!", interpreter)
      try display.showAll()
    }
  }
}

/// Which traces, and how.
struct TraceChoice: ParsableArguments {
  @Option(help: ArgumentHelp("Only the trace with this id, or with an id that begins so.", valueName: "id"))
  var trace: String?

  @Flag(help: "Only traces with a span that failed.")
  var errors = false

  @Option(help: ArgumentHelp("Only traces with a request for this route, such as /hello/:name, or with a span of that name.", valueName: "route"))
  var route: String?

  @Option(name: .customLong("min-ms"), help: ArgumentHelp("Only traces that took at least so many milliseconds.", valueName: "n"))
  var leastMilliseconds: Double?

  @Flag(help: "Print OTLP/JSON, one trace a line, and draw nothing.")
  var json = false

  /// As the prelude takes it.
  var options: Datum {
    [
      "trace": trace.map { .string($0) } ?? .null, "errors": .bool(errors), "route": route.map { .string($0) } ?? .null,
      "min-ms": leastMilliseconds.map { .float($0) } ?? .null, "json": .bool(json),
      "width": .integer(TerminalWidth.columns), "colors": .bool(Program.colorsOutput),
    ]
  }
}

/// Draws the spans that an interpreter holds. Which traces there are and how they look is the prelude's affair (`otel/terminal.sx`).
struct TraceDisplay {
  private let interpreter: Interpreter
  private let host: SystemHost
  private let choice: TraceChoice

  init(_ interpreter: Interpreter, _ host: SystemHost, _ choice: TraceChoice) throws {
    self.interpreter = interpreter
    self.host = host
    self.choice = choice
    // A server may hold as many spans as it likes; slots are taken as they are needed.
    try interpreter.evaluate("(otel/set-cap! 10000000)")
  }

  func takeFile(_ path: String) throws { _ = try SpanFile.take(path, interpreter) }

  func showAll() throws {
    let listing = try interpreter.call(interpreter.evaluate("otel/-spans-listing"), [choice.options])
    guard let text = listing.string else {
      // Who asks for one trace asks whether it is there; a filter that nothing passes is an answer.
      if let id = choice.trace { throw HostError("there is no trace \(id)") }
      return host.write("sx: no traces match\n", to: .standardError)
    }
    host.write(text + "\n", to: .standardOutput)
  }

  /// Until the server ends.
  func follow(_ server: RunningServer) throws -> Never {
    try interpreter.evaluate("(otel/set-cap! 100000)")
    let patience = try interpreter.evaluate("otel/-follow-patience")
    let listing = try interpreter.evaluate("otel/-follow-listing")
    var sequence = try server.evaluate("(otel/sequence)", interpreter).integer ?? 0
    var isFirst = true
    while true {
      let known = try interpreter.evaluate("(otel/sequence)").datum()
      let news = try server.fetch(after: sequence, patience: interpreter.call(patience).integer ?? 0, "otel/-take-page!", interpreter)
      sequence = news.sequence
      if news.missed > 0 { host.write("sx: \(news.missed) spans were gone before they could be fetched\n", to: .standardError) }
      if let text = try interpreter.call(listing, [known, choice.options]).string {
        // A blank line between drawings, none between lines of JSON.
        host.write((isFirst || choice.json ? "" : "\n") + text + "\n", to: .standardOutput)
        host.flush()
        isFirst = false
      }
    }
  }
}

/// Files of spans in OTLP/JSON, as they are or in gzip.
enum SpanFile {
  /// Bytes that a packed file may unpack to.
  private static let longest = 2 << 30

  /// Takes the spans of a file into the interpreter, and gives how many there were.
  static func take(_ path: String, _ interpreter: Interpreter) throws -> Int {
    let bytes = try unpacked(path == "-" ? try Files.standardInput() : try Files.contents(of: path), path)
    guard let text = String(validating: bytes, as: UTF8.self) else { throw HostError("\(path) is not UTF-8") }
    do {
      return try interpreter.call(interpreter.evaluate("otel/-take-file!"), [.string(text)]).integer ?? 0
    } catch let diagnostic as Diagnostic {
      // The place is a line of the prelude, which tells the user nothing.
      throw HostError("\(path): \(diagnostic.message)")
    }
  }

  /// Writes a text; to standard output for `-`, in gzip to a file whose name ends in `.gz`.
  static func write(_ text: String, to path: String, _ host: SystemHost) throws {
    if path == "-" { return host.write(text + "\n", to: .standardOutput) }
    let bytes = Array((text + "\n").utf8)
    try Files.replace(path, with: path.hasSuffix(".gz") ? Gzip.compressed(bytes) : bytes)
  }

  /// The content tells whether it is packed: standard input has no name.
  private static func unpacked(_ bytes: [UInt8], _ path: String) throws -> [UInt8] {
    guard Gzip.isStream(bytes) else { return bytes }
    do {
      return try Gzip.unpacked(bytes, limit: longest)
    } catch .truncated {
      throw HostError("\(path): the gzip stream ends too early")
    } catch .corrupt {
      throw HostError("\(path): the gzip stream is damaged")
    } catch .tooLong {
      throw HostError("\(path) unpacks to more than \(longest) bytes")
    }
  }
}
