import HTTPTypes
import NIOCore
import SX
import Synchronization

/// One request and its response: the meeting point of a handler's fiber and the server's task.
///
/// Thread-safe. The fiber answers once, either with a whole response or with a head and chunks that follow; the task waits for
/// that and sends it.
final class Exchange: Sendable {
  enum Answer: Sendable {
    case complete(ResponseHead, ByteBuffer)
    case stream(ResponseHead)
    /// The server stopped before the handler had an answer.
    case unavailable
  }

  enum Chunk: Sendable {
    case bytes(ByteBuffer)
    case end
    /// The handler died: the client must see that the body is not complete.
    case abort
  }

  enum WriteResult {
    case accepted
    case clientGone
    /// The client is slow; the writer's `Reply` comes when there is room again.
    case parked
  }

  /// Bytes that may wait for a slow client before writers are parked.
  static let highWater = 64 * 1024

  private enum Ending { case end, abort, clientGone }

  private struct State {
    var answer: Answer?
    var responder: CheckedContinuation<Answer, Never>?
    var pending = ByteBuffer()
    var sender: CheckedContinuation<Chunk, Never>?
    var parkedWriters: [Reply] = []
    var ending: Ending?
    var whenAnswered: (@Sendable () -> Void)?
  }

  /// For the log: `GET /path`.
  let label: String
  /// The method was HEAD: the head says what a GET would, and no body follows.
  let isHead: Bool
  private let state = Mutex(State())

  init(label: String, isHead: Bool) {
    self.label = label
    self.isHead = isHead
  }

  // MARK: The handler's side

  var isAnswered: Bool { state.withLock { $0.answer != nil } }

  /// Sets what is called once there is a whole response, before the client can see it.
  func whenAnswered(_ action: @escaping @Sendable () -> Void) { state.withLock { $0.whenAnswered = action } }

  /// - Returns: false when there was an answer already; the first one counts.
  @discardableResult
  func answer(_ answer: Answer) -> Bool {
    let action = state.withLock { state -> (@Sendable () -> Void)? in
      if case .stream = answer { return nil }
      return state.answer == nil ? state.whenAnswered.take() : nil
    }
    action?()
    let (isFirst, responder) = state.withLock { state -> (Bool, CheckedContinuation<Answer, Never>?) in
      guard state.answer == nil else { return (false, nil) }
      state.answer = answer
      return (true, state.responder.take())
    }
    responder?.resume(returning: answer)
    return isFirst
  }

  /// Adds to the body of a streamed response.
  ///
  /// - Parameter park: makes the reply of a writer that has to wait: true when there is room again, false when the client is gone.
  func write(_ text: String, park: () -> Reply) -> WriteResult {
    let (result, sender, chunk) = state.withLock { state -> (WriteResult, CheckedContinuation<Chunk, Never>?, Chunk) in
      guard state.ending == nil else { return (.clientGone, nil, .end) }
      if isHead || text.isEmpty { return (.accepted, nil, .end) }
      if let sender = state.sender.take() { return (.accepted, sender, .bytes(ByteBuffer(string: text))) }
      state.pending.writeString(text)
      if state.pending.readableBytes <= Self.highWater { return (.accepted, nil, .end) }
      state.parkedWriters.append(park())
      return (.parked, nil, .end)
    }
    sender?.resume(returning: chunk)
    return result
  }

  /// Ends a streamed response after what was written. Without effect when it is over already.
  func end() { finish(.end) }

  /// Cuts a streamed response off after what was written.
  func abort() { finish(.abort) }

  // MARK: The server's side

  func awaitAnswer() async -> Answer {
    await withCheckedContinuation { continuation in
      let answer = state.withLock { state -> Answer? in
        if state.answer == nil { state.responder = continuation }
        return state.answer
      }
      if let answer { continuation.resume(returning: answer) }
    }
  }

  /// The next part of a streamed body. Asking means that the previous part has been sent, so parked writers go on.
  func nextChunk() async -> Chunk {
    await withCheckedContinuation { continuation in
      let (chunk, writers) = state.withLock { state -> (Chunk?, [Reply]) in
        if state.pending.readableBytes > 0, state.ending != .clientGone {
          let bytes = state.pending
          state.pending = ByteBuffer()
          defer { state.parkedWriters = [] }
          return (.bytes(bytes), state.parkedWriters)
        }
        switch state.ending {
        case .end: return (.end, [])
        case .abort, .clientGone: return (.abort, [])
        case nil:
          state.sender = continuation
          return (nil, [])
        }
      }
      for writer in writers { writer.succeed(true) }
      if let chunk { continuation.resume(returning: chunk) }
    }
  }

  /// Nobody reads anymore: writers learn it.
  func clientHasGone() { finish(.clientGone) }

  private func finish(_ ending: Ending) {
    let (sender, writers) = state.withLock { state -> (CheckedContinuation<Chunk, Never>?, [Reply]) in
      guard state.ending == nil else { return (nil, []) }
      state.ending = ending
      defer { state.parkedWriters = [] }
      return (state.sender.take(), state.parkedWriters)
    }
    sender?.resume(returning: ending == .end ? .end : .abort)
    for writer in writers { writer.succeed(false) }
  }
}
