@testable import SX
import Testing

/// Who may use what of the outside world.
@Suite struct CapabilityTests {
  /// Offers everything, and notes what was used.
  private final class Witness: Host {
    var used: Set<String> = []
    var isWatching = false
    var waiting: [FiberID] = []
    private func note(_ what: String) { if isWatching { used.insert(what) } }

    func write(_ bytes: UnsafeRawBufferPointer, to stream: OutputStream) {}
    func readFile(_ path: String) throws -> [UInt8] {
      note("file")
      return Array("(+ 1 2)".utf8)
    }
    func capability(of operation: String) -> Capability? { operation == "call-home" ? .networkClient : nil }
    func perform(_ operation: Operation, for interpreter: Interpreter) -> Bool {
      note(operation.name)
      waiting.append(operation.fiber)
      return true
    }
    func waitForEvents(_ interpreter: Interpreter) -> Bool {
      defer { waiting = [] }
      for fiber in waiting { interpreter.resume(fiber, returning: 1) }
      return !waiting.isEmpty
    }
    func environment(_ name: String) -> String? {
      note("environment")
      return name == "SX_PRELUDE" ? nil : "value"
    }
    var arguments: [String] {
      note("environment")
      return ["program"]
    }
    func nanoseconds() -> Int64 {
      note("clock")
      return 1_000_000_000
    }
    func randomBytes(_ buffer: UnsafeMutableRawBufferPointer) {
      note("random")
      for i in buffer.indices { buffer[i] = UInt8(truncatingIfNeeded: i) }
    }
    var hostName: String {
      note("environment")
      return "host"
    }
    var processIdentifier: Int {
      note("environment")
      return 1
    }
    func exit(_ status: Int32) { note("exit") }
  }

  /// All primitives that need something. Written down here once more, so that a change of either has to be meant.
  private static let needs: [String: Capability] = [
    "now-ns": .clock, "clock-milliseconds": .clock, "random-int": .random, "random-hex": .random, "random-id": .random, "env": .environment, "command-line": .environment,
    "host-name": .environment, "process-id": .environment, "control/-exit": .exit, "open-input-file": .read,
  ]

  @Test func everyPrimitiveDeclaresWhatItNeeds() {
    let declared = Interpreter().machine.natives.reduce(into: [String: Capability]()) { $0[$1.name] = $1.capability }
    #expect(declared == Self.needs)
  }

  /// An argument that a parameter accepts.
  private static func sample(_ type: ParameterType) -> String {
    switch "\(type.name)" {
    case "number", "integer": "1"
    case "symbol": "'a"
    case "char": "#\\a"
    case "list", "list or string", "list, dict or string", "dict or list": "(list \"a\")"
    case "dict": "{:op \"ask\"}"
    case "function": "(fn (x) x)"
    case "vector": "(vector 1)"
    case "bytevector": "(bytevector 1)"
    case "port": "(open-input-string \"a\")"
    default: "\"a\""
    }
  }

  /// Every primitive is called, with the fewest and with the most arguments, by a script that is granted nothing, or everything but what the primitive
  /// is said to need; the host sees no use of anything.
  @Test func noPrimitiveUsesWhatIsNotGranted() throws {
    // Those of the prelude alone trust their arguments; what they are was said by hand above.
    for native in Interpreter().machine.natives where !native.name.contains("/-") {
      let host = Witness(), sx = Interpreter(host: host)
      sx.limits = Limits(steps: 2_000_000, heapBytes: 64 << 20)
      for count in [native.parameters.filter { $0.presence == .required }.count, native.parameters.count] {
        let arguments = native.parameters.prefix(count).map { Self.sample($0.type) }.joined(separator: " ")
        host.isWatching = true
        _ = try? sx.evaluate("(guard (e (true nil)) (\(native.name) \(arguments)))")
        host.isWatching = false
      }
      // Anybody may ask for this operation.
      host.used.remove("ask")
      #expect(host.used.isEmpty, "\(native.name) used \(host.used)")
    }
  }

  private static func granting(_ capability: Capability, only: Bool) -> Capabilities {
    var granted = only ? Capabilities.none : .all
    switch capability {
    case .clock: granted.clock = only
    case .random: granted.random = only
    case .environment: granted.environment = only
    case .exit: granted.exit = only
    case .read: granted.read = only ? .all : .none
    case .load: granted.load = only ? .all : .none
    case .networkClient: granted.networkClient = only
    case .networkServer: granted.networkServer = only
    }
    return granted
  }

  /// What a primitive is said to need is what it uses, no more and no less: with that alone it does, and with all else it does not.
  @Test func everyPrimitiveUsesWhatItNeedsAndNothingElse() throws {
    let uses: [Capability: String] = [.clock: "clock", .random: "random", .environment: "environment", .exit: "exit", .read: "file"]
    for native in Interpreter().machine.natives {
      guard let capability = native.capability else { continue }
      let arguments = native.parameters.filter { $0.presence == .required }.map { Self.sample($0.type) }.joined(separator: " ")
      for isGranted in [true, false] {
        let host = Witness(), sx = Interpreter(host: host, capabilities: Self.granting(capability, only: isGranted))
        host.isWatching = true
        let outcome = Result { try sx.evaluate("(\(native.name) \(arguments))") }
        host.isWatching = false
        if isGranted {
          #expect(host.used == [uses[capability] ?? "-"], "\(native.name)")
        } else {
          #expect(host.used.isEmpty, "\(native.name) used \(host.used)")
          guard capability != .environment else { continue }
          let error = #expect(throws: Diagnostic.self) { try outcome.get() }
          #expect(error?.message == "\(native.name): not allowed: it needs the capability `\(capability.rawValue)`" || capability == .read)
        }
      }
    }
  }

