import ArgumentParser
import SX
import SXHost

/// `sx doc`
struct Doc: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doc",
    abstract: "Show what a name means, or search for it.",
    discussion: """
      A name is explained with its usage, text, examples and where it is defined; any other text is searched for in names and texts.
      Without a name, everything there is is listed by group.
      """)

  @Argument(help: ArgumentHelp("A name, or words to search for.", valueName: "name"))
  var words: [String] = []

  @Option(name: .customLong("load"), help: ArgumentHelp("Evaluate a file first, to see its definitions too. May be repeated.", valueName: "file"))
  var files: [String] = []

  @Flag(help: "Print the whole reference manual as Markdown.")
  var markdown = false

  func validate() throws {
    if markdown && !(words.isEmpty && files.isEmpty) { throw ValidationError("--markdown prints the whole manual; it takes no name and no --load.") }
  }

  func run() {
    Program.run { [words, files, markdown] interpreter, host in
      for file in files { try interpreter.evaluate(bytes: Files.contents(of: file), file: file) }
      let text = words.joined(separator: " ")
      if markdown {
        host.write(interpreter.referenceManual, to: .standardOutput)
      } else if words.isEmpty {
        host.write(overview(interpreter.documentation), to: .standardOutput)
      } else if let found = interpreter.documentation(of: text) {
        host.write(found.rendered(color: Program.colorsOutput) + "\n", to: .standardOutput)
      } else {
        try search(text, interpreter, host)
      }
    }
  }

  /// All names by group, in lines of a terminal's width.
  private func overview(_ all: [Documentation]) -> String {
    var out = "", group = "", line = ""
    func finishLine() {
      if !line.isEmpty { out += line + "\n" }
      line = ""
    }
    for entry in all {
      if entry.group != group {
        finishLine()
        group = entry.group
        out += (out.isEmpty ? "" : "\n") + group + "\n"
      }
      if line.count + entry.name.count > 98 { finishLine() }
      line += (line.isEmpty ? "  " : " ") + entry.name
    }
    finishLine()
    return out
  }

  private func search(_ text: String, _ interpreter: Interpreter, _ host: SystemHost) throws {
    let found = interpreter.documentation(matching: text)
    let near = interpreter.suggestions(for: text)
    guard !found.isEmpty || !near.isEmpty else { throw HostError("doc: nothing is known about \(text)") }
    if !near.isEmpty { host.write("no \(text); did you mean \(near.joined(separator: ", "))?\n", to: .standardOutput) }
    let width = min(30, found.map(\.name.count).max() ?? 0)
    for entry in found {
      let padding = String(repeating: " ", count: max(0, width - entry.name.count))
      host.write("\(entry.name)\(padding)  \(entry.summary)\n", to: .standardOutput)
    }
  }
}
