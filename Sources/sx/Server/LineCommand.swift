import SX

/// What a line of the protocol asks for.
enum LineCommand: Equatable {
  case epoch(Int)
  case ping
  case load(String)
  case loadSource(String)
  case evaluate(String)
  case reset
}

/// Why a line is no command.
struct LineError: Error {
  let message: String
}

/// Reads lines as commands. It has an interpreter of its own for that, so that nothing a program does can change what a command means.
struct LineParser {
  private var interpreter = Interpreter()
  private var reader: Handle
  private var bytesRead = 0
  /// Bytes that it keeps of each text besides, about.
  private static let overhead = 200

  init() throws { reader = try interpreter.evaluate("sx-parse") }

  /// - Returns: nil for a line of blanks or of a comment.
  mutating func command(in line: [UInt8]) throws(LineError) -> LineCommand? {
    guard let text = String(validating: line, as: UTF8.self) else { throw LineError(message: "the line is not valid UTF-8") }
    let data: [Datum]
    do {
      try makeRoom(for: line.count)
      data = try interpreter.call(reader, [.string(text)]).datum().list ?? []
    } catch let diagnostic as Diagnostic {
      throw LineError(message: "malformed line: " + diagnostic.message)
    } catch {
      throw LineError(message: "malformed line: \(error)")
    }
    guard let form = data.first else { return nil }
    guard data.count == 1 else { throw LineError(message: "expected one command a line, got \(data.count)") }
    guard case .list(let parts) = form, case .symbol(let name)? = parts.first else {
      throw LineError(message: "expected a command such as (eval \"(+ 1 2)\")")
    }
    return try command(name, Array(parts.dropFirst()))
  }

  private func command(_ name: String, _ arguments: [Datum]) throws(LineError) -> LineCommand {
    func none(_ command: LineCommand) throws(LineError) -> LineCommand {
      guard arguments.isEmpty else { throw LineError(message: "\(name): expected no argument, got \(arguments.count)") }
      return command
    }
    func text() throws(LineError) -> String {
      guard arguments.count == 1, case .string(let text) = arguments[0] else { throw LineError(message: "\(name): expected one string: (\(name) \"…\")") }
      return text
    }
    switch name {
    case "epoch":
      guard arguments.count == 1, let number = arguments[0].integer else { throw LineError(message: "epoch: expected one integer: (epoch 1)") }
      return .epoch(number)
    case "ping": return try none(.ping)
    case "reset": return try none(.reset)
    case "load": return .load(try text())
    case "load-source": return .loadSource(try text())
    case "eval": return .evaluate(try text())
    default: throw LineError(message: "unknown command: \(name); there are epoch, ping, load, load-source, eval and reset")
    }
  }

  /// An interpreter keeps every text it has read, for its messages; of commands nobody needs them.
  private mutating func makeRoom(for count: Int) throws {
    bytesRead += count + Self.overhead
    guard bytesRead > 64 * 1024 * 1024 else { return }
    interpreter = Interpreter()
    reader = try interpreter.evaluate("sx-parse")
    bytesRead = 0
  }
}
