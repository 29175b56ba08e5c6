/// A line of source, or the part of a very long one that has the mistake in it.
public struct Excerpt: Sendable, Equatable {
  /// What is shown of the line, without a line break.
  public let text: String
  /// Column of the first scalar of `text`, from 1.
  public let column: Int
  /// The line has more before `text`.
  public let isCutBefore: Bool
  /// The line goes on after `text`.
  public let isCutAfter: Bool

  /// Scalars of a line that are shown, and how many of them at most before the mistake.
  private static let longest = 120, before = 40

  init(line: String, around location: SourceLocation) {
    let scalars = line.unicodeScalars
    guard let end = scalars.index(scalars.startIndex, offsetBy: Excerpt.longest, limitedBy: scalars.endIndex), end != scalars.endIndex else {
      (text, column, isCutBefore, isCutAfter) = (line, 1, false, false)
      return
    }
    let count = scalars.count
    let first = max(0, min(location.column - 1 - Excerpt.before, count - Excerpt.longest))
    let start = scalars.index(scalars.startIndex, offsetBy: first), stop = scalars.index(start, offsetBy: Excerpt.longest)
    text = String(scalars[start..<stop])
    column = first + 1
    isCutBefore = first > 0
    isCutAfter = stop != scalars.endIndex
  }

  /// The line with what cannot be shown made visible, and the line below it with a caret under each column of the mistake.
  func rendered(_ location: SourceLocation) -> (line: String, blanks: String, carets: String) {
    var line = isCutBefore ? "…" : "", blanks = isCutBefore ? " " : "", carets = 0
    var at = column
    let last = location.endLine == location.line ? max(location.endColumn, location.column + 1) : Int.max
    for scalar in text.unicodeScalars {
      line.unicodeScalars.append(Terminal.visible(scalar))
      if at < location.column {
        blanks += scalar == "\t" ? "\t" : String(repeating: " ", count: Terminal.width(scalar))
      } else if at < last {
        carets += Terminal.width(scalar)
      }
      at += 1
    }
    return (line + (isCutAfter ? "…" : ""), blanks, String(repeating: "^", count: max(1, carets)))
  }
}

/// What a terminal makes of characters.
enum Terminal {
  /// Columns that a scalar takes. A tab counts as one.
  static func width(_ scalar: Unicode.Scalar) -> Int {
    if scalar.value < 0x300 { return 1 }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD: return 2
    default: return scalar.properties.isEmojiPresentation ? 2 : 1
    }
  }

  /// The scalar, or one that shows it: control characters must not reach a terminal, and marks that turn the direction of writing deceive the eye.
  static func visible(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    switch scalar.value {
    case 9: scalar
    case 0..<0x20: Unicode.Scalar(0x2400 + scalar.value) ?? "?"
    case 0x7F: "\u{2421}"
    case 0x80..<0xA0, 0x202A...0x202E, 0x2066...0x2069: "\u{FFFD}"
    default: scalar
    }
  }

  static func visible(_ text: String) -> String {
    // Nearly every text is plain.
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text }
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { out.append(scalar == "\n" ? scalar : visible(scalar)) }
    return String(out)
  }
}

extension Diagnostic {
  /// Message, place, excerpt with caret, trace, causes and hint, for people. No line break at the end.
  ///
  /// - Parameter color: with the escape sequences of a terminal; the caller knows whether it writes to one.
  public func rendered(color: Bool) -> String {
    func paint(_ code: String, _ s: String) -> String { color ? "\u{1B}[\(code)m\(s)\u{1B}[0m" : s }
    var lines = [paint("1;31", "error") + paint("1", ": " + Terminal.visible(message))]
    lines += placeLines(paint)
    let calls = shownTrace.entries
    if calls.count > 1 || calls.first.map({ $0.isPrelude }) ?? false || omitted > 0 { lines += traceLines(paint) }
    for cause in causes { cause.append(to: &lines, paint) }
    if let hint { lines.append(paint("36", "  hint: ") + Terminal.visible(hint)) }
    return lines.joined(separator: "\n")
  }

  /// The trace alone, a call a line.
  public var traceText: String { traceLines { _, s in s }.joined(separator: "\n") }

  /// Without the functions that are private to the prelude: how one of its functions goes about its work is of no interest to who has called it.
  private var shownTrace: (entries: [TraceEntry], omittedAfter: Int) {
    var entries: [TraceEntry] = [], after = omittedAfter
    for (i, entry) in trace.enumerated() {
      if !entry.isPrelude || DocumentationIndex.isPublic(entry.function) { entries.append(entry) } else if i < omittedAfter { after -= 1 }
    }
    return (entries, after)
  }

  private typealias Paint = (_ code: String, _ text: String) -> String

  /// Where it is, with the line of the source and the expansions that led there.
  private func placeLines(_ paint: Paint) -> [String] {
    var lines: [String] = []
    if let location {
      lines.append(paint("2", "  at ") + Terminal.visible(location.file) + ":\(location.line):\(location.column)")
      if let excerpt, !excerpt.text.isEmpty {
        let number = String(location.line), gutter = String(repeating: " ", count: number.count)
        let (line, blanks, carets) = excerpt.rendered(location)
        lines.append(paint("2", " \(number) | ") + line)
        lines.append(paint("2", " \(gutter) | ") + blanks + paint("1;31", carets))
      }
    }
    for expansion in expansions {
      // The place of the expansion is worth a mention where it is another one.
      let place = expansion.location.flatMap { $0.line == location?.line && $0.file == location?.file ? nil : " at \($0.file):\($0.line):\($0.column)" } ?? ""
      lines.append("  in the expansion of `\(Terminal.visible(expansion.macro))`\(Terminal.visible(place))")
    }
    return lines
  }

  private func append(to lines: inout [String], _ paint: Paint) {
    lines.append(paint("1", "  caused by: ") + Terminal.visible(message))
    lines += placeLines(paint).map { "  " + $0 }
    for cause in causes { cause.append(to: &lines, paint) }
  }

  /// Equal calls in a row are counted instead of shown, together with those that were left out in their midst.
  private func traceLines(_ paint: Paint) -> [String] {
    let (trace, omittedAfter) = shownTrace
    var lines: [String] = [], i = 0, left = 0
    func finishCount() {
      if left > 0 { lines.append(paint("2", "  … \(left) more calls …")) }
      left = 0
    }
    while i < trace.count {
      let entry = trace[i]
      if omitted > 0, i == omittedAfter { left += omitted }
      let repeats = i > 0 && trace[i - 1] == entry && i + 1 < trace.count && trace[i + 1] == entry
      if repeats {
        left += 1
      } else {
        finishCount()
        let place = entry.location.map { " at \($0.file):\($0.line):\($0.column)" } ?? ""
        let line = "  in \(entry.function)\(place)" + (entry.isTailCall ? " (tail call)" : "")
        lines.append(entry.isPrelude ? paint("2", Terminal.visible(line)) : Terminal.visible(line))
      }
      i += 1
    }
    if omitted > 0, omittedAfter >= trace.count { left += omitted }
    finishCount()
    return lines
  }
}
