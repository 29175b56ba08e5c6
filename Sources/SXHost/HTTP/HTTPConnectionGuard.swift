import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Stands between the parser of one connection and the server, and keeps the connection within the limits of `ListenerOptions`.
///
/// - A head or a body that does not arrive in time is answered with 408, one that is not HTTP with 400, one too large with 431.
/// - `Expect: 100-continue` (RFC 9110, section 10.1.1) is answered, unless the body will be refused.
/// - A request is refused before its body has come: the connection then ends with the response, and what still comes is thrown away for
///   a moment, because closing at once would make the client's system drop the response (RFC 9112, section 9.6).
/// - Bodies that would take the server beyond its budget for all of them are answered with 503.
/// - A client that accepts nothing of its response for a while is cut off.
/// - A body that ends in the middle is an error for whoever reads it, not a short body.
///
/// Confined to the connection's event loop.
final class HTTPConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  /// The error of a body whose rest will not come.
  struct Incomplete: Error {}

  private struct Refusal {
    let status: HTTPResponse.Status
    let message: String
  }

  private let options: ListenerOptions
  private let share: RequestBodyBudget.Share

  /// Requests whose head has come and whose response has not been written to its end.
  private var unanswered = 0
  /// A head has come, and the end of its body has not.
  private var isBodyOpen = false
  private var bodyBytes = 0
  /// Parts of requests have come since the last `channelReadComplete`.
  private var hasReadPart = false
  private var isResponding = false
  /// Nothing of what comes counts anymore, and nothing more is sent.
  private var isClosing = false
  private var closesAfterResponse = false
  /// Done when the latest response has left.
  private var lastWritten: EventLoopFuture<Void>?
  /// Waits for the responses to earlier requests of a pipeline.
  private var pendingRefusal: Refusal?

  private var clock: Scheduled<Void>?
  private var clockStart = NIODeadline.now()
  private var stallCheck: Scheduled<Void>?

  /// How long a client may take to notice that nobody listens anymore.
  private static let linger = TimeAmount.seconds(2)

  init(_ options: ListenerOptions, _ budget: RequestBodyBudget) {
    self.options = options
    share = RequestBodyBudget.Share(of: budget)
  }

  // MARK: Requests

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isClosing else { return }
    hasReadPart = true
    switch unwrapInboundIn(data) {
    case .head(let head):
      stopClock()
      unanswered += 1
      isBodyOpen = true
      bodyBytes = 0
      if isContinueExpected(head) {
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
      }
      startBodyClock(context)
    case .body(let bytes):
      bodyBytes += bytes.readableBytes
      guard closesAfterResponse || share.grow(bytes.readableBytes) else {
        refuse(context, Refusal(status: .serviceUnavailable, message: "too many request bodies at a time"))
        context.fireErrorCaught(Incomplete())
        return
      }
    case .end:
      isBodyOpen = false
      stopClock()
    }
    context.fireChannelRead(data)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if isClosing {
      context.read()
    } else if !hasReadPart, unanswered == 0, !isBodyOpen, clock == nil {
      // Bytes have come that were no whole head.
      startClock(context, options.headerTimeout) { $0.refuse($1, Refusal(status: .requestTimeout, message: "the head of the request did not arrive in time")) }
    }
    hasReadPart = false
    context.fireChannelReadComplete()
  }

  private func isContinueExpected(_ head: HTTPRequest) -> Bool {
    guard let expectation = head.headerFields[.expect], expectation.lowercased() == "100-continue", unanswered == 1 else { return false }
    let limit = options.bodyLimit(target: head.path)
    return head.headerFields[.contentLength].flatMap { Int($0) }.map { $0 <= limit } ?? true
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard !isClosing else { return }
    switch error {
    case HTTPParserError.headerOverflow:
      refuse(context, Refusal(status: .requestHeaderFieldsTooLarge, message: "the head of the request is too large"))
    case is HTTPParserError where !isEndOfInput(error):
      refuse(context, Refusal(status: .badRequest, message: "this is not HTTP/1.1"))
    case is IOError, is ChannelError:
      context.fireErrorCaught(error)
      return
    default:
      if !isEndOfInput(error) { refuse(context, Refusal(status: .badRequest, message: "the head of the request is not valid")) }
    }
    context.fireErrorCaught(Incomplete())
  }

  private func isEndOfInput(_ error: any Error) -> Bool {
    switch error {
    case HTTPParserError.invalidEOFState, HTTPParserError.closedConnection: true
    default: false
    }
  }

  /// The server takes a connection for idle when it has written a response to its end, although it may take the client long to read it.
  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    guard mode == .all, let lastWritten, bufferedBytes(context) > 0 else { return context.close(mode: mode, promise: promise) }
    flush(context: context)
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    lastWritten.whenComplete { _ in bound.value.close(mode: mode, promise: promise) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    stopClock()
    stallCheck?.cancel()
    if isBodyOpen, !isClosing { context.fireErrorCaught(Incomplete()) }
    isClosing = true
    share.clear()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    stopClock()
    stallCheck?.cancel()
  }

  // MARK: Responses

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard !isClosing else {
      promise?.fail(ChannelError.ioOnClosedChannel)
      return
    }
    switch unwrapOutboundIn(data) {
    case .head(var head):
      isResponding = true
      // It is the answer to the request whose body is still coming.
      if isBodyOpen, unanswered == 1 {
        closesAfterResponse = true
        stopClock()
        head.headerFields[.connection] = "close"
      }
      context.write(wrapOutboundOut(.head(head)), promise: promise)
    case .body:
      context.write(data, promise: promise)
    case .end:
      isResponding = false
      unanswered -= 1
      if unanswered == 0 { share.clear() }
      let written = promise ?? context.eventLoop.makePromise(of: Void.self)
      context.write(data, promise: written)
      lastWritten = written.futureResult
      responseEnded(context, written.futureResult)
    }
  }

  private func responseEnded(_ context: ChannelHandlerContext, _ written: EventLoopFuture<Void>) {
    if closesAfterResponse {
      isClosing = true
      hangUp(context, after: written)
    } else if let pendingRefusal {
      refuse(context, pendingRefusal)
    } else {
      startBodyClock(context)
    }
  }

  /// Answers for the server, and ends the connection.
  private func refuse(_ context: ChannelHandlerContext, _ refusal: Refusal) {
    stopClock()
    guard unanswered <= (isBodyOpen ? 1 : 0) else {
      pendingRefusal = refusal
      return
    }
    isClosing = true
    guard !isResponding else { return context.close(promise: nil) }
    let body = ByteBuffer(string: refusal.message + "\n")
    var fields: HTTPFields = [
      .contentType: "text/plain; charset=utf-8", .contentLength: String(body.readableBytes), .connection: "close",
    ]
    if refusal.status == .serviceUnavailable { fields[.retryAfter] = "1" }
    context.write(wrapOutboundOut(.head(HTTPResponse(status: refusal.status, headerFields: fields))), promise: nil)
    context.write(wrapOutboundOut(.body(body)), promise: nil)
    let written = context.eventLoop.makePromise(of: Void.self)
    context.write(wrapOutboundOut(.end(nil)), promise: written)
    hangUp(context, after: written.futureResult)
  }

  /// Ends the output when all of it has left, however slowly, and the connection a while after that.
  private func hangUp(_ context: ChannelHandlerContext, after written: EventLoopFuture<Void>) {
    stopClock()
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    written.whenComplete { _ in
      let (this, context) = bound.value
      guard context.channel.isActive else { return }
      context.close(mode: .output, promise: nil)
      context.read()
      this.startClock(context, Self.linger) { $1.close(promise: nil) }
    }
    flush(context: context)
  }

  // MARK: Slow clients

  private func startBodyClock(_ context: ChannelHandlerContext) {
    // While an earlier request of a pipeline is handled, nobody reads this one.
    guard isBodyOpen, unanswered == 1, clock == nil else { return }
    clockStart = .now()
    startClock(context, options.bodyTimeout) { $0.checkBody($1) }
  }

  private func checkBody(_ context: ChannelHandlerContext) {
    let deadline = clockStart + options.bodyTimeout + .milliseconds(Int64(bodyBytes) * 1000 / Int64(options.bodyRate))
    let left = deadline - .now()
    guard left <= .zero else { return startClock(context, left) { $0.checkBody($1) } }
    refuse(context, Refusal(status: .requestTimeout, message: "the body of the request did not arrive in time"))
    context.fireErrorCaught(Incomplete())
  }

  private func startClock(
    _ context: ChannelHandlerContext, _ time: TimeAmount, _ action: @escaping (HTTPConnectionGuard, ChannelHandlerContext) -> Void
  ) {
    let bound = NIOLoopBound((self, context, action), eventLoop: context.eventLoop)
    clock = context.eventLoop.scheduleTask(in: time) {
      let (this, context, action) = bound.value
      this.clock = nil
      action(this, context)
    }
  }

  private func stopClock() {
    clock?.cancel()
    clock = nil
  }

  func flush(context: ChannelHandlerContext) {
    context.flush()
    let waiting = bufferedBytes(context)
    if waiting > 0, stallCheck == nil { checkForStall(context, after: waiting) }
  }

  private func checkForStall(_ context: ChannelHandlerContext, after waiting: Int) {
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    stallCheck = context.eventLoop.scheduleTask(in: options.writeTimeout) {
      let (this, context) = bound.value
      this.stallCheck = nil
      let now = this.bufferedBytes(context)
      if now == 0 { return }
      // What the system did not take of a response changes with every byte that it takes, and with every one that is added; nothing
      // is added for long while nothing leaves.
      if now == waiting { return context.close(promise: nil) }
      this.checkForStall(context, after: now)
    }
  }

  private func bufferedBytes(_ context: ChannelHandlerContext) -> Int {
    (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
  }
}
