import SX

@testable import sx

extension NativeProperty {
  /// The lines of `sx server`. The first byte says in how long pieces the rest comes: the lines are the same whatever the pieces, each is a
  /// command that can be written and read again, or an error, and a client can read whatever is answered.
  static let lineProtocol = NativeProperty {
    var parser = try LineParser()
    return { input in
      for line in try lines(of: input) {
        try isReadable(.value(String(decoding: line, as: UTF8.self)))
        let command: LineCommand
        do throws(LineError) {
          guard let read = try parser.command(in: line) else { continue }
          command = read
        } catch {
          try isReadable(.failure(error.message))
          // What stands in an error is read as what stands in a command.
          guard try parser.command(in: written("eval", error.message)) == .evaluate(error.message) else { throw Violation("an error is read differently") }
          continue
        }
        guard try parser.command(in: written(command)) == command else { throw Violation("\(command) is read differently") }
      }
    }
  }

  private static func lines(of input: [UInt8]) throws -> [[UInt8]] {
    let size = Int(input.first ?? 0) + 1, rest = input.dropFirst()
    var splitter = LineSplitter(longestLine: .max)
    var lines: [[UInt8]] = []
    func keep(_ piece: LineSplitter.Piece) { if case .line(let line) = piece { lines.append(line) } }
    for start in stride(from: rest.startIndex, to: rest.endIndex, by: size) {
      splitter.take(rest[start..<min(start + size, rest.endIndex)], keep)
    }
    splitter.finish(keep)
    var expected = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { Array($0) }
    if expected.last == [] { expected.removeLast() }
    guard lines == expected else { throw Violation("\(lines.count) lines instead of \(expected.count)") }
    return lines
  }

  private static func written(_ command: LineCommand) -> [UInt8] {
    switch command {
    case .epoch(let number): Array("(epoch \(number))".utf8)
    case .ping: Array("(ping)".utf8)
    case .load(let path): written("load", path)
    case .loadSource(let source): written("load-source", source)
    case .evaluate(let source): written("eval", source)
    case .reset: Array("(reset)".utf8)
    }
  }

  private static func written(_ name: String, _ text: String) -> [UInt8] { Array("(\(name) \(StringLiteral.of(text)))".utf8) }

  /// To a client that knows lines and lengths.
  private static func isReadable(_ answer: LineAnswer) throws {
    let lines = answer.text(epoch: 7).utf8.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
    switch answer {
    case .ready, .done, .failure:
      guard lines.count == 1 else { throw Violation("an answer has several lines") }
    case .value(let value) where lines.count == 1:
      guard lines[0].elementsEqual("(ok 7 \(value))".utf8) else { throw Violation("a value is answered differently") }
    case .value(let value):
      guard lines[0].elementsEqual("(ok-len 7 \(lines[1].count))".utf8), lines[1].elementsEqual(value.utf8) else { throw Violation("a long value is answered differently") }
    }
  }
}
