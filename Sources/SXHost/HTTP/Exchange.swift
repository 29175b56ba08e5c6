import NIOCore
import NIOHTTP1
import SX
import Synchronization

/// One request and its response: the meeting point of a handler's fiber and the connection.
///
/// Thread-safe. The fiber answers once, either with a whole response or with a head and chunks that follow; the connection is told, and
/// fetches the chunks as fast as its client takes them.
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
    var isAnswered = false
    var pending = ByteBuffer()
    /// The connection comes for what is pending, or is still busy with what it has.
    var isFetching = true
    var parkedWriters: [Reply] = []
    var ending: Ending?
    var whenAnswered: (@Sendable () -> Void)?
  }

  private let method: HTTPMethod
  private let target: String
  /// What the body of the request holds, given back with the exchange: when it is answered and its handler has ended.
  private let share: RequestBodyBudget.Share?
  private let eventLoop: any EventLoop
  private let connection: NIOLoopBound<HTTPConnection>
  private let state = Mutex(State())

  /// To be called on the event loop of the connection.
  init(_ request: IncomingRequest, _ share: RequestBodyBudget.Share?, on eventLoop: any EventLoop, with connection: HTTPConnection) {
    method = request.method
    target = request.target
    self.share = share
    self.eventLoop = eventLoop
    self.connection = NIOLoopBound(connection, eventLoop: eventLoop)
  }

  /// For the log: `GET /path`.
  var label: String { "\(method.rawValue) \(target)" }

  // MARK: The handler's side

  var isAnswered: Bool { state.withLock { $0.isAnswered } }

  /// Sets what is called once there is a whole response, before the client can see it.
  func whenAnswered(_ action: @escaping @Sendable () -> Void) { state.withLock { $0.whenAnswered = action } }

  /// - Returns: false when there was an answer already; the first one counts.
  @discardableResult
  func answer(_ answer: Answer) -> Bool {
    let (isFirst, action) = state.withLock { state -> (Bool, (@Sendable () -> Void)?) in
      guard !state.isAnswered else { return (false, nil) }
      state.isAnswered = true
      if case .stream = answer { return (true, nil) }
      state.ending = .end
      return (true, state.whenAnswered.take())
    }
    guard isFirst else { return false }
    action?()
    eventLoop.execute { [self] in connection.value.send(answer, of: self) }
    return true
  }

  /// Adds to the body of a streamed response.
  ///
  /// - Parameter park: makes the reply of a writer that has to wait: true when there is room again, false when the client is gone.
  func write(_ text: String, park: () -> Reply) -> WriteResult {
    let (result, isFirst) = state.withLock { state -> (WriteResult, Bool) in
      guard state.ending == nil else { return (.clientGone, false) }
      if text.isEmpty { return (.accepted, false) }
      state.pending.writeString(text)
      let isFirst = !state.isFetching
      state.isFetching = true
      guard state.pending.readableBytes > Self.highWater else { return (.accepted, isFirst) }
      state.parkedWriters.append(park())
      return (.parked, isFirst)
    }
    if isFirst { callConnection() }
    return result
  }

  /// Ends a streamed response after what was written. Without effect when it is over already.
  func end() { finish(.end) }

  /// Cuts a streamed response off after what was written.
  func abort() { finish(.abort) }

  private func callConnection() { eventLoop.execute { [self] in connection.value.pump() } }

  // MARK: The connection's side

  /// The next part of a streamed body; nil when there is none yet: the connection is then called as soon as there is.
  /// Asking means that there is room, so parked writers go on.
  func nextChunk() -> Chunk? {
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
        state.isFetching = false
        return (nil, [])
      }
    }
    for writer in writers { writer.succeed(true) }
    return chunk
  }

  /// Nobody reads anymore: writers learn it.
  func clientHasGone() { finish(.clientGone) }

  private func finish(_ ending: Ending) {
    let (isFirst, writers) = state.withLock { state -> (Bool, [Reply]) in
      guard state.ending == nil else { return (false, []) }
      state.ending = ending
      let isFirst = !state.isFetching
      state.isFetching = true
      defer { state.parkedWriters = [] }
      return (isFirst, state.parkedWriters)
    }
    if isFirst { callConnection() }
    for writer in writers { writer.succeed(false) }
  }
}
