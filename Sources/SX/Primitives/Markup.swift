extension NativeTable {
  mutating func installMarkup() {
    add("render-html", required("tree"), doc: "The markup of a tree: a list with a symbol first is an element, keywords in it are attributes (true: the name alone; nil and false: left out), as is a dict in second place; other lists are fragments. Text and attributes are escaped.", example: "(render-html '(p :class \"x\" \"a < b\" (br))) → \"<p class=\\\"x\\\">a &lt; b<br></p>\"") { m, args in
      try MarkupWriter.render(args[0], m)
    }
    alias("render-to-html")
    add("raw!", rest("values"), doc: "Markup for render-html that is not escaped: the display forms of the values.", example: "(render-html (list 'p (raw! \"<b>x</b>\"))) → \"<p><b>x</b></p>\"") { m, args in
      m.heap.allocate(object: RawMarkup(try m.str(args.base, args.count)))
    }
  }
}

/// Text that is markup already.
final class RawMarkup: HeapObject {
  let text: Value
  init(_ text: Value) { self.text = text }
  override var typeName: String { "markup" }
  override func describe(_ machine: Machine) -> String { "#<markup \(Printer.text(text, machine))>" }
  override func trace(_ marker: inout Marker) { marker.mark(text) }
}

/// Writes markup. Keeps its own stack, so depth costs memory only.
struct MarkupWriter: ~Copyable {
  /// How the text inside an element is read by browsers.
  private enum Content {
    case markup
    /// Of `script` and `style`: no entities, and only the end tag ends it.
    case plain
  }
  /// A list whose members are being written.
  private struct Open {
    let list: Value
    var members: ListIterator
    /// The element's name; nil for a fragment.
    let tag: Value
    let content: Content
    /// The next member stands where attributes may stand in a dict.
    var isSecond: Bool
  }

  private let machine: Machine
  private var out = ByteWriter(capacity: 1024)
  private var stack: [Open] = []
  private var cycles = CycleCheck()

  static func render(_ tree: Value, _ machine: Machine) throws -> Value {
    var writer = MarkupWriter(machine)
    try writer.run(tree)
    return try machine.string("render-html", writer.out)
  }
  private init(_ machine: Machine) { self.machine = machine }

  private mutating func run(_ tree: Value) throws {
    try node(tree, .markup)
    while !stack.isEmpty {
      let top = stack.count - 1
      guard let member = stack[top].members.next() else {
        close(stack.removeLast())
        continue
      }
      if !stack[top].tag.isNil {
        let isSecond = stack[top].isSecond
        stack[top].isSecond = false
        if member.isDict, isSecond { continue }              // written with the tag
        if member.isKind(.keyword) {
          _ = stack[top].members.next()
          continue
        }
      }
      try node(member, stack[top].content)
    }
  }

  private mutating func close(_ open: Open) {
    cycles.leave(open.list)
    guard !open.tag.isNil else { return }
    out.append("</")
    out.append(open.tag.utf8)
    out.append(UInt8(ascii: ">"))
  }

  // MARK: Nodes

  private mutating func node(_ v: Value, _ content: Content) throws {
    if v.isListCell || v == .end { return try list(v, content) }
    if let raw = v.object(as: RawMarkup.self) { return out.append(raw.text.utf8) }
    if v.isFalsy { return }
    if v.isDict { throw machine.error("render-html: a dict is no content", hint: "attributes in a dict stand directly behind the tag") }
    try text(v.isText ? v : machine.displayString(v), content)
  }

  private mutating func text(_ s: Value, _ content: Content) throws {
    switch content {
    case .markup: MarkupText.escape(s.utf8, .text, to: &out)
    case .plain: plain(s.utf8)
    }
    if out.count > 1 << 20 { try machine.checkLength("render-html", out.count) }
  }

  /// Scripts and styles: `</` and `<!--` get a backslash, which strings in both languages ignore.
  private mutating func plain(_ text: UnsafeBufferPointer<UInt8>) {
    for i in 0..<text.count {
      out.append(text[i])
      guard text[i] == UInt8(ascii: "<"), i + 1 < text.count else { continue }
      let startsComment = i + 3 < text.count && text[i + 1] == UInt8(ascii: "!") && text[i + 2] == UInt8(ascii: "-") && text[i + 3] == UInt8(ascii: "-")
      if startsComment || text[i + 1] == UInt8(ascii: "/") { out.append(UInt8(ascii: "\\")) }
    }
  }

