import ArgumentParser
import SX

/// What a program may use of the outside world.
struct Sandbox: ParsableArguments {
  @Flag(name: .customLong("sandbox"), help: "Nothing of the outside world but output, except what the --allow options name.")
  var isOn = false

  @Flag(name: .customLong("allow-clock"), help: "The time of day, and durations.")
  var clock = false

  @Flag(name: .customLong("allow-random"), help: "Random numbers.")
  var random = false

  @Flag(name: .customLong("allow-env"), help: "Variables of the environment, arguments, the names of machine and process.")
  var environment = false

  @Flag(name: .customLong("allow-exit"), help: "Ending the program.")
  var exit = false

  @Flag(name: .customLong("allow-net-client"), help: "Requests to others.")
  var networkClient = false

  @Flag(name: .customLong("allow-net-server"), help: "Listening, and answering requests.")
  var networkServer = false

  @Option(name: .customLong("allow-read"), help: ArgumentHelp("Reading files in this folder. May be repeated.", valueName: "folder"))
  var read: [String] = []

  @Option(name: .customLong("allow-load"), help: ArgumentHelp("Loading source files in this folder. May be repeated.", valueName: "folder"))
  var load: [String] = []

  var capabilities: Capabilities {
    guard isOn else { return .all }
    var granted = Capabilities.none
    granted.clock = clock
    granted.random = random
    granted.environment = environment
    granted.exit = exit
    granted.networkClient = networkClient
    granted.networkServer = networkServer
    if !read.isEmpty { granted.read = .under(read) }
    if !load.isEmpty { granted.load = .under(load) }
    return granted
  }

  func validate() throws {
    let allows = clock || random || environment || exit || networkClient || networkServer || !read.isEmpty || !load.isEmpty
    if allows && !isOn { throw ValidationError("The --allow options make sense with --sandbox only: without it everything is allowed.") }
  }
}
