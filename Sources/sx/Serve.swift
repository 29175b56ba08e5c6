import ArgumentParser
import SX
import SXHost

/// `sx serve`
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve a web application.",
    discussion: """
      The file defines `app`, made with host/make-app. Without a file, a small shop is served.
      With --workers there are several interpreters, each on a thread of its own, for as many cores. Each loads the file and has globals of its own, so \
      what a handler keeps in one is not seen by the others; a request goes to the one with the least to do. --max-heap is for each of them; by default they have half of the machine's memory together. Telemetry is one: all spans come to worker 0, which \
      answers /otel and /v1/traces, and whatever a handler or a probe in another worker asks of it, from (otel/recent) to (otel/reset!). Samplers and limits are each one's own; the file sets them in all.
      An exit in one is an exit of all. A worker that has not heard for 4 s that the server stops, because a primitive takes long, is not waited for; its last spans are lost.
      SIGINT and SIGTERM stop the server gracefully: requests in flight finish, and spans are flushed; a second one stops it at once.
      """)

  @Argument(help: ArgumentHelp("The application.", valueName: "file"))
  var file: String?

  @Option(help: "The address to listen on.")
  var host = "127.0.0.1"

  @Option(help: "The port to listen on; 0 takes a free one.")
  var port = 8080

  @Option(help: ArgumentHelp("Open a Unix socket for `sx eval --connect` here, for this user only.", valueName: "path"))
  var probe: String?

  @Option(
    help: ArgumentHelp(
      "What a request for /otel or /v1/traces must bring; the variable SX_TOKEN says the same unseen by `ps`. On an address that others can reach, there is always one.",
      valueName: "text"))
  var token: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("How many interpreters share the requests, from 1 to \(Self.mostWorkers).", valueName: "n"))
  var workers = 1

  @OptionGroup var heapLimit: HeapLimit

  /// Each has a stack of up to a gigabyte of addresses, and there is no machine with more cores that one listener could keep busy.
  private static let mostWorkers = 64

  func validate() throws {
    guard (1...Self.mostWorkers).contains(workers) else { throw ValidationError("The workers must be from 1 to \(Self.mostWorkers).") }
    guard (0...65535).contains(port) else { throw ValidationError("The port must be from 0 to 65535.") }
    guard (token ?? AccessToken.fromEnvironment).map(AccessToken.isUsable) ?? true else {
      throw ValidationError("The token must be 8 characters or more, of letters, digits and - . _ ~ alone.")
    }
  }

  func run() {
    // Many systems begin with 1024 although they allow more: fewer than the connections that a server takes.
    ResourceLimit.openFiles.raise(to: 10_240)
    let access = AccessToken(token, host: host)
    let heapBytes = heapLimit.bytes(sharers: workers)
    Program.run(arguments: file.map { [$0] } ?? [], stopsServersOnSignals: true, heapLimit: heapBytes) { [file, host, port, probe, access, workers] interpreter, outside in
      let program = try file.map { ApplicationFile(path: $0, bytes: try Files.contents(of: $0)) }
      let application = file == nil ? "shop/app" : "app"
      try program?.load(into: interpreter)
      if workers > 1 {
        try outside.startWorkers(workers, beside: interpreter) { number, interpreter, _ in
          interpreter.heapLimit = heapBytes
          try interpreter.evaluate("(otel/-work-as! \(number))", file: Self.caller)
          try program?.load(into: interpreter)
          try interpreter.evaluate("(host/-work \(application))", file: Self.caller)
          // What was given first is done last: what the telemetry has to say.
          try interpreter.runAtExit()
        }
      }
      if let probe { try outside.openProbe(at: probe) }
      let names = StringLiteral.of(host)
      try interpreter.evaluate("(otel/set-access! \(access.text.map { StringLiteral.of($0) } ?? "nil") \(names))", file: Self.caller)
      if let warning = access.warning { outside.write(warning, to: .standardError) }
      outside.onListening = { [unowned outside] address in
        outside.write(greeting(address, probe: probe, isShop: file == nil, access: access), to: .standardOutput)
        outside.flush()
      }
      do {
        try Telemetry.startExporter(interpreter, outside)
        let serve = workers > 1 ? "host/-serve-with-workers \(workers)" : "host/serve"
        try interpreter.evaluate("(\(serve) \(application) \(port) \(StringLiteral.of(host)))", file: Self.caller)
      } catch let diagnostic as Diagnostic where diagnostic.location?.file == Self.caller {
        // The place is our own line of SX, which tells the user nothing.
        throw HostError(diagnostic.message)
      }
    }
  }

  private static let caller = "<serve>"
}

/// The program that every interpreter loads, read once: all of them have the same.
private struct ApplicationFile: Sendable {
  let path: String
  let bytes: [UInt8]

  func load(into interpreter: Interpreter) throws {
    try interpreter.evaluate(bytes: bytes, file: path)
    guard try interpreter.evaluate("(global-value \"app\")").isFunction else {
      throw HostError("\(path) does not define app, the application to serve")
    }
  }
}

private func greeting(_ address: ListeningAddress, probe: String?, isShop: Bool, access: AccessToken) -> String {
  var lines = ["\(isShop ? "The shop" : "The application") is open:  \(address.url)/", "Its traces, live:  \(address.url)/otel\(access.isMade ? "?token=\(access.text ?? "")" : "")"]
  if let probe { lines.append("Its probe:  \(probe)") }
  lines += ["", "Try:"]
  let suggestions =
    isShop
    ? [
      ("curl '\(address.url)/api/products/cup/price?currency=jpy'", "one trace through two requests"),
      ("curl -i \(address.url)/boom", "an error, with its stack in the trace"),
    ]
    : [
      ("curl -i \(address.url)/health", "a first trace"),
      ("curl \(address.url)/otel/metrics", "the numbers of each route"),
    ]
  let asking = probe.map { ("sx eval --connect \($0) '(otel/recent)'", "the spans inside the running server") }
  for (command, comment) in suggestions + [asking ?? ("curl \(address.url)/otel/traces.json", "the recent traces as data")] {
    lines.append("  \(command)   # \(comment)")
  }
  return lines.joined(separator: "\n") + "\n"
}