  private mutating func list(_ v: Value, _ content: Content) throws {
    guard v.listCount > 0 else { return }
    var members = ListIterator(v)
    guard let head = ListIterator(v).first, head.isKind(.symbol) else {
      return try push(Open(list: v, members: members, tag: .nil, content: content, isSecond: false))
    }
    _ = members.next()
    if head.textEquals("<>") { return try push(Open(list: v, members: members, tag: .nil, content: content, isSecond: false)) }
    if head.textEquals("raw!") {
      while let part = members.next() { out.append(try machine.displayString(part).utf8) }
      return
    }
    if head.bytes[0] == UInt8(ascii: "~") {
      throw machine.error("render-html: \(head.text) is a component and not expanded yet", hint: "(render-html (html/expand tree))")
    }
    guard content == .markup else { throw machine.error("render-html: \(head.text) stands inside a script or style, which holds text only") }
    try element(v, head, members)
  }

  private mutating func push(_ open: Open) throws {
    guard cycles.enter(open.list) else { throw machine.error("render-html: the tree contains itself") }
    stack.append(open)
  }

  private mutating func element(_ v: Value, _ head: Value, _ members: ListIterator) throws {
    guard MarkupName.isTag(head.utf8) else { throw machine.error("render-html: \(Printer.text(head, machine)) is no name for an element", hint: "is it code that was quoted with the tree?") }
    out.append(UInt8(ascii: "<"))
    out.append(head.utf8)
    let hasContent = try attributes(members, of: head)
    out.append(UInt8(ascii: ">"))
    if MarkupName.isVoid(head.utf8) {
      if hasContent { throw machine.error("render-html: \(head.text) cannot have content") }
      return
    }
    let content: Content = MarkupName.equals(head.utf8, "script") || MarkupName.equals(head.utf8, "style") ? .plain : .markup
    try push(Open(list: v, members: members, tag: head, content: content, isSecond: true))
  }

  // MARK: Attributes

  /// Writes all attributes, wherever in the element they stand. Answers whether there is anything else.
  private mutating func attributes(_ members: ListIterator, of head: Value) throws -> Bool {
    var members = members, isSecond = true, hasContent = false
    while let member = members.next() {
      if member.isKind(.keyword) {
        guard let value = members.next() else { throw machine.error("render-html: attribute :\(member.text) of \(head.text) has no value", hint: "true gives the name alone") }
        try attribute(member, value)
      } else if isSecond, member.isDict {
        for (name, value) in machine.heap.entries(of: member) { try attribute(name, value) }
      } else if !member.isFalsy {
        hasContent = true
      }
      isSecond = false
    }
    return hasContent
  }

  private mutating func attribute(_ name: Value, _ value: Value) throws {
    guard MarkupName.isAttribute(name.utf8) else { throw machine.error("render-html: \(Printer.text(machine.heap.string(name.utf8), machine)) is no name for an attribute") }
    if value.isFalsy { return }
    out.append(UInt8(ascii: " "))
    out.append(name.utf8)
    if value == .true { return }
    out.append("=\"")
    if value.isListCell {                                    // as in :class (list "a" "b")
      var isFirst = true
      for part in ListElements(value) where !part.isFalsy {
        if !isFirst { out.append(UInt8(ascii: " ")) }
        isFirst = false
        try attributeText(part, of: name)
      }
    } else {
      try attributeText(value, of: name)
    }
    out.append(UInt8(ascii: "\""))
  }
  private mutating func attributeText(_ v: Value, of name: Value) throws {
    if let raw = v.object(as: RawMarkup.self) { return out.append(raw.text.utf8) }
    if v.isDict { throw machine.error("render-html: attribute \(name.text) cannot be a dict") }
    MarkupText.escape(v.isText ? v.utf8 : try machine.displayString(v).utf8, .attribute, to: &out)
  }
}

extension ListIterator {
  fileprivate var first: Value? {
    var copy = self
    return copy.next()
  }
}

/// What may be a name in markup.
enum MarkupName {
  private static let void: [StaticString] = ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]

  static func isVoid(_ name: UnsafeBufferPointer<UInt8>) -> Bool { void.contains { equals(name, $0) } }

  /// A letter, and then what an attribute's name may have.
  static func isTag(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let first = name.first, first | 0x20 &- 0x61 < 26 else { return false }
    return isAttribute(name)
  }
  /// Nothing that could end the name or the tag.
  static func isAttribute(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    !name.isEmpty && name.allSatisfy { b in
      switch b {
      case 0...0x20, 0x7F, UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "/"), UInt8(ascii: "="), UInt8(ascii: "`"): false
      default: true
      }
    }
  }
  /// As HTML compares names: without regard to case.
  static func equals(_ name: UnsafeBufferPointer<UInt8>, _ lower: StaticString) -> Bool {
    guard name.count == lower.utf8CodeUnitCount else { return false }
    return name.indices.allSatisfy { name[$0] | 0x20 == lower.utf8Start[$0] }
  }
}
