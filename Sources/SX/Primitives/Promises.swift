/// A value that is worked out when it is first asked for. Two promises of one chain of `delay-force` share their state, so that forcing
/// such a chain takes no room, however long it is (R7RS 4.2.5).
final class Promise: HeapObject {
  final class State {
    var isDone: Bool
    /// The value, or the thunk that gives it.
    var content: Value
    init(isDone: Bool, content: Value) {
      self.isDone = isDone
      self.content = content
    }
  }
  var state: State
  init(_ state: State) { self.state = state }
  override var typeName: String { "promise" }
  override func describe(_ machine: Machine) -> String { state.isDone ? "#<promise, forced>" : "#<promise>" }
  override func trace(_ marker: inout Marker) { marker.mark(state.content) }
}

/// `force` itself is SX (`prelude/forms.sx`), because it calls thunks.
extension NativeTable {
  mutating func installPromises() {
    @Sendable func promise(_ m: Machine, _ args: Arguments, _ name: String, _ i: Int = 0) throws -> Promise {
      guard let promise = args[i].object(as: Promise.self) else { throw m.wrongType(name, i + 1, "promise", args[i]) }
      return promise
    }
    add("make-promise", required("value"), doc: "A promise that is kept already; a promise stays as it is.", example: "(force (make-promise 5)) → 5") { m, args in
      args[0].object(as: Promise.self) != nil ? args[0] : m.heap.allocate(object: Promise(.init(isDone: true, content: args[0])))
    }
    add("promise/-kept", required("value"), doc: "A promise of exactly this value, be it a promise.") { m, args in m.heap.allocate(object: Promise(.init(isDone: true, content: args[0]))) }
    add("promise?", required("value"), doc: "Is it a promise?", example: "(promise? (delay 1)) → true") { _, args in .bool(args[0].object(as: Promise.self) != nil) }
    add("promise/-make", required("thunk"), doc: "A promise whose thunk gives another promise.") { m, args in m.heap.allocate(object: Promise(.init(isDone: false, content: args[0]))) }
    add("promise/-done?", required("promise"), doc: "Has it got its value?") { m, args in .bool(try promise(m, args, "promise/-done?").state.isDone) }
    add("promise/-content", required("promise"), doc: "Its value, or its thunk.") { m, args in try promise(m, args, "promise/-content").state.content }
    add("promise/-take-over!", required("promise"), required("other"), doc: "Goes on where another promise is, which from now on is the same one.") { m, args in
      let mine = try promise(m, args, "promise/-take-over!"), other = try promise(m, args, "promise/-take-over!", 1)
      // Forcing it may have forced it already, from inside.
      guard !mine.state.isDone else { return .nil }
      mine.state.isDone = other.state.isDone
      mine.state.content = other.state.content
      other.state = mine.state
      return .nil
    }
  }
}
