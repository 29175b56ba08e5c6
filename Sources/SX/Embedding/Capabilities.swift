#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// One thing of the outside world that a script may be allowed to use.
public enum Capability: String, Sendable, CaseIterable {
  /// The time of day, and with it every measured duration.
  case clock
  /// Random numbers of the operating system.
  case random
  /// Variables of the environment, arguments, names of the machine and of the process. Without it they are nil, empty, and 0: a program that asks for
  /// a setting finds none, and goes on.
  case environment
  /// Ending the program.
  case exit
  /// Files as data.
  case read
  /// Files as source, for `load` and `import`.
  case load
  /// Requests to others.
  case networkClient = "network-client"
  /// Listening, and answering requests.
  case networkServer = "network-server"
}

/// What the scripts of an interpreter may use of what its host offers: an allowlist. What it does not grant is an error that names the capability, and
/// that a script can catch; only an environment that is not granted is an empty one.
///
/// It is asked by the interpreter before the host is, so it holds with every host. There is none for writing files, because a `Host` has no way to write one.
/// Functions that the embedding program defines ask for what `define` says they need, by default for nothing: what they do is its own decision. Output is no
/// capability: what a host does with it is its own affair, and `Limits.outputBytes` says how much of it there may be.
public struct Capabilities: Sendable, Equatable {
  /// Which files.
  public enum Files: Sendable, Equatable {
    /// No file.
    case none
    /// Those in these folders and their subfolders; a file is where it is found when symbolic links have been followed.
    case under([String])
    /// Every file that the host reads.
    case all
  }

  /// See ``Capability/clock``.
  public var clock = false
  /// See ``Capability/random``.
  public var random = false
  /// See ``Capability/environment``.
  public var environment = false
  /// See ``Capability/exit``.
  public var exit = false
  /// See ``Capability/read``.
  public var read = Files.none
  /// See ``Capability/load``.
  public var load = Files.none
  /// See ``Capability/networkClient``.
  public var networkClient = false
  /// See ``Capability/networkServer``.
  public var networkServer = false

  /// Nothing.
  public init() {}

  /// Nothing: the default of an interpreter.
  public static let none = Capabilities()

  /// Everything that the host offers.
  public static let all: Capabilities = {
    var all = Capabilities()
    (all.clock, all.random, all.environment, all.exit) = (true, true, true, true)
    (all.networkClient, all.networkServer) = (true, true)
    (all.read, all.load) = (.all, .all)
    return all
  }()

  /// Whether something is granted; for files, whether any are.
  public func grants(_ capability: Capability) -> Bool {
    switch capability {
    case .clock: clock
    case .random: random
    case .environment: environment
    case .exit: exit
    case .read: read != .none
    case .load: load != .none
    case .networkClient: networkClient
    case .networkServer: networkServer
    }
  }

  /// What is granted, one bit each; see `Capability.bit`.
  var bits: UInt32 { Capability.allCases.reduce(0) { grants($1) ? $0 | $1.bit : $0 } }

  /// Whether a file is granted, to be read or to be loaded.
  func grants(_ capability: Capability, _ path: String) -> Bool {
    switch capability == .load ? load : read {
    case .none: return false
    case .all: return true
    case .under(let roots):
      let file = Capabilities.place(of: path)
      return roots.contains { root in
        let folder = Capabilities.place(of: root)
        return folder == "/" || file.utf8.starts(with: (folder + "/").utf8)
      }
    }
  }

  /// Where a path leads to when symbolic links have been followed. What is not there at all, as in a host whose files are not those of the system,
  /// is where its folder is.
  private static func place(of path: String) -> String {
    if let resolved = realpath(path, nil) {
      defer { free(resolved) }
      return String(cString: resolved)
    }
    // Names are bytes to the system; Swift would take a slash and a combining mark for one character.
    var parts = path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
    let isAbsolute = path.utf8.first == UInt8(ascii: "/")
    guard let name = parts.popLast(), name != "..", name != "." else { return isAbsolute ? "/.." : ".." }
    let folder = parts.joined(separator: "/")
    if parts.isEmpty, isAbsolute { return "/" + name }
    let parent = place(of: isAbsolute ? "/" + folder : folder.isEmpty ? "." : folder)
    return (parent == "/" ? "" : parent) + "/" + name
  }
}

extension Capability {
  var bit: UInt32 { 1 << UInt32(Capability.allCases.firstIndex(of: self) ?? 31) }
}

extension Machine {
  /// Throws when a capability is not granted. `what` is named in the message.
  func demand(_ capability: Capability, _ what: String) throws {
    guard !capabilities.grants(capability) else { return }
    throw error("\(what): not allowed: it needs the capability `\(capability.rawValue)`", hint: "the program that runs this script decides what it may use")
  }

  /// The contents of a file, when it is granted.
  func readFile(_ path: String, for capability: Capability) throws -> [UInt8] {
    guard capabilities.grants(capability, path) else { throw HostError("\(path): not allowed: it needs the capability `\(capability.rawValue)` for this file") }
    return try host.readFile(path)
  }
}
