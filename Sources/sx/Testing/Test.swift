import ArgumentParser
import SX
import SXHost

/// `sx test`
struct Test: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Run test suites.",
    discussion: """
      Without an argument, every suite of conformance/manifest.sx runs. Suites run side by side, each in an interpreter of its own.
      A suite that fails to load, stops half way or has no case is a failure.
      """)

  @Argument(help: ArgumentHelp("Names of suites, files, folders, or FILE:LINE for the case that stands there.", valueName: "suite"))
  var names: [String] = []

  @Flag(help: "List the suites instead of running them; with -v their cases as well.")
  var list = false

  @Option(help: ArgumentHelp("Run only cases whose full name (suite > case) contains this.", valueName: "text"))
  var filter: String?

  @Flag(name: .shortAndLong, help: "Show every case, and what the suites print.")
  var verbose = false

  @Flag(name: .customLong("fail-fast"), help: "Stop at the first failure.")
  var failFast = false

  @Flag(help: "Run suites and cases in a random order. The seed is printed.")
  var shuffle = false

  @Option(help: ArgumentHelp("Run suites and cases in the order that this number decides.", valueName: "number"))
  var seed: Int?

  @Option(help: ArgumentHelp("How long a case may take. One that takes longer is a failure.", valueName: "seconds"))
  var timeout: Double?

  @OptionGroup var heapLimit: HeapLimit

  @Option(name: .shortAndLong, help: ArgumentHelp("How many suites run side by side; one per core by default.", valueName: "count"))
  var jobs: Int?

  @Option(help: ArgumentHelp("Show the slowest cases.", valueName: "count"))
  var slowest: Int?

  @Flag(help: "Write the values that assert-snapshot gets into the source files.")
  var accept = false

  @Flag(help: "Stay, and run again what a changed file can affect. Ctrl-C leaves.")
  var watch = false

  @Option(help: ArgumentHelp("Write a report as JUnit XML.", valueName: "file"))
  var junit: String?

  @Flag(help: "Print a report in the Test Anything Protocol instead of one for people.")
  var tap = false

  func validate() throws {
    if let timeout, !(timeout > 0 && timeout < 1e6) { throw ValidationError("--timeout must be a number of seconds above 0.") }
    if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1.") }
    if let slowest, slowest < 1 { throw ValidationError("--slowest must be at least 1.") }
    if let seed, seed < 0 { throw ValidationError("--seed must not be negative.") }
    if list && watch { throw ValidationError("--list and --watch do not go together.") }
  }

  func run() {
    let settings = TestSettings(
      selection: CaseSelection(filter: filter), seed: seed ?? (shuffle ? Int.random(in: 0..<100_000) : nil), timeout: timeout,
      heapLimit: heapLimit.bytes(sharers: jobs ?? SuiteRunner.cores),
      stopsAtFailure: failFast, acceptsSnapshots: accept, jobs: jobs)
    let request = TestRequest(names: names, settings: settings, isVerbose: verbose, slowest: slowest, junit: junit, isTAP: tap)
    Program.run { [list, watch] interpreter, host in
      let session = TestSession(request, interpreter)
      if list { return try session.list() }
      TestInterruption.handle(session.console, status: watch ? 0 : 130)
      if watch { try session.watch() }
      if try !session.run() {
        host.flush()
        SystemHost.endProcess(1)
      }
    }
  }
}
