/// A conversation with an interpreter, as at a prompt: every turn is a text of forms or a command such as `,help`, and shows the value of
/// each form as soon as it is known. `*1`, `*2` and `*3` are the last values, `*e` is the last condition that nobody handled.
///
/// Belongs to its interpreter's thread. What a turn does is written in SX (`prelude/repl.sx`), so a session looks the same wherever its
/// interpreter runs.
public final class Session {
  /// What was typed, and how answers are to look.
  public struct Turn: Sendable {
    /// Forms or a command.
    public var source: String
    /// Columns of the terminal.
    public var width = 80
    /// Escape codes for a terminal.
    public var usesColors = false
    /// Values are written in full and on one line, for programs that read them.
    public var isPlain = false
    /// Where relative paths of `load` start; the working directory of the interpreter's process by default.
    public var directory: String?

    /// A turn with everything else as it is by default.
    public init(_ source: String) { self.source = source }
  }

  private let interpreter: Interpreter
  private var machine: Machine { interpreter.machine }

  /// Begins a conversation. Sessions with the same interpreter share `*1` and the others, as they share all globals.
  public init(_ interpreter: Interpreter) {
    self.interpreter = interpreter
    for name in ["*1", "*2", "*3", "*e"] where machine.globals[machine.globalIndex(machine.heap.symbol(name))] == .unbound {
      keep(.nil, as: name)
    }
  }

  /// Starts a turn in a fiber of its own.
  ///
  /// - Parameters:
  ///   - turn: forms or a command.
  ///   - show: gets whole lines, without the last line break.
  ///   - output: gets what the turn and the fibers it starts print, as it comes; when it answers false, and without it, the host gets that.
  ///   - completion: told once about the end.
  @discardableResult
  public func begin(_ turn: Turn, show: @escaping (String) -> Void, output: ((String) -> Bool)? = nil, completion: @escaping (Result<Handle, Diagnostic>) -> Void) -> FiberID {
    let (function, arguments) = call(for: turn, show, output)
    return interpreter.spawn(function, arguments, onFailure: { [unowned self] in keep($0, as: "*e") }) { result in
      completion(result.mapError(Session.withoutOwnPlace))
    }
  }

  /// What is wrong with how a command was used is no mistake in the text of this session's own functions.
  private static func withoutOwnPlace(_ diagnostic: Diagnostic) -> Diagnostic {
    guard diagnostic.location?.file.hasSuffix("prelude/repl.sx") ?? false else { return diagnostic }
    var diagnostic = diagnostic
    diagnostic.location = nil
    diagnostic.excerpt = nil
    diagnostic.trace = []
    return diagnostic
  }

  /// Runs a turn to its end. Throws a `Diagnostic`.
  ///
  /// - Parameters:
  ///   - turn: forms or a command.
  ///   - started: told which fiber it is, for `Cancellation.cancel(_:)`.
  ///   - show: gets whole lines, without the last line break.
  public func run(_ turn: Turn, started: (FiberID) -> Void = { _ in }, show: @escaping (String) -> Void) throws {
    _ = try interpreter.finish { completion in
      let fiber = begin(turn, show: show, completion: completion)
      started(fiber)
      return fiber
    }
  }

  /// Whether a line is a command to the session, as `,help` is.
  public static func isCommand(_ source: String) -> Bool { command(in: source) != nil }

  /// The name of a command and what stands behind it.
  public static func command(in source: String) -> (name: String, text: String)? {
    let line = source.drop { $0.isWhitespace }
    guard line.first == "," else { return nil }
    let name = line.dropFirst().prefix { !$0.isWhitespace }
    return (String(name), String(line.dropFirst(1 + name.count).drop { $0.isWhitespace }))
  }

  /// Names that begin like `prefix`, in alphabetic order: globals and special forms, but those that are private to a module only when the
  /// prefix is.
  public func completions(of prefix: String) -> [String] {
    let showsPrivate = !DocumentationIndex.isPublic(prefix)
    let names = Set(machine.definedNames + SpecialForm.allCases.map(\.rawValue))
    return names.filter { $0.hasPrefix(prefix) && (showsPrivate || DocumentationIndex.isPublic($0)) }.sorted()
  }

  /// Names of the commands, without the comma.
  public func commandNames() -> [String] {
    guard let commands = try? machine.preludeValue("repl/commands"), commands.isListCell else { return [] }
    return ListElements(commands).compactMap { command in
      guard command.isDict, let name = machine.heap.get(command, machine.heap.constantString("name")), name.isString else { return nil }
      return name.text
    }
  }

  private func call(for turn: Turn, _ show: @escaping (String) -> Void, _ output: ((String) -> Bool)?) -> (Value, [Value]) {
    let heap = machine.heap
    let showing = heap.allocate(
      object: HostFunction(name: "show", doc: "Shows a text to whoever asked.", parameters: [HostFunction.Parameter(typeName: "string", presence: .required)], .immediate { arguments in
        if arguments[0].isString { show(arguments[0].text) }
        return .nil
      }))
    let options = heap.dict(capacity: 4)
    heap.set(options, heap.constantString("width"), .fix(turn.width))
    heap.set(options, heap.constantString("colors"), .bool(turn.usesColors))
    heap.set(options, heap.constantString("plain"), .bool(turn.isPlain))
    // The way of `load`: a path beside which relative ones lie.
    heap.set(options, heap.constantString("directory"), turn.directory.map { heap.string($0 + "/") } ?? .nil)
    if let output {
      // Bytes of one value are whole characters.
      let port = OutputPort(.standardOutput) { output(String(decoding: $0, as: UTF8.self)) }
      heap.set(options, heap.constantString("output"), heap.allocate(object: port))
    }
    do {
      if let (name, text) = Session.command(in: turn.source) {
        let run = try machine.preludeValue("control/-run-command")
        return (run, [heap.string(name), heap.string(text), options, showing])
      }
      let run = try machine.preludeValue("control/-run-session")
      return (run, [heap.allocate(object: Loader(try machine.register(file: "<repl>", bytes: Array(turn.source.utf8)))), options, showing])
    } catch {
      // Only a broken prelude or a full source map leads here; the fiber reports it.
      return (machine.raiseNative, [machine.asRaise(error).condition])
    }
  }

  private func keep(_ v: Value, as name: String) {
    // Throws only for names of primitives.
    try? machine.define(machine.heap.symbol(name), v)
  }
}
