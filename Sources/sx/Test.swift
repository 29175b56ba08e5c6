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

  @Argument(help: ArgumentHelp("Names of suites, files or folders.", valueName: "suite"))
  var names: [String] = []

  @Flag(help: "List the suites instead of running them.")
  var list = false

  @Option(help: ArgumentHelp("Run only cases whose full name (suite > case) contains this.", valueName: "text"))
  var filter: String?

  @Flag(name: .shortAndLong, help: "Show every case, and what the suites print.")
  var verbose = false

  func run() {
    Program.run { [names, list, filter, verbose] interpreter, host in
      let suites = try SuiteSelection(interpreter).suites(named: names)
      if list {
        for suite in suites { host.write("\(suite.name)  \(suite.path)\n", to: .standardOutput) }
        return
      }
      let reports = try SuiteRunner(filter: filter).run(suites)
      for report in reports where filter == nil || !report.isEmpty || verbose {
        host.write(report.rendered(verbose: verbose), to: .standardOutput)
      }
      let totals = SuiteTotals(reports, filter: filter)
      host.write(totals.rendered, to: .standardOutput)
      host.flush()
      if totals.failed > 0 { SystemHost.endProcess(1) }
    }
  }
}
