import SX

@testable import SXHost

extension NativeProperty {
  /// The head of a request: the first line is its target, the others are header fields. A target that can be decoded is decoded as SX does
  /// it, and to the same when it is written again; no field is lost.
  static let requestHead = NativeProperty {
    let interpreter = Interpreter()
    let decode = try interpreter.evaluate("url/decode"), decodeQuery = try interpreter.evaluate("url/decode-query")
    return { input in
      let lines = input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
      try keepsFields(lines.dropFirst())
      guard let text = lines.first, let target = RequestTarget(text) else { return }
      let question = text.utf8.firstIndex(of: UInt8(ascii: "?")) ?? text.utf8.endIndex
      let (path, query) = (String(text[..<question]), String(text.utf8[question...].dropFirst()) ?? "")
      let sxPath = try interpreter.call(decode, [.string(path)]).datum(), sxQuery = try interpreter.call(decodeQuery, [.string(query)]).datum()
      guard sxPath.string.map({ Array($0.utf8) }) == Array(target.path.utf8) else { throw Violation("the path is \(target.path), in SX \(sxPath)") }
      guard spelled(sxQuery.dict ?? [:]) == spelled(target.query) else { throw Violation("the query is \(target.query), in SX \(sxQuery)") }
      let written = escaped(target.path) + "?" + target.query.map { escaped($0.key) + "=" + escaped($0.value.string ?? "") }.joined(separator: "&")
      guard let again = RequestTarget(written), again.path.utf8.elementsEqual(target.path.utf8), spelled(again.query) == spelled(target.query) else {
        throw Violation("\(written) is decoded differently")
      }
    }
  }

  private static func keepsFields(_ lines: some Sequence<String>) throws {
    var fields = RequestFields(), values: [String: [String]] = [:]
    for line in lines {
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      // The library lets no other names through.
      let name = parts[0].lowercased()
      guard parts.count == 2, !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { continue }
      fields.add(name, String(parts[1]))
      values[name, default: []].append(String(parts[1]))
    }
    let joined = fields.joined, repeated = fields.repeated
    guard joined.count == values.count, repeated.count == values.filter({ $0.value.count > 1 }).count else { throw Violation("there are other names") }
    for (name, all) in values {
      guard joined[name]?.string == all.joined(separator: ", ") else { throw Violation("\(name) is \(String(describing: joined[name]))") }
      guard all.count == 1 || repeated[name] == .list(all.map { .string($0) }) else { throw Violation("\(name) is not there as a list") }
    }
  }

  /// To the byte: for Swift, texts with the same characters are equal.
  private static func spelled(_ query: DatumDictionary) -> [[UInt8]: [UInt8]] {
    Dictionary(uniqueKeysWithValues: query.map { (Array($0.key.utf8), Array(($0.value.string ?? "").utf8)) })
  }

  private static func escaped(_ text: String) -> String {
    text.utf8.map { "%" + String(0x100 | Int($0), radix: 16).dropFirst() }.joined()
  }
}