  @Test(arguments: [
    ("(now-ns)", Capability.clock, "clock"), ("(clock-milliseconds)", .clock, "clock"), ("(random-int 9)", .random, "random"), ("(random-hex 4)", .random, "random"),
    ("(exit 1)", .exit, "exit"), ("(dynamic-wind (fn () 1) (fn () (exit 1)) (fn () 2))", .exit, "exit"),
    ("(open-input-file \"a\")", .read, "file"), ("(load \"a\")", .load, "file"), ("(perform {:op \"call-home\" :args ()})", .networkClient, "call-home"),
    ("(library/-read-file \"a\" nil)", .load, "file"), ("(let ((f random-int)) (apply f (list 9)))", .random, "random"), ("(map now-ns-of (list 1))", .clock, "clock"),
  ])
  func whatIsGrantedIsUsedAndNothingElse(source: String, capability: Capability, use: String) throws {
    let others = Self.granting(capability, only: false), only = Self.granting(capability, only: true)
    for (granted, isAllowed) in [(Capabilities.none, false), (others, false), (only, true), (.all, true)] {
      let host = Witness(), sx = Interpreter(host: host, capabilities: granted)
      try sx.evaluate("(define (now-ns-of x) (now-ns))")
      host.isWatching = true
      if isAllowed {
        try sx.evaluate(source)
        #expect(host.used == [use])
      } else {
        let error = #expect(throws: Diagnostic.self) { try sx.evaluate(source) }
        #expect(error?.message.contains("not allowed: it needs the capability `\(capability.rawValue)`") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("/-") == false, "what programs call has its public name: \(error?.message ?? "")")
        #expect(host.used.isEmpty)
        #expect(error?.interruption == nil)
      }
    }
  }

  @Test(arguments: [("(env \"HOME\")", "nil", "\"value\""), ("(command-line)", "()", "(\"program\")"), ("(host-name)", "\"\"", "\"host\""), ("(process-id)", "0", "1")])
  func anEnvironmentThatIsNotGrantedIsEmpty(source: String, empty: String, full: String) throws {
    var granted = Capabilities.none, others = Capabilities.all
    granted.environment = true
    others.environment = false
    #expect(try Interpreter(host: Witness(), capabilities: granted).evaluate(source).description == full)
    let host = Witness(), sx = Interpreter(host: host, capabilities: others)
    host.isWatching = true
    #expect(try sx.evaluate(source).description == empty)
    #expect(host.used.isEmpty)
  }

  @Test func filesAreThoseUnderTheRoots() throws {
    let host = Witness()
    var granted = Capabilities.none
    granted.read = .under(["/srv/data", "here"])
    let sx = Interpreter(host: host, capabilities: granted)
    func mayRead(_ path: String) -> Bool { (try? sx.evaluate("(open-input-file \(StringLiteral.of(path)))")) != nil }
    for path in ["/srv/data/a", "/srv/data/b/c", "/srv/./data//a", "here/a", "here/b/c"] { #expect(mayRead(path), "\(path)") }
    for path in ["/srv/data", "/srv/data/missing/../a", "/srv/data2/a", "/srv/data/../a", "/srv/data/../../etc/passwd", "/etc/passwd", "a", "here", "../here/a", "here/../a", "", "/", "/srv/data/.."] {
      #expect(!mayRead(path), "\(path)")
    }
    // What may be read may not be loaded.
    #expect(throws: Diagnostic.self) { try sx.evaluate("(load \"/srv/data/a\")") }
  }

  /// Functions of the embedding program ask as primitives do, wherever they are called from.
  @Test(arguments: Capability.allCases) func aFunctionOfSwiftAsksForWhatItNeeds(capability: Capability) async throws {
    for granted in [Capabilities.none, Self.granting(capability, only: false), Self.granting(capability, only: true), .all] {
      let sx = Interpreter(capabilities: granted)
      var calls = 0
      sx.define("now", needs: capability) { (n: Int) in
        calls += 1
        return n
      }
      sx.define("note", needs: capability) { calls += 1 }
      sx.define("later", needs: capability) { (n: Int) async in n }
      sx.define("later-note", needs: capability) { () async in }
      sx.define("free") { 1 }
      for (name, source) in [("now", "(now 1)"), ("now", "(first (map now (list 1)))"), ("note", "(begin (note) 1)"), ("later", "(later 1)"), ("later-note", "(begin (later-note) 1)")] {
        if granted.grants(capability) {
          #expect(try await sx.run(source).integer == 1)
        } else {
          let error = await #expect(throws: Diagnostic.self) { _ = try await sx.run(source) }
          #expect(error?.message == "\(name): not allowed: it needs the capability `\(capability.rawValue)`")
        }
      }
      #expect(calls == (granted.grants(capability) ? 3 : 0))
      #expect(try sx.evaluate("(free)").integer == 1)
      // What is asked is what is granted now.
      sx.capabilities = .all
      #expect(try sx.evaluate("(now 2)").integer == 2)
      sx.capabilities = .none
      #expect(throws: Diagnostic.self) { try sx.evaluate("(now 2)") }
    }
  }

  @Test func aScriptCanCatchWhatIsNotAllowed() throws {
    #expect(try Interpreter().evaluate("(guard (e (true \"no\")) (now-ns))").string == "no")
  }
}
