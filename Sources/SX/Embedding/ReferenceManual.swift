/// The reference manual as Markdown, made of what the index knows. Always the same for the same program: no dates, no line numbers.
struct ReferenceManual {
  private let index: DocumentationIndex
  init(_ index: DocumentationIndex) { self.index = index }

  private struct Chapter {
    let title: String
    let introduction: String
    /// What they are declared in.
    let origin: String
    var entries: [Documentation]
  }

  var markdown: String {
    let chapters = self.chapters
    var out = """
      # Reference

      Special forms, primitives and the library. Made by `make reference` out of the declarations themselves: do not edit this page.
      `sx doc NAME` shows an entry at the terminal, `sx doc TEXT` searches. In an example, `; =>` comes before the value as it is printed.
      Every example is run as a test, except those that show no value.

      ## Contents


      """
    for chapter in chapters {
      out += "- [\(capitalised(chapter.title))](#\(anchor(chapter.title))): " + chapter.entries.filter { $0.aliasOf == nil }.map { "[`\($0.name)`](#\(anchor($0)))" }.joined(separator: " ") + "\n"
    }
    for chapter in chapters {
      out += "\n<a id=\"\(anchor(chapter.title))\"></a>\n\n## \(capitalised(chapter.title))\n"
      if !chapter.introduction.isEmpty { out += "\n" + escaped(chapter.introduction) + "\n" }
      if !chapter.origin.isEmpty { out += "\n" + chapter.origin + "\n" }
      for entry in chapter.entries where entry.aliasOf == nil {
        out += rendered(entry, others: chapter.entries.filter { $0.aliasOf == entry.name }.map(\.name))
      }
    }
    return out
  }

  private var chapters: [Chapter] {
    var found: [Chapter] = []
    for entry in index.all {
      if found.last?.title != entry.group {
        let file = index.machine.preludeFiles.first { $0.title == entry.group }
        found.append(Chapter(title: entry.group, introduction: file.map(introduction) ?? "", origin: file.map { (entry.kind == .primitive ? "Primitives, and `" : "Defined in `") + "prelude/\($0.title).sx`." } ?? "", entries: []))
      }
      found[found.count - 1].entries.append(entry)
    }
    return found
  }

  /// The comment at the top of a file.
  private func introduction(_ file: PreludeFile) -> String {
    guard let text = try? file.source(index.machine) else { return "" }
    var lines: [Substring] = []
    for line in String(decoding: text.bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false) {
      guard line.hasPrefix(";") else { return line.isEmpty ? lines.joined(separator: "\n") : "" }
      let content = line.drop { $0 == ";" }
      lines.append(content.hasPrefix(" ") ? content.dropFirst() : content)
    }
    return ""
  }

  private func rendered(_ entry: Documentation, others: [String]) -> String {
    var out = "\n<a id=\"\(anchor(entry))\"></a>\n\n### `\(entry.name)`\n\n"
    let usage = entry.usage.isEmpty ? [entry.name] : entry.usage
    out += "```lisp\n" + usage.joined(separator: "\n") + "\n```\n"
    let kind = entry.kind == .function || entry.kind == .primitive || entry.kind == .specialForm ? "" : " *(\(entry.kind.rawValue))*"
    if !entry.text.isEmpty { out += "\n" + escaped(entry.text) + kind + "\n" } else if !kind.isEmpty { out += "\n" + kind.dropFirst() + "\n" }
    if !others.isEmpty { out += "\nAlso: " + others.map { "`\($0)`" }.joined(separator: ", ") + ".\n" }
    if !entry.examples.isEmpty { out += "\n```lisp\n" + entry.examples.map(\.rendered).joined(separator: "\n") + "\n```\n" }
    return out
  }

  private func capitalised(_ title: String) -> String {
    // A path stays as it is.
    title.contains("/") ? title : ["json": "JSON", "html": "HTML", "url": "URL"][title] ?? title.prefix(1).uppercased() + title.dropFirst()
  }

  private func anchor(_ entry: Documentation) -> String { anchor(entry.group) + "-" + anchor(entry.name) }

  /// Letters, digits and `-`; everything else as its code, so that no two names meet.
  private func anchor(_ text: String) -> String {
    text.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): String(UnicodeScalar(byte))
      case UInt8(ascii: " "): "-"
      default: "_" + String(byte, radix: 16)
      }
    }.joined()
  }

  /// Prose with what Markdown would take for markup escaped, outside of backquotes.
  private func escaped(_ text: String) -> String {
    var out = "", isCode = false
    for character in text {
      if character == "`" { isCode.toggle() }
      if !isCode, "\\*_<>[]{}|~#&".contains(character) { out.append("\\") }
      out.append(character)
    }
    return out
  }
}
