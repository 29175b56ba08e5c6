/// A list in a source text whose first element is a symbol: a call, a definition, a test case.
public struct SourceForm: Sendable {
  /// The symbol at its beginning.
  public let head: String
  /// Its second element, when that is a string.
  public let name: String?
  /// The name that a definition gives: its second element when that is a symbol, or the symbol in front of the parameters.
  public let definedName: String?
  /// Where it stands. Columns count scalars.
  public let location: SourceLocation
  /// The same in bytes from the beginning of the text.
  public let bytes: Range<Int>
  /// It stands in no other list.
  public let isTopLevel: Bool
}

extension Interpreter {
  /// Reads a text without evaluating it: all lists that begin with a symbol, an outer one before those in it. O(size). Throws a `Diagnostic`.
  public func outline(of source: [UInt8], file: String) throws -> [SourceForm] {
    do {
      let text = try machine.register(file: file, bytes: source)
      return try text.bytes.withUnsafeBufferPointer { bytes in
        var reader = Reader(machine, text, bytes), forms: [SourceForm] = []
        while let datum = try reader.next() { collect(datum.value, text, into: &forms) }
        return forms
      }
    } catch {
      throw diagnostic(error)
    }
  }

  /// Where the elements of a list stand that begins at a byte of a text, in bytes; nil when none begins there. Throws a `Diagnostic`.
  public func elements(ofListAt start: Int, in source: [UInt8], file: String) throws -> [Range<Int>]? {
    do {
      let text = try machine.register(file: file, bytes: source)
      return try text.bytes.withUnsafeBufferPointer { bytes in
        var whole = Reader(machine, text, bytes, from: start)
        guard let list = try whole.next(), list.value.isListCell, list.span.start == text.base + UInt32(start) else { return nil }
        var reader = Reader(machine, text, bytes, from: start + 1, to: whole.position - 1), elements: [Range<Int>] = []
        while let element = try reader.next() {
          elements.append(Int(element.span.start - text.base)..<Int(element.span.end - text.base))
        }
        return elements
      }
    } catch {
      throw diagnostic(error)
    }
  }

  private func definedName(_ target: Value) -> String? {
    let name = target.isListCell && target.length > 0 ? machine.heap.element(target, 0) : target
    return name.isKind(.symbol) ? name.text : nil
  }

  /// Data may be nested as deep as it likes, so this keeps its own stack.
  private func collect(_ form: Value, _ text: SourceText, into forms: inout [SourceForm]) {
    var pending: [(value: Value, isTopLevel: Bool)] = [(form, true)]
    while let (value, isTopLevel) = pending.popLast() {
      if value.isDict {
        for entry in machine.heap.entries(of: value).reversed() { pending.append((entry.value, false)) }
      }
      guard value.isListCell, value.length > 0 else { continue }
      let elements = Array(ListElements(value)), span = value.listSpan
      if elements[0].isKind(.symbol), !span.isNone, let location = machine.sources.location(span) {
        forms.append(
          SourceForm(
            head: elements[0].text, name: elements.count > 1 && elements[1].isString ? elements[1].text : nil,
            definedName: elements.count > 1 ? definedName(elements[1]) : nil, location: location,
            bytes: Int(span.start - text.base)..<Int(span.end - text.base), isTopLevel: isTopLevel))
      }
      for element in elements.reversed() { pending.append((element, false)) }
    }
  }
}
